"""Copies of volumes to other places, on a node with the fake adapter: what each call does, and what is refused."""

import base64
from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from agents.node.adapters.fake_hang import Hang
from agents.node.errors import AdapterError
from agents.node.main import Config, _fake, _parser
from agents.node.services.volume_copies import AT_ONCE
from agents.node.specs import Subject
from agents.protocol import agent_pb2 as pb
from scripts.polling import wait_until
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.specs import MIB
from tests.agents.test_receipts import all_receipts
from tests.limits import PATIENCE_S

FAST, BULK = "fast", "bulk"
KEY = base64.b64encode(b"a secret of the volume")


def made(agent: AgentUnderTest) -> pb.EnsureVolumeRequest:
    volume = specs.volume()
    agent.stub.EnsureVolume(volume)
    return volume


def copy(volume: pb.EnsureVolumeRequest, *, generation: int = 2, back: bool = False) -> pb.EnsureVolumeCopyRequest:
    """Return the request for a copy from the node's folder to the cluster, or `back`."""
    volume_id = volume.subject.id
    rbd = pb.RbdSource(pool="vms", image=volume_id, monitors=["10.0.0.1:3300"], key=KEY)
    rbd.client = f"v-{volume_id}.019800000000"
    own, cluster = pb.VolumePlace(), pb.VolumePlace(pool=FAST, rbd=rbd)
    return pb.EnsureVolumeCopyRequest(
        subject=specs.subject(volume_id, generation),
        size_bytes=volume.size_bytes,
        source=cluster if back else own,
        destination=own if back else cluster,
        max_bytes_per_s=5 * 10**6,
    )


def between(
    volume: pb.EnsureVolumeRequest, *, generation: int = 2, source: str = FAST, to: str = BULK
) -> pb.EnsureVolumeCopyRequest:
    """Return the request for a copy from one pool of a cluster to another, each with a key of its own."""
    request, there = copy(volume, generation=generation), pb.VolumePlace()
    there.CopyFrom(request.destination)
    for place, pool in ((request.source, source), (request.destination, to)):
        place.CopyFrom(there)
        place.pool, place.rbd.pool, place.rbd.key = pool, f"of-{pool}", base64.b64encode(pool.encode())
    return request


def opened(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest, *, generation: int = 1, pool: str = FAST) -> None:
    """Open a volume of the cluster on the node."""
    request = specs.volume(volume.subject.id, generation=generation)
    request.pool, request.is_taken_over = pool, True
    request.rbd.CopyFrom(between(volume, source=pool).source.rbd)
    agent.stub.EnsureVolume(request)


def kept(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> tuple[bool, bool]:
    """Tell if the node has the key of the volume, and that of its copy."""
    volume_id = UUID(volume.subject.id)
    return volume_id in agent.fake.opened, volume_id in agent.fake.opened_copies


def state(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> pb.VolumeCopyState:
    (found,) = agent.stub.Describe(pb.DescribeRequest(ids=[volume.subject.id])).volume_copies
    return found


def completed(agent: AgentUnderTest, request: pb.EnsureVolumeCopyRequest) -> None:
    agent.stub.EnsureVolumeCopy(request)
    wait_until(
        lambda: state(agent, specs.volume(request.subject.id)).phase == pb.COPY_PHASE_COMPLETED, limit_s=PATIENCE_S
    )


def ended(volume: pb.EnsureVolumeRequest, pool: str, *, generation: int) -> pb.RemoveRequest:
    return pb.RemoveRequest(subject=specs.subject(volume.subject.id, generation), pool=pool)


def places(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> set[str]:
    """Return the places where there is data, or a key, of the volume."""
    volume_id = UUID(volume.subject.id)
    there = {"": volume_id in agent.fake.volumes, FAST: volume_id in agent.fake.opened}
    return {place for place, is_there in there.items() if is_there}


def held(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> str | None:
    """Return the pool where the agent has the volume; None: it has none."""
    entry = agent.server.node.state_store.volumes.get(volume.subject.id)
    return entry.spec.pool if entry is not None and entry.is_held else None


def copies(agent: AgentUnderTest) -> list[str]:
    return [entry.id for entry in agent.server.node.state_store.copies.held()]


@pytest.fixture
def hanging(agent: AgentUnderTest, tmp_path: Path) -> Iterator[Path]:
    """Copies hang until the file is gone."""
    file = tmp_path / "hanging"
    file.write_text("copy_volume")
    agent.fake.hang = Hang(file)
    yield file
    file.unlink(missing_ok=True)


@pytest.mark.parametrize("back", [False, True])
def test_volume_becomes_its_copy(agent: AgentUnderTest, back: bool) -> None:
    volume = specs.volume() if back else made(agent)
    source, to = (FAST, "") if back else ("", FAST)
    request = copy(volume, back=back)
    for _ in range(2):
        completed(agent, request)
    assert places(agent, volume) == {"", FAST}
    assert agent.fake.copied[UUID(volume.subject.id)] == 5 * 10**6
    found = state(agent, volume)
    assert (found.total_bytes, found.moved_bytes) == (64 * MIB, 64 * MIB)
    for was_present in (True, False):
        assert agent.stub.RemoveVolumeCopy(ended(volume, source, generation=3)).was_present is was_present
    (there,) = agent.stub.Describe(pb.DescribeRequest(ids=[volume.subject.id])).volumes
    assert (there.pool, there.subject.generation) == (to, 3)
    assert places(agent, volume) == {to}
    events = [(each["event"], each["kind"]) for each in all_receipts(agent, 3 if back else 4)]
    copied = [("opened", "volume-copy")] * 2  # once for each permit
    assert events == [*([] if back else [("opened", "volume")]), *copied, ("closed", "volume-copy")]
    error = refusal(lambda: agent.stub.EnsureVolumeCopy(request))
    assert error.code in ("agent.conflict", "agent.stale_generation", "agent.permit.stale_generation")


def test_undone_copy_leaves_the_volume_where_it_is(agent: AgentUnderTest) -> None:
    volume = made(agent)
    completed(agent, copy(volume))
    for was_present in (True, False):
        assert agent.stub.RemoveVolumeCopy(ended(volume, FAST, generation=2)).was_present is was_present
    assert places(agent, volume) == {""}
    completed(agent, copy(volume, generation=3))


def test_source_of_a_copy_that_is_not_complete_is_not_erased(agent: AgentUnderTest) -> None:
    volume = made(agent)
    agent.fake.fail_next("copy_volume", AdapterError("The disk is full.", retryable=True))
    agent.stub.EnsureVolumeCopy(copy(volume))
    wait_until(lambda: state(agent, volume).phase == pb.COPY_PHASE_FAILED, limit_s=PATIENCE_S)
    assert state(agent, volume).reason == "The disk is full."
    error = refusal(lambda: agent.stub.RemoveVolumeCopy(ended(volume, "", generation=3)))
    assert error.code == "agent.conflict"
    assert "" in places(agent, volume)
    completed(agent, copy(volume))  # begun anew


def test_copy_goes_on_after_a_restart_of_the_agent(agent: AgentUnderTest) -> None:
    volume = made(agent)
    agent.fake.fail_next("copy_volume", AdapterError("The agent ends.", retryable=True))
    agent.stub.EnsureVolumeCopy(copy(volume))
    wait_until(lambda: state(agent, volume).phase == pb.COPY_PHASE_FAILED, limit_s=PATIENCE_S)
    agent.restart()
    wait_until(lambda: state(agent, volume).phase == pb.COPY_PHASE_COMPLETED, limit_s=PATIENCE_S)


def test_volume_of_a_running_guest_is_not_copied(agent: AgentUnderTest) -> None:
    root, data = made(agent), made(agent)
    guest = specs.instance(root)
    agent.stub.EnsureInstance(guest)
    agent.stub.EnsureAttachment(specs.attachment(guest, data))
    assert refusal(lambda: agent.stub.EnsureVolumeCopy(copy(data))).code == "agent.volume_in_use"
    agent.stub.EnsureInstance(specs.next_generation(guest, power=pb.POWER_OFF))
    completed(agent, copy(data, generation=3))
    agent.stub.RemoveVolumeCopy(ended(data, "", generation=4))
    agent.stub.EnsureInstance(specs.next_generation(specs.next_generation(guest), power=pb.POWER_RUNNING))
    running = agent.fake.guests[UUID(guest.subject.id)].running
    assert running is not None
    assert [disk.source for disk in running.disks][1] == f"rbd:vms/{data.subject.id}"


def test_places_are_the_own_folder_and_a_cluster(agent: AgentUnderTest) -> None:
    volume = made(agent)
    for place in (pb.VolumePlace(), pb.VolumePlace(pool="shared")):
        for end in ("source", "destination"):
            request = copy(volume, back=end == "source")
            getattr(request, end).CopyFrom(place)
            assert refusal(partial(agent.stub.EnsureVolumeCopy, request)).code == "agent.bad_request"
    unknown = specs.volume()
    assert refusal(lambda: agent.stub.EnsureVolumeCopy(copy(unknown))).code == "agent.conflict"
    completed(agent, copy(volume))
    error = refusal(lambda: agent.stub.RemoveVolumeCopy(ended(volume, "other", generation=3)))
    assert error.code == "agent.bad_request"


@pytest.mark.parametrize("is_known", [True, False])
def test_copy_between_clusters_becomes_the_volume(agent: AgentUnderTest, is_known: bool) -> None:
    """The node has the volume open, or copies that of another node."""
    volume = specs.volume()
    if is_known:
        opened(agent, volume)
    for _ in range(2):
        completed(agent, between(volume))
    assert (kept(agent, volume), held(agent, volume)) == ((True, True), FAST if is_known else None)
    for was_present in (True, False):
        assert agent.stub.RemoveVolumeCopy(ended(volume, FAST, generation=3)).was_present is was_present
        assert (kept(agent, volume), held(agent, volume)) == ((True, False), BULK)
    completed(agent, between(volume, generation=5, source=BULK, to=FAST))
    agent.stub.RemoveVolumeCopy(ended(volume, BULK, generation=6))
    assert (kept(agent, volume), held(agent, volume), copies(agent)) == ((True, False), FAST, [])


@pytest.mark.parametrize("is_known", [True, False])
def test_copy_between_clusters_that_is_undone_leaves_the_key_of_the_source(
    agent: AgentUnderTest, is_known: bool
) -> None:
    volume = specs.volume()
    if is_known:
        opened(agent, volume)
    completed(agent, between(volume))
    for was_present in (True, False):
        assert agent.stub.RemoveVolumeCopy(ended(volume, BULK, generation=2)).was_present is was_present
        assert (kept(agent, volume), held(agent, volume)) == ((is_known, False), FAST if is_known else None)


def test_end_of_a_copy_leaves_the_key_with_which_the_volume_was_opened_later(agent: AgentUnderTest) -> None:
    """Its end came late, after the volume was opened in its new place, on a node that had not had it open before."""
    volume = specs.volume()
    completed(agent, between(volume))
    opened(agent, volume, generation=4, pool=BULK)
    own = agent.fake.opened[UUID(volume.subject.id)] = 7
    end_of(agent, volume, FAST)
    assert (kept(agent, volume), held(agent, volume), copies(agent)) == ((True, False), BULK, [])
    assert agent.fake.opened[UUID(volume.subject.id)] == own


def test_end_of_a_copy_of_a_volume_that_is_gone_leaves_no_key(agent: AgentUnderTest) -> None:
    volume = specs.volume()
    opened(agent, volume)
    completed(agent, between(volume))
    table = agent.server.node.state_store.volumes
    table.begin_removal(Subject(UUID(volume.subject.id), 7))
    table.finish_removal(volume.subject.id)
    end_of(agent, volume, FAST)
    assert (kept(agent, volume), held(agent, volume), copies(agent)) == ((False, False), None, [])


def test_source_of_a_copy_between_clusters_is_kept_until_the_copy_is_complete(agent: AgentUnderTest) -> None:
    volume = specs.volume()
    opened(agent, volume)
    agent.fake.fail_next("copy_volume", AdapterError("The cluster is full.", retryable=True))
    agent.stub.EnsureVolumeCopy(between(volume))
    wait_until(lambda: state(agent, volume).phase == pb.COPY_PHASE_FAILED, limit_s=PATIENCE_S)
    assert refusal(lambda: end_of(agent, volume, FAST)).code == "agent.conflict"
    assert (kept(agent, volume), held(agent, volume)) == ((True, True), FAST)


def test_copy_between_clusters_is_neither_online_nor_within_a_pool(agent: AgentUnderTest) -> None:
    volume = specs.volume()
    opened(agent, volume)
    online, itself = between(volume), between(volume)
    online.is_online, itself.destination.rbd.pool = True, itself.source.rbd.pool
    for request in (online, itself, between(volume, to=FAST)):
        assert refusal(partial(agent.stub.EnsureVolumeCopy, request)).code == "agent.bad_request"
    error = refusal(lambda: agent.stub.EnsureVolumeCopy(between(volume, source=BULK, to="other")))
    assert error.code == "agent.conflict", "the volume is not there"
    assert (kept(agent, volume), copies(agent)) == ((True, False), [])


def end_of(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest, pool: str) -> None:
    agent.stub.RemoveVolumeCopy(ended(volume, pool, generation=3))


@pytest.mark.parametrize("back", [False, True])
def test_later_copy_leaves_a_complete_one_alone(agent: AgentUnderTest, back: bool) -> None:
    """The volume may be the complete copy by now: after the switch, before its removal."""
    volume = specs.volume() if back else made(agent)
    completed(agent, copy(volume, back=back))
    error = refusal(lambda: agent.stub.EnsureVolumeCopy(copy(volume, generation=5, back=not back)))
    assert (error.code, error.is_retryable) == ("agent.volume_copy_held", True)
    assert places(agent, volume) == {"", FAST}
    agent.stub.RemoveVolumeCopy(ended(volume, FAST if back else "", generation=3))
    assert places(agent, volume) == {"" if back else FAST}
    completed(agent, copy(volume, generation=5, back=not back))


def test_later_copy_replaces_an_unfinished_one(agent: AgentUnderTest) -> None:
    volume = made(agent)
    agent.fake.fail_next("copy_volume", AdapterError("The cluster is full.", retryable=True))
    agent.stub.EnsureVolumeCopy(copy(volume))
    wait_until(lambda: state(agent, volume).phase == pb.COPY_PHASE_FAILED, limit_s=PATIENCE_S)
    completed(agent, copy(volume, generation=5))
    assert places(agent, volume) == {"", FAST}


def test_outdated_removal_does_not_stop_a_later_copy(agent: AgentUnderTest, hanging: Path) -> None:
    volume = made(agent)
    agent.stub.EnsureVolumeCopy(copy(volume, generation=5))
    for pool, generation in ((FAST, 2), ("", 3)):
        error = refusal(partial(agent.stub.RemoveVolumeCopy, ended(volume, pool, generation=generation)))
        assert error.code == "agent.stale_generation"
    hanging.unlink()
    wait_until(lambda: state(agent, volume).phase == pb.COPY_PHASE_COMPLETED, limit_s=PATIENCE_S)


def test_removal_of_an_undone_copy_ends_where_the_volume_is_later(agent: AgentUnderTest) -> None:
    """The volume is at the destination under a later generation: the copy ends, and nothing is erased."""
    volume = specs.volume()
    completed(agent, copy(volume, back=True))
    agent.stub.EnsureVolume(specs.volume(volume.subject.id, generation=4))
    error = refusal(lambda: agent.stub.RemoveVolumeCopy(ended(volume, "", generation=4)))
    assert (error.code, copies(agent)) == ("agent.conflict", [volume.subject.id])
    agent.stub.RemoveVolumeCopy(ended(volume, "", generation=2))
    assert (held(agent, volume), copies(agent)) == ("", [])
    assert "" in places(agent, volume)


def end(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> None:
    agent.stub.RemoveVolumeCopy(ended(volume, "", generation=3))


def forget(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> None:
    agent.stub.ForgetVolume(ended(volume, "", generation=4))


def remove(agent: AgentUnderTest, volume: pb.EnsureVolumeRequest) -> None:
    agent.stub.RemoveVolume(ended(volume, "", generation=5))


Removal = Callable[[AgentUnderTest, pb.EnsureVolumeRequest], None]


@pytest.mark.parametrize("order", [*permutations((end, forget, remove))])
def test_removals_leave_nothing_in_any_order(agent: AgentUnderTest, order: tuple[Removal, ...]) -> None:
    """The volume was moved to the cluster, opened on another node and removed there, while this node was away."""
    volume, left = made(agent), list(order)
    completed(agent, copy(volume))
    while left:
        before = list(left)
        for removal in before:
            try:
                removal(agent, volume)
            except grpc.RpcError as exc:
                code = dict(exc.trailing_metadata())["andromede-code"]
                assert code in ("agent.volume_copy_held", "agent.stale_generation"), code
                if code == "agent.volume_copy_held":
                    assert "" in places(agent, volume)
                    continue
            left.remove(removal)
        assert left != before, "some removal gets on"
    assert (places(agent, volume), held(agent, volume), copies(agent)) == (set(), None, [])


def test_source_is_erased_though_the_volume_was_removed_later(agent: AgentUnderTest) -> None:
    """The node has a tombstone of the volume under a later generation than that of the copy's end."""
    volume = made(agent)
    completed(agent, copy(volume))
    table = agent.server.node.state_store.volumes
    table.begin_removal(Subject(UUID(volume.subject.id), 7))
    table.finish_removal(volume.subject.id)
    end(agent, volume)
    assert "" not in places(agent, volume)
    assert (held(agent, volume), copies(agent)) == (None, [])


def test_volume_that_is_at_its_source_later_is_not_erased(agent: AgentUnderTest) -> None:
    volume = made(agent)
    completed(agent, copy(volume))
    agent.stub.EnsureVolume(specs.volume(volume.subject.id, generation=4))
    assert refusal(lambda: end(agent, volume)).code == "agent.conflict"
    assert "" in places(agent, volume)


def test_node_makes_so_many_copies_at_once(agent: AgentUnderTest, hanging: Path) -> None:
    running = [made(agent) for _ in range(AT_ONCE)]
    waiting = made(agent)
    for volume in running:
        agent.stub.EnsureVolumeCopy(copy(volume))
    error = refusal(lambda: agent.stub.EnsureVolumeCopy(copy(waiting)))
    assert (error.code, error.is_retryable) == ("agent.exhausted", True)
    assert waiting.subject.id not in copies(agent)
    agent.stub.EnsureVolumeCopy(copy(running[0]))  # asks for one that is under way
    hanging.unlink()
    for volume in running:
        completed(agent, copy(volume))
    completed(agent, copy(waiting))


@pytest.mark.parametrize("back", [False, True])
def test_fake_node_that_was_killed_has_the_local_data_of_its_copies(agent: AgentUnderTest, *, back: bool) -> None:
    """A real node has it: the source of a copy whose end was interrupted is still to be erased."""
    volume = specs.volume() if back else made(agent)
    completed(agent, copy(volume, back=back))
    if not back:
        agent.fake.fail_next("remove_volume", AdapterError("The agent was killed.", retryable=True))
        with pytest.raises(grpc.RpcError):
            agent.stub.RemoveVolumeCopy(ended(volume, "", generation=3))
        assert held(agent, volume) == FAST
    agent.server.stop(0)
    options = ["--state-dir", str(agent.state_dir), "--listen", "127.0.0.1:0", "--adapter", "fake"]
    restarted = _fake(Config(agent.state_dir, "127.0.0.1:0"), _parser().parse_args(options))
    assert restarted.disks.engine().size_bytes(UUID(volume.subject.id)) == volume.size_bytes


@pytest.mark.parametrize("back", [False, True])
def test_file_of_a_copy_is_unmanaged_only_once_the_volume_is_elsewhere(agent: AgentUnderTest, *, back: bool) -> None:
    def unmanaged() -> list[str]:
        return [each.name for each in agent.stub.Describe(pb.DescribeRequest()).strays]

    volume = specs.volume() if back else made(agent)
    completed(agent, copy(volume, back=back))
    assert unmanaged() == []
    agent.stub.RemoveVolumeCopy(ended(volume, FAST if back else "", generation=3))
    assert unmanaged() == []
    agent.fake.volumes[UUID(volume.subject.id)] = volume.size_bytes
    file = f"volumes/{volume.subject.id}.qcow2"
    assert unmanaged() == ([] if back else [file])
    if not back:
        spec = pb.EnsureQuarantineRequest(subject=specs.subject(), kind=pb.STRAY_KIND_FILE, name=file)
        agent.stub.EnsureQuarantine(spec)
        assert agent.stub.RemoveQuarantine(pb.RemoveRequest(subject=spec.subject)).is_present
        assert (held(agent, volume), unmanaged()) == (FAST, [])

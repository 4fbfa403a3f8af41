"""Copies of volumes to other places, on a node with the fake adapter: what each call does, and what is refused."""

import base64
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agents.node.adapters import pools
from agents.node.adapters.pools import Pools
from agents.node.errors import AdapterError
from agents.protocol import agent_pb2 as pb
from scripts.polling import wait_until
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.specs import MIB
from tests.agents.test_receipts import all_receipts
from tests.limits import PATIENCE_S

KEY = base64.b64encode(b"a secret of the volume")


@pytest.fixture(autouse=True)
def pool(agent: AgentUnderTest, tmp_path: Path) -> Iterator[None]:
    """Give the node a folder pool."""
    folder = tmp_path / "pool"
    folder.mkdir()
    pools.make(folder)
    agent.fake.pools = Pools({"shared": folder})
    yield


def made(agent: AgentUnderTest) -> pb.EnsureVolumeRequest:
    volume = specs.volume()
    agent.stub.EnsureVolume(volume)
    return volume


def copy(
    volume: pb.EnsureVolumeRequest, *, generation: int = 2, to: str = "shared", rbd: bool = False
) -> pb.EnsureVolumeCopyRequest:
    volume_id = volume.subject.id
    request = pb.EnsureVolumeCopyRequest(
        subject=specs.subject(volume_id, generation),
        size_bytes=volume.size_bytes,
        source=pb.VolumePlace(pool=volume.pool),
        destination=pb.VolumePlace(pool=to),
        max_bytes_per_s=5 * 10**6,
    )
    if rbd:
        source = pb.RbdSource(pool="vms", image=volume_id, monitors=["10.0.0.1:3300"], key=KEY)
        source.client = f"v-{volume_id}.019800000000"
        request.destination.rbd.CopyFrom(source)
    return request


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
    file = agent.fake.pools.folder("shared") / f"{volume_id}.qcow2"
    there = {"": volume_id in agent.fake.volumes, "shared": file.exists(), "fast": volume_id in agent.fake.opened}
    return {place for place, is_there in there.items() if is_there}


@pytest.mark.parametrize(("to", "rbd"), [("shared", False), ("fast", True)])
def test_volume_becomes_its_copy(agent: AgentUnderTest, to: str, rbd: bool) -> None:
    volume = made(agent)
    request = copy(volume, to=to, rbd=rbd)
    for _ in range(2):
        completed(agent, request)
    assert places(agent, volume) == {"", to}
    assert agent.fake.copied[UUID(volume.subject.id)] == 5 * 10**6
    found = state(agent, volume)
    assert (found.total_bytes, found.moved_bytes) == (64 * MIB, 64 * MIB)
    for was_present in (True, False):
        assert agent.stub.RemoveVolumeCopy(ended(volume, "", generation=3)).was_present is was_present
    (there,) = agent.stub.Describe(pb.DescribeRequest(ids=[volume.subject.id])).volumes
    assert (there.pool, there.subject.generation) == (to, 3)
    assert places(agent, volume) == {to}
    events = [(each["event"], each["kind"]) for each in all_receipts(agent, 4)]
    copied = [("opened", "volume-copy")] * 2  # once for each permit
    assert events == [("opened", "volume"), *copied, ("closed", "volume-copy")]
    error = refusal(lambda: agent.stub.EnsureVolumeCopy(request))
    assert error.code in ("agent.conflict", "agent.stale_generation", "agent.permit.stale_generation")


def test_undone_copy_leaves_the_volume_where_it_is(agent: AgentUnderTest) -> None:
    volume = made(agent)
    completed(agent, copy(volume))
    for was_present in (True, False):
        assert agent.stub.RemoveVolumeCopy(ended(volume, "shared", generation=2)).was_present is was_present
    assert places(agent, volume) == {""}
    completed(agent, copy(volume, generation=3))


def test_source_of_a_copy_that_is_not_complete_is_not_erased(agent: AgentUnderTest) -> None:
    volume = made(agent)
    agent.fake.fail_next("copy_volume", AdapterError("The disk is full.", retryable=True))
    agent.stub.EnsureVolumeCopy(copy(volume))
    wait_until(lambda: state(agent, volume).phase == pb.COPY_PHASE_FAILED, limit_s=PATIENCE_S)
    assert state(agent, volume).reason == "The disk is full."
    error = refusal(lambda: agent.stub.RemoveVolumeCopy(ended(volume, "", generation=3)))
    assert (error.code, places(agent, volume)) == ("agent.conflict", {""})
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
    assert [disk.source for disk in running.disks][1].startswith(str(agent.fake.pools.folder("shared")))


def test_places_have_to_differ_and_to_be_known(agent: AgentUnderTest) -> None:
    volume = made(agent)
    assert refusal(lambda: agent.stub.EnsureVolumeCopy(copy(volume, to=""))).code == "agent.bad_request"
    unknown = specs.volume()
    assert refusal(lambda: agent.stub.EnsureVolumeCopy(copy(unknown))).code == "agent.conflict"
    completed(agent, copy(volume))
    error = refusal(lambda: agent.stub.RemoveVolumeCopy(ended(volume, "other", generation=3)))
    assert error.code == "agent.bad_request"

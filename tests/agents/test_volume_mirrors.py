"""Online copies of volumes, on a node with the fake adapter: no write of a guest is lost, whichever process dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import grpc
import pytest

from agents.node.adapters.interfaces import Power
from agents.node.adapters.mirrors import Mirrored
from agents.node.errors import AdapterError
from agents.node.services import volume_mirrors
from agents.node.services.volume_copies import CopyStatus, VolumeCopies
from agents.node.specs import FreezeLevel, Subject
from agents.node.state_store import Freeze, StateStore
from agents.protocol import agent_pb2 as pb
from scripts.polling import wait_until
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.test_volume_copies import FAST, copies, copy, ended, held, made, places, state
from tests.limits import PATIENCE_S


class Rig:
    """A guest that runs with a data disk, which it has written, and a mirror of it."""

    def __init__(self, agent: AgentUnderTest, *, back: bool = False) -> None:
        self.agent, self.back = agent, back
        self.root, self.volume = made(agent), specs.volume()
        self.request = copy(self.volume, back=back)
        self.request.is_online = True
        opening = pb.EnsureVolumeRequest()
        opening.CopyFrom(self.volume)
        if back:
            opening.pool = FAST
            opening.rbd.CopyFrom(self.request.source.rbd)
        agent.stub.EnsureVolume(opening)
        self.guest = specs.instance(self.root)
        agent.stub.EnsureInstance(self.guest)
        self.attachment = specs.attachment(self.guest, self.volume)
        agent.stub.EnsureAttachment(self.attachment)
        self.guest_id, self.volume_id = UUID(self.guest.subject.id), UUID(self.volume.subject.id)
        self.writes = 0
        self.write()

    def write(self) -> None:
        self.agent.fake.mirrors.write(self.guest_id, self.volume_id)
        self.writes += 1

    def begin(self) -> None:
        self.agent.stub.EnsureVolumeCopy(self.request)

    def wait_for(self, phase: "pb.CopyPhase") -> None:
        wait_until(lambda: state(self.agent, self.volume).phase == phase, limit_s=PATIENCE_S)

    def mirror(self) -> None:
        self.begin()
        self.wait_for(pb.COPY_PHASE_READY)
        self.write()

    def pivot(self) -> pb.VolumeCopyState:
        return self.agent.stub.PivotVolumeCopy(pb.PivotVolumeCopyRequest(subject=self.request.subject))

    def undo(self) -> None:
        self.agent.stub.RemoveVolumeCopy(ended(self.volume, self.request.destination.pool, generation=2))

    def end(self) -> None:
        self.agent.stub.RemoveVolumeCopy(ended(self.volume, self.request.source.pool, generation=3))

    def start(self, generation: int) -> None:
        """Start the guest, which stopped, with what the node takes for its disks."""
        self.agent.stub.EnsureInstance(
            specs.instance(self.root, resource_id=self.guest.subject.id, generation=generation)
        )

    @property
    def power(self) -> Power:
        return self.agent.fake.guests[self.guest_id].power

    def check_content(self) -> None:
        """Check that the guest reads all that it ever wrote."""
        assert self.power is Power.RUNNING
        assert self.agent.fake.mirrors.content(self.guest_id, self.volume_id) == self.writes

    @property
    def place(self) -> str:
        """Return the place of the disk that the guest's process has."""
        running = self.agent.fake.guests[self.guest_id].running
        assert running is not None
        return FAST if running.disks[1].rbd is not None else ""


@pytest.mark.parametrize("back", [False, True])
def test_running_guest_gets_the_copy(agent: AgentUnderTest, back: bool) -> None:
    rig = Rig(agent, back=back)
    source, to = rig.request.source.pool, rig.request.destination.pool
    for _ in range(2):
        rig.begin()
    rig.mirror()
    assert rig.place == source
    for _ in range(2):  # as after a lost answer
        assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED
    assert (rig.place, held(agent, rig.volume)) == (to, to)
    assert agent.fake.call_counts["pivot_disk"] == 1
    rig.write()
    rig.check_content()
    assert places(agent, rig.volume) == {"", FAST}, "the source is kept until its removal"
    assert agent.stub.EnsureVolumeCopy(rig.request).phase == pb.COPY_PHASE_COMPLETED
    assert refusal(rig.undo).code == "agent.conflict"
    rig.end()
    assert (places(agent, rig.volume), copies(agent)) == ({to}, [])
    agent.fake.crash(rig.guest_id)
    rig.start(2)
    rig.check_content()
    assert agent.fake.guests[rig.guest_id].starts == 2


def test_guest_whose_definition_cannot_be_written_runs_on(agent: AgentUnderTest) -> None:
    rig = Rig(agent)
    rig.mirror()
    agent.fake.fail_next("define", AdapterError("The disk of the node is full.", retryable=True))
    assert refusal(rig.pivot).code == "agent.adapter_failed"
    assert (rig.power, rig.place, held(agent, rig.volume)) == (Power.RUNNING, FAST, FAST)
    wait_until(lambda: not agent.server.node.state_store.pivots(), limit_s=PATIENCE_S)
    rig.check_content()


def test_copy_that_an_earlier_agent_completed_is_no_copy_of_a_running_guest(agent: AgentUnderTest) -> None:
    """After a rollback of the agent, which took the copy for an offline one."""
    rig = Rig(agent)
    rig.mirror()
    agent.server.node.state_store.copies.confirm(rig.volume_id)
    assert rig.pivot().phase == pb.COPY_PHASE_FAILED
    assert agent.stub.EnsureVolumeCopy(rig.request).phase == pb.COPY_PHASE_FAILED
    rig.undo()
    rig.check_content()
    assert (rig.place, places(agent, rig.volume)) == ("", {""})


@pytest.mark.parametrize("back", [False, True])
def test_undone_mirror_leaves_the_guest_alone(agent: AgentUnderTest, back: bool) -> None:
    rig = Rig(agent, back=back)
    rig.mirror()
    assert refusal(rig.end).code == "agent.conflict", "the source is erased only after a pivot"
    rig.undo()
    rig.write()
    rig.check_content()
    assert places(agent, rig.volume) == {rig.request.source.pool}
    assert not agent.fake.mirrors.jobs
    assert refusal(rig.pivot).code == "agent.not_found"
    assert agent.fake.call_counts["pause"] == 0


def test_copy_is_not_pivoted_before_it_is_ready(agent: AgentUnderTest) -> None:
    rig = Rig(agent)
    agent.fake.mirrors.is_lagging = True
    rig.begin()
    wait_until(lambda: state(agent, rig.volume).moved_bytes > 0, limit_s=PATIENCE_S)
    assert rig.pivot().phase == pb.COPY_PHASE_RUNNING
    assert (rig.place, agent.fake.call_counts["pause"]) == ("", 0)
    agent.fake.mirrors.is_lagging = False
    rig.wait_for(pb.COPY_PHASE_READY)
    assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED


def test_mirror_goes_on_after_a_restart_of_the_agent(agent: AgentUnderTest) -> None:
    rig = Rig(agent)
    rig.mirror()
    agent.restart()
    rig.wait_for(pb.COPY_PHASE_READY)
    assert agent.fake.call_counts["mirror_disk"] == 1
    rig.write()
    assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED
    rig.check_content()


def test_guest_that_ends_before_the_pivot_keeps_its_disk(agent: AgentUnderTest) -> None:
    rig = Rig(agent)
    rig.mirror()
    agent.fake.crash(rig.guest_id)
    assert rig.pivot().phase in (pb.COPY_PHASE_FAILED, pb.COPY_PHASE_READY)
    rig.wait_for(pb.COPY_PHASE_FAILED)
    assert "ended too early" in rig.pivot().reason
    assert refusal(rig.begin).code == "agent.volume_not_open"
    rig.undo()
    rig.start(2)
    rig.check_content()


STEPS = ("pause", "limit_mirror", "mirror_state", "pivot_disk", "define", "resume_domain")


@contextmanager
def killed_at(agent: AgentUnderTest, call: str, monkeypatch: pytest.MonkeyPatch, *, is_after: bool) -> Iterator[None]:
    """Let the agent's work end at the call of an adapter: before its effect, or after it."""
    fake_call, is_armed = agent.fake.call, [True]

    @contextmanager
    def dying(name: str) -> Iterator[None]:
        is_hit = is_armed[0] and name == call and agent.server.node.state_store.pivots() != []
        if is_hit:
            is_armed[0] = False
        if is_hit and not is_after:
            raise AdapterError("The agent is killed before.", retryable=True)
        with fake_call(name):
            yield
        if is_hit:
            raise AdapterError("The agent is killed after.", retryable=True)

    with monkeypatch.context() as patch:
        patch.setattr(agent.fake, "call", dying)
        patch.setattr("agents.node.services.volume_copies.VolumeCopies._settle_later", lambda *_: None)
        yield
    assert not is_armed[0], "the call was made"


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("call", STEPS)
def test_nothing_is_lost_wherever_a_pivot_is_interrupted(
    agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch, call: str, is_after: bool, dies: bool
) -> None:
    """The agent is killed within the pivot, and comes back; or the guest's process dies too, as with its node."""
    rig = Rig(agent, back=is_after)
    rig.mirror()
    with killed_at(agent, call, monkeypatch, is_after=is_after):
        assert refusal(rig.pivot).code == "agent.adapter_failed"
    if dies:
        agent.fake.crash(rig.guest_id)
    agent.restart()
    wait_until(lambda: not agent.server.node.state_store.pivots(), limit_s=PATIENCE_S)
    if dies:
        rig.start(2)
    rig.check_content()
    rig.write()
    assert rig.place == held(agent, rig.volume), "what the guest has is what it is started with"
    is_there = rig.place == rig.request.destination.pool
    if is_there:
        assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED
        assert refusal(rig.undo).code == "agent.conflict"
        rig.end()
    else:
        assert refusal(rig.end).code == "agent.conflict"
        rig.undo()
    rig.check_content()
    agent.fake.crash(rig.guest_id)
    rig.start(3)
    rig.check_content()
    assert places(agent, rig.volume) == {rig.place}


@pytest.mark.parametrize(
    "error", [AdapterError("libvirtd does not answer.", retryable=True), OSError(28, "No space left on device")]
)
def test_pivot_that_the_agent_survives_is_settled_by_itself(agent: AgentUnderTest, error: Exception) -> None:
    rig = Rig(agent)
    rig.mirror()
    for _ in range(2):
        agent.fake.fail_next("resume_domain", error)
    with pytest.raises(grpc.RpcError):
        rig.pivot()
    wait_until(lambda: rig.power is Power.RUNNING, limit_s=PATIENCE_S)
    rig.wait_for(pb.COPY_PHASE_COMPLETED)
    rig.write()
    rig.check_content()


def test_nothing_touches_a_guest_whose_pivot_is_not_settled(
    agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, other = Rig(agent), made(agent)
    rig.mirror()
    with killed_at(agent, "resume_domain", monkeypatch, is_after=False):
        refusal(rig.pivot)
    attachment = specs.subject(rig.attachment.subject.id, 2)
    calls = (
        lambda: rig.start(2),
        lambda: agent.stub.EnsureAttachment(specs.attachment(rig.guest, other)),
        lambda: agent.stub.RemoveAttachment(pb.RemoveRequest(subject=attachment)),
        lambda: agent.stub.FreezeInstance(pb.FreezeInstanceRequest(instance_id=rig.guest.subject.id)),
        rig.undo,
    )
    for call in calls:
        error = refusal(call)
        assert (error.code, error.is_retryable) == ("agent.guest_pivoting", True)
    assert rig.power is Power.PAUSED
    agent.restart()
    wait_until(lambda: rig.power is Power.RUNNING, limit_s=PATIENCE_S)
    rig.check_content()


def test_guest_that_writes_too_fast_goes_on_without_a_pivot(
    agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(agent)
    rig.mirror()
    monkeypatch.setattr(volume_mirrors, "LEVEL_WITHIN_S", 0.0)
    monkeypatch.setattr("agents.node.adapters.mirrors.MirrorState.is_level", False)
    assert rig.pivot().phase == pb.COPY_PHASE_READY
    assert (rig.power, rig.place) == (Power.RUNNING, "")
    assert agent.fake.mirrors.jobs[rig.volume_id].max_bytes_per_s == 5 * 10**6, "the limit holds again"
    monkeypatch.setattr(volume_mirrors, "NEARLY_LEVEL_BYTES", -1)
    assert rig.pivot().phase == pb.COPY_PHASE_READY
    assert agent.fake.call_counts["pause"] == 1, "a guest whose copy lacks much is not paused"
    monkeypatch.undo()
    rig.write()
    assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED
    rig.check_content()


def test_guest_of_which_hypervisor_and_process_differ_stays_paused(
    agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libvirtd ended in the instant of the pivot, and takes the former disk for that of the guest."""
    rig = Rig(agent)
    rig.mirror()
    with killed_at(agent, "pivot_disk", monkeypatch, is_after=True):
        refusal(rig.pivot)
    agent.fake.mirrors.forgotten.add(rig.volume_id)
    error = refusal(rig.pivot)
    assert "does not know which disk" in error.message
    assert (rig.power, held(agent, rig.volume)) == (Power.PAUSED, "")
    agent.fake.crash(rig.guest_id)
    wait_until(lambda: not agent.server.node.state_store.pivots(), limit_s=PATIENCE_S)
    rig.start(2)
    rig.check_content()


def test_pivot_that_libvirtd_forgets_at_once_leaves_the_guest_paused(
    agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(agent)
    rig.mirror()
    mirrors = agent.fake.mirrors
    take_target = mirrors.take_target

    def take_and_forget(mirrored: Mirrored) -> None:
        take_target(mirrored)
        mirrors.forgotten.add(rig.volume_id)

    monkeypatch.setattr(mirrors, "take_target", take_and_forget)
    assert "does not know which disk" in refusal(rig.pivot).message
    assert (rig.power, held(agent, rig.volume)) == (Power.PAUSED, "")
    mirrors.forgotten.clear()
    rig.wait_for(pb.COPY_PHASE_COMPLETED)
    rig.check_content()


def test_guest_that_is_resumed_meanwhile_is_paused_for_the_pivot(
    agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thaw of a paused guest ends between the first look and the record of the pivot."""
    rig = Rig(agent)
    rig.mirror()
    agent.fake.guests[rig.guest_id].power = Power.PAUSED
    freeze = StateStore.freeze

    def thawed(self: StateStore, instance_id: UUID) -> Freeze | None:
        agent.fake.guests[instance_id].power = Power.RUNNING
        return freeze(self, instance_id)

    monkeypatch.setattr(StateStore, "freeze", thawed)
    assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED
    assert agent.fake.call_counts["pause"] == 1
    rig.check_content()


def test_pivot_whose_caller_gave_up_changes_nothing(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    rig, pivot = Rig(agent), VolumeCopies.pivot
    rig.mirror()

    def late(copies: VolumeCopies, subject: Subject, *, is_awaited: Callable[[], bool]) -> CopyStatus:
        assert is_awaited()
        return pivot(copies, subject, is_awaited=lambda: False)

    monkeypatch.setattr(VolumeCopies, "pivot", late)
    assert refusal(rig.pivot).code == "agent.adapter_failed"
    rig.undo()
    rig.check_content()
    assert (rig.place, agent.fake.call_counts["pivot_disk"]) == ("", 0)


def test_frozen_guest_is_not_pivoted(agent: AgentUnderTest) -> None:
    rig = Rig(agent)
    rig.mirror()
    store: StateStore = agent.server.node.state_store
    store.record_freeze(rig.guest_id, Freeze(0, level=FreezeLevel.EXECUTION))
    error = refusal(rig.pivot)
    assert (error.code, error.is_retryable) == ("agent.guest_frozen", True)
    store.forget_freeze(rig.guest_id)
    assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED


def test_paused_guest_stays_paused(agent: AgentUnderTest) -> None:
    rig = Rig(agent)
    rig.mirror()
    agent.fake.guests[rig.guest_id].power = Power.PAUSED
    assert rig.pivot().phase == pb.COPY_PHASE_COMPLETED
    assert (rig.power, rig.place) == (Power.PAUSED, FAST)


def test_offline_copy_is_not_pivoted_and_an_online_one_needs_a_guest(agent: AgentUnderTest) -> None:
    volume = made(agent)
    request = copy(volume)
    request.is_online = True
    assert refusal(lambda: agent.stub.EnsureVolumeCopy(request)).code == "agent.volume_not_open"
    request.is_online = False
    agent.stub.EnsureVolumeCopy(request)
    pivot = pb.PivotVolumeCopyRequest(subject=request.subject)
    assert refusal(lambda: agent.stub.PivotVolumeCopy(pivot)).code == "agent.conflict"
    pivot.subject.generation = 1
    error = refusal(lambda: agent.stub.PivotVolumeCopy(pivot))
    assert (error.status, error.code) == (grpc.StatusCode.FAILED_PRECONDITION, "agent.stale_generation")

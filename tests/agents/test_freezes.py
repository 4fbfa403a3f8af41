"""Freezes over gRPC and the fake node: they always end, whatever the guest, the caller or the agent does."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import grpc
import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.fake_guest_agent import Behaviour, FakeGuestAgent
from agents.node.adapters.interfaces import Power
from agents.node.errors import HypervisorUnavailable
from agents.node.services import freezes
from agents.node.services.freezes import FREEZES_AT_ONCE
from agents.node.specs import FreezeLevel
from agents.node.state_store import Freeze, StateStore
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.pairs import Pair, make_pair, second_agent
from tests.agents.test_rpc import build
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA, issue_controlplane


def freeze(
    agent: AgentUnderTest,
    guest_id: str,
    limit_ms: int = 0,
    level: "pb.FreezeLevel" = pb.FREEZE_LEVEL_UNSPECIFIED,
) -> int:
    request = pb.FreezeInstanceRequest(instance_id=guest_id, limit_ms=limit_ms, level=level)
    return int(agent.stub.FreezeInstance(request, timeout=PATIENCE_S).file_systems)


def thaw(agent: AgentUnderTest, guest_id: str) -> tuple[int, bool]:
    answer = agent.stub.ThawInstance(pb.ThawInstanceRequest(instance_id=guest_id), timeout=PATIENCE_S)
    return answer.file_systems, answer.was_frozen


def pause(agent: AgentUnderTest, guest_id: str, limit_ms: int = 0) -> int:
    return freeze(agent, guest_id, limit_ms, pb.FREEZE_LEVEL_EXECUTION)


def power_of(agent: AgentUnderTest, guest_id: str) -> "pb.Power":
    (state,) = agent.stub.Describe(pb.DescribeRequest(ids=[guest_id])).instances
    return state.power


def inside(agent: AgentUnderTest, guest_id: str) -> FakeGuestAgent:
    return agent.fake.guests[UUID(guest_id)].agent


def is_recorded(agent: AgentUnderTest, guest_id: str) -> bool:
    return agent.server.node.state_store.freeze(UUID(guest_id)) is not None


@pytest.fixture
def guest(agent: AgentUnderTest) -> str:
    return str(build(agent).subject.id)


def test_guest_is_frozen_once_and_thawed_once(agent: AgentUnderTest, guest: str) -> None:
    assert freeze(agent, guest) == 2
    assert freeze(agent, guest) == 2
    assert inside(agent, guest).is_frozen and inside(agent, guest).freezes == 1
    assert thaw(agent, guest) == (2, True)
    assert thaw(agent, guest) == (0, False)
    assert not inside(agent, guest).is_frozen and not is_recorded(agent, guest)


def test_second_freeze_extends_nothing(agent: AgentUnderTest, guest: str) -> None:
    freeze(agent, guest)
    first = agent.server.node.state_store.freeze(UUID(guest))
    freeze(agent, guest)
    assert agent.server.node.state_store.freeze(UUID(guest)) == first


def test_node_thaws_when_the_limit_has_passed(agent: AgentUnderTest, guest: str) -> None:
    freeze(agent, guest, limit_ms=2000)
    wait_until(lambda: not is_recorded(agent, guest), what="the thaw")
    assert not inside(agent, guest).is_frozen
    assert thaw(agent, guest) == (0, False)
    assert freeze(agent, guest) == 2


@pytest.mark.parametrize("limit_ms", [1, 1999, 10_001, 2**32 - 1])
def test_limit_has_bounds(agent: AgentUnderTest, guest: str, limit_ms: int) -> None:
    assert refusal(lambda: freeze(agent, guest, limit_ms)).code == "agent.bad_request"


def test_stopping_agent_thaws(agent: AgentUnderTest, guest: str) -> None:
    freeze(agent, guest)
    agent.server.stop(grace_s=0)
    assert not inside(agent, guest).is_frozen
    agent.restart()


def test_agent_that_was_killed_thaws_at_its_start(agent: AgentUnderTest, guest: str) -> None:
    agent.stop()
    inside(agent, guest).is_frozen = True
    store = StateStore(agent.state_dir / "ledger.sqlite")
    store.record_freeze(UUID(guest), Freeze(freezes.now_ms() + 9000, 2))
    store.close()
    agent.fake.fail_next("thaw", HypervisorUnavailable("libvirtd does not answer."))
    agent.start()
    wait_until(lambda: not is_recorded(agent, guest), what="the thaw")
    assert not inside(agent, guest).is_frozen


@pytest.mark.parametrize("behaviour", [Behaviour.SILENT, Behaviour.LATE, Behaviour.REFUSING])
def test_guest_that_may_be_frozen_is_thawed_once_its_agent_answers(
    agent: AgentUnderTest, guest: str, behaviour: Behaviour
) -> None:
    inside(agent, guest).behaviour = behaviour
    code = "refused" if behaviour is Behaviour.REFUSING else "silent"
    refused = refusal(lambda: freeze(agent, guest))
    assert (refused.status, refused.code, refused.is_retryable) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        f"agent.guest_agent_{code}",
        False,
    )
    wait_until(lambda: agent.fake.call_counts["thaw"] > 0, what="an attempt")
    wait_until(lambda: refusal(lambda: freeze(agent, guest)).code == "agent.guest_frozen", what="the retry's turn")
    inside(agent, guest).behaviour = Behaviour.READY
    wait_until(lambda: not is_recorded(agent, guest), what="the thaw")
    assert not inside(agent, guest).is_frozen
    assert freeze(agent, guest) == 2


def test_text_of_the_guest_is_cut_and_escaped(agent: AgentUnderTest, guest: str) -> None:
    inside(agent, guest).behaviour = Behaviour.REFUSING
    inside(agent, guest).answer = "\x1b[31m\n\u202eé" + "x" * 10**6
    refused = refusal(lambda: freeze(agent, guest))
    message = refused.message
    assert refused.code == "agent.guest_agent_refused"
    assert message.isascii() and message.isprintable() and len(message) < 400


def test_guest_without_an_agent_is_not_recorded(agent: AgentUnderTest, guest: str) -> None:
    inside(agent, guest).behaviour = Behaviour.MISSING
    assert refusal(lambda: freeze(agent, guest)).code == "agent.guest_agent_missing"
    assert not is_recorded(agent, guest)
    (state,) = agent.stub.Describe(pb.DescribeRequest(ids=[guest])).instances
    assert state.guest_agent == pb.GUEST_AGENT_STATE_DISCONNECTED


def test_lying_agent_harms_its_own_snapshots_alone(agent: AgentUnderTest, guest: str) -> None:
    inside(agent, guest).behaviour = Behaviour.LYING
    assert freeze(agent, guest) == 0
    assert thaw(agent, guest) == (0, True)
    assert not is_recorded(agent, guest)


def test_guest_that_stops_is_frozen_no_more(agent: AgentUnderTest, guest: str) -> None:
    freeze(agent, guest)
    inside(agent, guest).behaviour = Behaviour.SILENT
    agent.fake.guest_powers_off(UUID(guest))
    wait_until(lambda: not is_recorded(agent, guest), what="the end")
    assert refusal(lambda: freeze(agent, guest)).code == "agent.guest_not_running"
    assert not is_recorded(agent, guest)
    (state,) = agent.stub.Describe(pb.DescribeRequest(ids=[guest])).instances
    assert state.guest_agent == pb.GUEST_AGENT_STATE_UNSPECIFIED


def test_removed_guest_leaves_no_freeze(agent: AgentUnderTest) -> None:
    spec = build(agent)
    freeze(agent, spec.subject.id)
    agent.fake._listeners.clear()  # by which the end of the guest would be noticed too
    agent.stub.RemoveInstance(specs.removal(spec.subject))
    assert not is_recorded(agent, spec.subject.id)
    for call in (lambda: freeze(agent, spec.subject.id), lambda: thaw(agent, str(uuid4()))):
        assert refusal(call).code == "agent.not_found"


def test_hanging_freeze_delays_neither_its_guest_nor_others(agent: AgentUnderTest, tmp_path: Path) -> None:
    spec, other = build(agent), build_another(agent)
    hanging = tmp_path / "hangs"
    hanging.write_text("freeze")
    agent.fake.hang._file = hanging
    call = agent.stub.bare.FreezeInstance.future(pb.FreezeInstanceRequest(instance_id=spec.subject.id))
    wait_until(lambda: is_recorded(agent, spec.subject.id), what="the call")
    off = agent.stub.EnsureInstance(specs.next_generation(spec, power=pb.POWER_OFF))
    assert off.power == pb.POWER_OFF
    assert agent.stub.EnsureInstance(specs.next_generation(other, power=pb.POWER_OFF)).power == pb.POWER_OFF
    assert not call.done()
    hanging.unlink()
    assert refusal(lambda: call.result(timeout=PATIENCE_S)).code == "agent.guest_not_running"


def build_another(agent: AgentUnderTest, number: int = 12) -> pb.EnsureInstanceRequest:
    root, port = specs.volume(), specs.port(number)
    agent.stub.EnsureVolume(root)
    agent.stub.EnsurePort(port)
    spec = specs.instance(root, port)
    agent.stub.EnsureInstance(spec)
    return spec


def test_frozen_guests_of_a_node_are_counted(agent: AgentUnderTest) -> None:
    guests = [build_another(agent, 20 + number).subject.id for number in range(FREEZES_AT_ONCE + 1)]
    for guest_id in guests[:-1]:
        freeze(agent, guest_id)
    refused = refusal(lambda: freeze(agent, guests[-1]))
    assert (refused.code, refused.is_retryable) == ("agent.exhausted", True)
    assert thaw(agent, guests[0]) == (2, True)
    assert freeze(agent, guests[-1]) == 2
    for guest_id in guests:
        thaw(agent, guest_id)
    for guest_id in guests[:FREEZES_AT_ONCE]:
        assert freeze(agent, guest_id) == 2


def test_clock_that_was_set_back_ends_a_freeze(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(freezes.time, "time_ns", lambda: now)
    assert not freezes.is_over(Freeze(freezes.now_ms() + 10_000))
    assert freezes.is_over(Freeze(freezes.now_ms()))
    assert freezes.is_over(Freeze(freezes.now_ms() + 10_001))


@pytest.mark.parametrize("process", ["web", "watcher", "stream"])
def test_only_workers_freeze(agent: AgentUnderTest, guest: str, process: str) -> None:
    stub = agent.connect(issue_controlplane(agent.ca, agent.ca.folder / process, process=process))
    for call in (
        lambda: stub.FreezeInstance(pb.FreezeInstanceRequest(instance_id=guest)),
        lambda: stub.ThawInstance(pb.ThawInstanceRequest(instance_id=guest)),
    ):
        assert refusal(call).code == "agent.unknown_peer"


@pytest.fixture
def pair(tmp_path: Path, ca: TestCA, worker: Issued, agent: AgentUnderTest) -> Iterator[Pair]:
    for other in second_agent(tmp_path / "other", ca, worker, agent):
        yield make_pair(agent, other)


def test_frozen_guest_leaves_once_it_is_thawed_or_the_limit_has_passed(pair: Pair) -> None:
    source, guest_id = pair.source, str(pair.guest_id)
    freeze(source, guest_id)
    refused = refusal(pair.begin)
    assert (refused.code, refused.is_retryable) == ("agent.guest_frozen", True)
    inside(source, guest_id).behaviour = Behaviour.SILENT
    source.server.node.state_store.record_freeze(pair.guest_id, Freeze(freezes.now_ms() - 1, 2))
    assert pair.end_of(pair.begin()).phase == pb.MOVE_PHASE_COMPLETED
    wait_until(lambda: not is_recorded(source, guest_id), what="the end of the freeze")


def test_guest_in_migration_is_not_frozen(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    pair.begin()
    assert refusal(lambda: freeze(pair.source, str(pair.guest_id))).code == "agent.guest_moving"
    assert not is_recorded(pair.source, str(pair.guest_id))


# ---- paused


def test_guest_is_paused_without_its_agent_and_resumed(agent: AgentUnderTest, guest: str) -> None:
    inside(agent, guest).behaviour = Behaviour.MISSING
    assert pause(agent, guest) == 0
    assert pause(agent, guest) == 0
    assert power_of(agent, guest) == pb.POWER_PAUSED
    assert (agent.fake.call_counts["pause"], agent.fake.call_counts["freeze"]) == (1, 0)
    assert thaw(agent, guest) == (0, True)
    assert power_of(agent, guest) == pb.POWER_RUNNING
    assert thaw(agent, guest) == (0, False)


def test_node_resumes_a_paused_guest_when_the_limit_has_passed(agent: AgentUnderTest, guest: str) -> None:
    pause(agent, guest, limit_ms=2000)
    wait_until(lambda: not is_recorded(agent, guest), what="the end of the pause")
    assert power_of(agent, guest) == pb.POWER_RUNNING
    assert thaw(agent, guest) == (0, False)


def test_stopping_agent_resumes(agent: AgentUnderTest, guest: str) -> None:
    pause(agent, guest)
    agent.server.stop(grace_s=0)
    assert agent.fake.guests[UUID(guest)].power is Power.RUNNING
    agent.restart()


def test_agent_that_was_killed_resumes_at_its_start(agent: AgentUnderTest, guest: str) -> None:
    agent.stop()
    agent.fake.guests[UUID(guest)].power = Power.PAUSED
    store = StateStore(agent.state_dir / "ledger.sqlite")
    store.record_freeze(UUID(guest), Freeze(freezes.now_ms() + 9000, 0, FreezeLevel.EXECUTION))
    store.close()
    agent.fake.fail_next("resume_domain", HypervisorUnavailable("libvirtd does not answer."))
    agent.start()
    wait_until(lambda: not is_recorded(agent, guest), what="the end of the pause")
    assert power_of(agent, guest) == pb.POWER_RUNNING


def test_guest_that_something_else_resumed_was_not_paused_throughout(agent: AgentUnderTest, guest: str) -> None:
    pause(agent, guest)
    agent.fake.guests[UUID(guest)].power = Power.RUNNING
    assert thaw(agent, guest) == (0, False)
    assert not is_recorded(agent, guest)


def test_levels_exclude_one_another(agent: AgentUnderTest, guest: str) -> None:
    pause(agent, guest)
    assert refusal(lambda: freeze(agent, guest)).code == "agent.guest_frozen"
    thaw(agent, guest)
    freeze(agent, guest)
    assert refusal(lambda: pause(agent, guest)).code == "agent.guest_frozen"
    assert thaw(agent, guest) == (2, True)


@pytest.mark.parametrize("power", [Power.OFF, Power.PAUSED])
def test_guest_that_does_not_run_is_not_paused(agent: AgentUnderTest, guest: str, power: Power) -> None:
    agent.fake.guests[UUID(guest)].power = power
    assert refusal(lambda: pause(agent, guest)).code == "agent.guest_not_running"
    assert not is_recorded(agent, guest)
    assert agent.fake.guests[UUID(guest)].power is power


def test_unknown_level_is_refused(agent: AgentUnderTest, guest: str) -> None:
    assert refusal(lambda: freeze(agent, guest, level=cast(Any, 9))).code == "agent.bad_request"


def test_paused_guest_does_not_leave(pair: Pair) -> None:
    pause(pair.source, str(pair.guest_id))
    assert refusal(pair.begin).code == "agent.guest_frozen"
    thaw(pair.source, str(pair.guest_id))
    assert pair.end_of(pair.begin()).phase == pb.MOVE_PHASE_COMPLETED

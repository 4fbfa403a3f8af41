"""A guest that is off moves between two agents over fake nodes: it is brought up to be sent, and has run nowhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError
from agents.node.services.usage import UsageSampler
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest
from tests.agents.pairs import Pair, conflict, make_pair, receipt_events, second_agent
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA


@pytest.fixture
def other(tmp_path: Path, ca: TestCA, worker: Issued, agent: AgentUnderTest) -> Iterator[AgentUnderTest]:
    yield from second_agent(tmp_path / "other", ca, worker, agent)


@pytest.fixture
def still(agent: AgentUnderTest, other: AgentUnderTest) -> Pair:
    return make_pair(agent, other, pb.POWER_OFF)


def off(pair: Pair, uri: str, *, generation: int = 1, deadline_s: int = PATIENCE_S) -> pb.EnsureDepartureRequest:
    request = pair.departure(uri, generation, deadline_s=deadline_s)
    request.is_off = True
    return request


def begun_off(pair: Pair, **options: int) -> pb.EnsureDepartureRequest:
    request = off(pair, pair.make_ready().uri, **options)
    pair.source.stub.EnsureDeparture(request)
    return request


def is_off_where_it_was(pair: Pair) -> bool:
    assert pair.destination.stub.RemoveArrival(specs.removal(pair.arrival().instance.subject)).was_present
    (state,) = pair.source.stub.Describe(pb.DescribeRequest()).instances
    return (
        (pair.power(pair.source), state.power, state.reason) == (Power.OFF, pb.POWER_OFF, "")
        and pair.source.fake.guests[pair.guest_id].starts == 0
        and pair.guest_id not in pair.destination.fake.guests
    )


def test_stopped_guest_moves_without_running(still: Pair) -> None:
    ended = still.end_of(begun_off(still))
    assert (ended.phase, ended.reason) == (pb.MOVE_PHASE_COMPLETED, "")
    wait_until(lambda: still.power(still.destination) is Power.OFF, what="it to be put down")
    assert still.power(still.source) is None
    (come,) = still.destination.stub.Describe(pb.DescribeRequest()).instances
    assert (come.subject, come.power) == (specs.subject(still.spec.subject.id, 2), pb.POWER_OFF)
    assert still.adopt().power == pb.POWER_OFF
    assert still.destination.fake.guests[still.guest_id].starts == 0


def test_stopped_guest_is_adopted_without_a_permit(still: Pair) -> None:
    still.end_of(begun_off(still))
    wait_until(lambda: still.power(still.destination) is Power.OFF, what="it to be put down")
    request = pb.EnsureInstanceRequest(has_left_source=True)
    request.MergeFrom(still.spec)
    request.subject.generation = 2
    assert still.destination.stub.bare.EnsureInstance(request).power == pb.POWER_OFF
    assert receipt_events(still, still.destination) == [("arrival", "opened"), ("arrival", "closed")]
    assert still.destination.fake.guests[still.guest_id].starts == 0
    still.spec.power = pb.POWER_RUNNING
    assert still.adopt(3).power == pb.POWER_RUNNING
    assert still.destination.fake.guests[still.guest_id].starts == 1


def test_stopped_guest_is_not_reported_as_running_during_migration(still: Pair) -> None:
    still.source.fake.tunnel.hang = True
    begun_off(still)
    wait_until(lambda: still.power(still.destination) is Power.PAUSED, what="it to be on its way")
    assert still.power(still.source) is Power.PAUSED
    (state,) = still.source.stub.Describe(pb.DescribeRequest()).instances
    assert (state.power, state.reason) == (pb.POWER_OFF, "")
    assert not still.destination.stub.Describe(pb.DescribeRequest()).instances
    for agent in (still.source, still.destination):
        assert agent.fake.adapters().hypervisor.usage(), "it is up"
        assert not UsageSampler(agent.server.node).read(100).guests, "and uses nothing that anybody is told of"
    still.spec.power = pb.POWER_RUNNING
    assert conflict(lambda: still.adopt()).code == "agent.guest_not_arrived"


def test_receipts_of_a_cold_migration_report_no_run(still: Pair) -> None:
    still.end_of(begun_off(still))
    still.adopt()
    assert receipt_events(still, still.destination) == [("arrival", "opened"), ("arrival", "closed")]
    assert receipt_events(still, still.source) == [("departure", "opened"), ("departure", "closed")]


def test_running_guest_is_not_sent_by_cold_migration(still: Pair) -> None:
    uri = still.make_ready().uri
    still.spec.power, still.spec.subject.generation = pb.POWER_RUNNING, 2
    still.source.stub.EnsureInstance(still.spec)
    error = conflict(lambda: still.source.stub.EnsureDeparture(off(still, uri, generation=2)))
    assert (error.code, "must be off" in error.message) == ("agent.not_movable", True)
    assert still.power(still.source) is Power.RUNNING


@pytest.mark.parametrize("where", ["bring_up", "take_in", "send"])
def test_failed_cold_migration_keeps_the_guest_at_its_source(still: Pair, where: str) -> None:
    fake = (still.destination if where == "take_in" else still.source).fake
    fake.fail_next(where, AdapterError("The road is closed.", retryable=True))
    ended = still.end_of(begun_off(still))
    assert (ended.phase, ended.reason) == (pb.MOVE_PHASE_FAILED, "The road is closed.")
    assert is_off_where_it_was(still)


def test_cold_migration_can_be_cancelled(still: Pair) -> None:
    still.source.fake.tunnel.hang = True
    request = begun_off(still)
    assert still.source.stub.RemoveDeparture(specs.removal(request.subject)).was_present
    assert is_off_where_it_was(still)


def test_restarted_agent_stops_the_guest_that_it_started_to_send(still: Pair) -> None:
    still.source.fake.tunnel.hang = True
    request = begun_off(still)
    wait_until(lambda: still.power(still.source) is Power.PAUSED, what="it to be up")
    still.source.stop()
    still.source.fake.tunnel.cancel(still.guest_id)
    still.source.start()
    assert still.end_of(request).phase == pb.MOVE_PHASE_FAILED
    assert is_off_where_it_was(still)


def test_guest_of_a_failed_cold_migration_is_discarded(still: Pair) -> None:
    """libvirt keeps the definition of one that failed at the very end."""
    still.source.fake.tunnel.hang = True
    request = begun_off(still)
    wait_until(lambda: still.power(still.destination) is Power.PAUSED, what="it to be on its way")
    come = still.destination.fake.guests[still.guest_id]
    come.is_between = False
    come.stop(Power.CRASHED, "The guest's process could not be started.")
    assert conflict(still.adopt).code == "agent.guest_not_arrived"
    assert still.source.stub.RemoveDeparture(specs.removal(request.subject)).was_present
    assert is_off_where_it_was(still)


def test_stopped_guest_lost_on_arrival_is_redefined_after_departure(still: Pair) -> None:
    assert still.end_of(begun_off(still)).phase == pb.MOVE_PHASE_COMPLETED
    still.destination.fake.guests.clear()
    still.destination.restart()
    assert conflict(still.adopt).code == "agent.guest_not_arrived"
    assert still.adopt(has_left=True).power == pb.POWER_OFF
    assert still.destination.fake.guests[still.guest_id].starts == 0
    assert receipt_events(still, still.destination) == [("arrival", "opened"), ("arrival", "closed")]
    still.spec.power = pb.POWER_RUNNING
    assert still.adopt(3).power == pb.POWER_RUNNING


def test_arrived_stopped_guest_is_not_rejected(still: Pair) -> None:
    still.end_of(begun_off(still))
    wait_until(lambda: still.power(still.destination) is Power.OFF, what="it to be put down")
    subject = still.arrival().instance.subject
    error = conflict(lambda: still.destination.stub.RemoveArrival(specs.removal(subject)))
    assert error.code == "agent.guest_arrived"

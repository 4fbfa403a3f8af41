"""Guests on the move between two agents over mutual TLS, each over a fake node; what they promise on real ones too."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from uuid import UUID

import grpc
import pytest

from agents.lab.shell import wait_until
from agents.node.adapters.interfaces import Power
from agents.node.adapters.migrations import Convergence
from agents.node.errors import AdapterError, AgentStopping, HypervisorUnavailable
from agents.node.services import outgoing
from agents.node.trust.clock import utc_now
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, refusal
from tests.agents.pairs import Pair, conflict, make_pair, receipt_events, second_agent
from tests.agents.permit_checks import permit_code
from tests.agents.viewers import AgentViewer
from tests.pki import Issued, TestCA, issue_controlplane


@pytest.fixture
def other(tmp_path: Path, ca: TestCA, worker: Issued, agent: AgentUnderTest) -> Iterator[AgentUnderTest]:
    yield from second_agent(tmp_path / "other", ca, worker, agent)


@pytest.fixture
def pair(agent: AgentUnderTest, other: AgentUnderTest) -> Pair:
    return make_pair(agent, other)


# ---- the whole way


def test_migrated_guest_is_adopted_and_leaves_no_resources(pair: Pair) -> None:
    request = pair.begin()
    ended = pair.end_of(request)
    assert (ended.phase, ended.reason) == (pb.MOVE_PHASE_COMPLETED, "")
    assert ended.moved_bytes == ended.total_bytes > 0
    assert (pair.power(pair.source), pair.power(pair.destination)) == (None, Power.RUNNING)
    assert not pair.source.stub.Describe(pb.DescribeRequest()).instances, "it is another node's now"
    assert not pair.destination.stub.Describe(pb.DescribeRequest()).unknown_domains

    assert pair.adopt().power == pb.POWER_RUNNING
    assert pair.destination.fake.guests[pair.guest_id].starts == 0, "it was not started again"
    held = pair.destination.stub.Describe(pb.DescribeRequest())
    assert [each.volume_id for each in held.attachments] == [pair.data.subject.id]

    source = pair.source.stub
    assert source.RemoveInstance(specs.removal(pair.spec.subject)).was_present
    assert source.RemoveAttachment(specs.removal(pair.attachment.subject)).was_present
    for volume_id in (pair.spec.root_volume_id, pair.data.subject.id):
        assert source.RemoveVolume(pb.RemoveRequest(subject=specs.subject(volume_id))).was_present
    assert source.RemovePort(specs.removal(pair.port.subject)).was_present
    assert pair.source.fake.is_clean()
    assert source.EnsureDeparture(request).phase == pb.MOVE_PHASE_COMPLETED, "it is remembered"


def test_guest_that_differs_from_its_definition_is_not_adopted(pair: Pair) -> None:
    pair.end_of(pair.begin())
    guest = pair.destination.fake.guests[pair.guest_id]
    own = guest.running
    assert own is not None
    guest.running = replace(own, nics=(replace(own.nics[0], bridge="br00000000000"),))
    assert conflict(pair.adopt).code == "agent.guest_foreign"
    guest.running = own
    assert pair.adopt().power == pb.POWER_RUNNING
    guest.running = replace(own, vcpus=own.vcpus + 1)
    assert pair.adopt().power == pb.POWER_RUNNING, "one of this node's own takes up a new definition at its next start"


def test_guest_moves_back_to_its_first_node(pair: Pair) -> None:
    pair.end_of(pair.begin())
    pair.adopt()
    for remove, subject in (
        (pair.source.stub.RemoveInstance, pair.spec.subject),
        (pair.source.stub.RemoveAttachment, pair.attachment.subject),
        (pair.source.stub.RemoveVolume, specs.subject(pair.spec.root_volume_id)),
        (pair.source.stub.RemoveVolume, pair.data.subject),
        (pair.source.stub.RemovePort, pair.port.subject),
    ):
        remove(specs.removal(subject))
    back = Pair(pair.destination, pair.source, pair.spec, pair.data, pair.port, pair.attachment)
    request = back.departure(back.make_ready(3).uri, 2)
    assert back.end_of(request).phase == pb.MOVE_PHASE_COMPLETED
    assert back.adopt(3).power == pb.POWER_RUNNING
    assert (pair.power(pair.source), pair.power(pair.destination)) == (Power.RUNNING, None)


def test_repeated_migration_calls_migrate_once(pair: Pair) -> None:
    first = pair.make_ready()
    assert pair.destination.stub.EnsureArrival(pair.arrival()) == first
    request = pair.departure(first.uri)
    for _ in range(3):
        pair.source.stub.EnsureDeparture(request)
    assert pair.end_of(request) == pair.source.stub.EnsureDeparture(request)
    assert pair.source.fake.call_counts["send"] == 1


def test_migration_progress_needs_no_permit(pair: Pair) -> None:
    request = pair.begin()
    pair.end_of(request)
    assert pair.source.stub.bare.EnsureDeparture(request).phase == pb.MOVE_PHASE_COMPLETED


def test_migration_progress_is_reported(pair: Pair) -> None:
    pair.source.fake.tunnel.move_s = 0.5
    request = pair.begin()
    wait_until(lambda: pair.source.stub.EnsureDeparture(request).moved_bytes > 0, what="some bytes")
    state = pair.source.stub.EnsureDeparture(request)
    assert (state.phase, state.moved_bytes < state.total_bytes) == (pb.MOVE_PHASE_RUNNING, True)
    assert pair.end_of(request).phase == pb.MOVE_PHASE_COMPLETED


@pytest.mark.parametrize(
    ("asked", "done"),
    [
        (pb.CONVERGENCE_UNSPECIFIED, Convergence.AUTO_CONVERGE),
        (pb.CONVERGENCE_AUTO_CONVERGE, Convergence.AUTO_CONVERGE),
        (pb.CONVERGENCE_NONE, Convergence.NONE),
    ],
)
def test_convergence_is_applied_on_request(pair: Pair, asked: "pb.Convergence", done: Convergence) -> None:
    pair.source.fake.tunnel.hang = True
    request = pair.departure(pair.make_ready().uri)
    request.convergence = asked
    pair.source.stub.EnsureDeparture(request)
    wait_until(lambda: pair.guest_id in pair.source.fake.tunnel.journeys, what="the move to begin")
    assert pair.source.fake.tunnel.journeys[pair.guest_id].manner.convergence is done


# ---- permits


@pytest.mark.parametrize("call", ["EnsureArrival", "EnsureDeparture"])
def test_migration_needs_a_permit_that_names_the_other_node(pair: Pair, call: str) -> None:
    uri = pair.make_ready().uri
    agent = pair.destination if call == "EnsureArrival" else pair.source
    request = pair.arrival(3) if call == "EnsureArrival" else pair.departure(uri)
    shown = request.instance if call == "EnsureArrival" else request
    asked = getattr(agent.stub.bare, call)
    assert permit_code(refusal(lambda: asked(request))) == "missing"
    others = request.source if call == "EnsureArrival" else request.destination
    for field, wrong in (("node_id", specs.new_id()), ("certificate_sha256", "cc" * 32)):
        shown.permit.CopyFrom(agent.stub.permit_for(request))
        right = getattr(others, field)
        setattr(others, field, wrong)
        assert permit_code(refusal(lambda: asked(request))) == "wrong_peer"
        setattr(others, field, right)
    shown.permit.CopyFrom(agent.stub.permit_for(request, peer=None))
    assert permit_code(refusal(lambda: asked(request))) == "wrong_peer"
    shown.permit.CopyFrom(agent.stub.permit_for(request, op="instance.start"))
    assert permit_code(refusal(lambda: asked(request))) == "wrong_operation"


def test_receipts_record_arrivals_and_departures(pair: Pair) -> None:
    pair.end_of(pair.begin())
    pair.adopt()
    assert receipt_events(pair, pair.destination) == [
        ("arrival", "opened"),
        ("arrival", "closed"),
        ("instance", "opened"),
    ]
    assert sorted(receipt_events(pair, pair.source)) == [
        ("departure", "closed"),
        ("departure", "opened"),
        ("instance", "closed"),
        ("instance", "opened"),
    ]


# ---- whatever fails, the guest runs at its source


def test_destination_that_expects_no_guest_refuses_it(pair: Pair) -> None:
    uri = pair.make_ready().uri
    pair.destination.fake.tunnel.expected.clear()
    ended = pair.end_of(pair.departure(uri))
    assert ended.phase == pb.MOVE_PHASE_FAILED
    assert "is not expected here" in ended.reason
    assert pair.is_where_it_was()


@pytest.mark.parametrize("where", ["take_in", "send"])
def test_failed_migration_keeps_the_guest_at_its_source(pair: Pair, where: str) -> None:
    fake = (pair.destination if where == "take_in" else pair.source).fake
    fake.fail_next(where, AdapterError("The road is closed.", retryable=True))
    ended = pair.end_of(pair.begin())
    assert (ended.phase, ended.reason) == (pb.MOVE_PHASE_FAILED, "The road is closed.")
    assert pair.is_where_it_was()


def test_migration_that_fails_at_the_end_keeps_the_guest_at_its_source(pair: Pair) -> None:
    def fail(guest_id: UUID) -> None:
        raise AdapterError("It broke at the last moment.", retryable=True)

    pair.source.fake.tunnel.before_the_end = fail
    assert pair.end_of(pair.begin()).phase == pb.MOVE_PHASE_FAILED
    wait_until(lambda: pair.power(pair.destination) is None, what="the half guest to go")
    assert pair.is_where_it_was()


@pytest.mark.parametrize("dies", ["hypervisor", "agent"])
def test_handed_over_guest_has_left_in_any_state_of_the_hypervisor(pair: Pair, dies: str) -> None:
    """The hypervisor is killed after the guest's process has ended, and before it has forgotten the guest."""
    fake = pair.source.fake
    guest = fake.guests[pair.guest_id]

    def remember(guest_id: UUID) -> None:
        fake.guests[guest_id] = guest
        raise AgentStopping() if dies == "agent" else HypervisorUnavailable("It was killed.")

    fake.tunnel.after_the_end = remember
    request = pair.begin()
    if dies == "agent":
        wait_until(lambda: pair.guest_id not in fake.tunnel.journeys, what="the end of the move")
        pair.source.restart()
    assert pair.end_of(request).phase == pb.MOVE_PHASE_COMPLETED
    assert pair.power(pair.destination) is Power.RUNNING
    assert conflict(lambda: pair.source.stub.EnsureInstance(pair.spec)).code == "agent.guest_moved"
    assert pair.source.stub.RemoveInstance(specs.removal(pair.spec.subject)).was_present


def test_cancelled_migration_keeps_the_guest_at_its_source(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    request = pair.begin()
    assert pair.source.stub.RemoveDeparture(specs.removal(request.subject)).was_present
    assert not pair.source.stub.RemoveDeparture(specs.removal(request.subject)).was_present
    assert pair.is_where_it_was()
    assert "stale" in refusal(lambda: pair.source.stub.EnsureDeparture(request)).code, "a late call begins nothing"


def test_migration_past_its_deadline_is_cancelled(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    ended = pair.end_of(pair.begin(deadline_s=1))
    assert (ended.phase, ended.reason) == (pb.MOVE_PHASE_CANCELLED, "The deadline of the move has passed.")
    assert pair.is_where_it_was()


def test_ended_migration_cannot_be_cancelled(pair: Pair) -> None:
    request = pair.begin()
    pair.end_of(request)
    assert conflict(lambda: pair.source.stub.RemoveDeparture(specs.removal(request.subject))).code == (
        "agent.guest_moved"
    )
    subject = pair.arrival().instance.subject
    assert conflict(lambda: pair.destination.stub.RemoveArrival(specs.removal(subject))).code == "agent.guest_arrived"
    pair.adopt()
    assert conflict(lambda: pair.destination.stub.RemoveArrival(specs.removal(subject))).code == "agent.guest_arrived"
    assert pair.power(pair.destination) is Power.RUNNING


def test_retried_migration_needs_a_new_generation(pair: Pair) -> None:
    pair.source.fake.fail_next("send", AdapterError("Not now.", retryable=True))
    assert pair.end_of(pair.begin()).phase == pb.MOVE_PHASE_FAILED
    assert pair.is_where_it_was()
    stub = pair.destination.stub
    for volume_id in (pair.spec.root_volume_id, pair.data.subject.id):
        stub.RemoveVolume(pb.RemoveRequest(subject=specs.subject(volume_id, 2)))
    stub.RemovePort(pb.RemoveRequest(subject=specs.subject(pair.port.subject.id, 2)))
    assert pair.destination.fake.is_clean()
    request = pair.departure(pair.make_ready(3).uri, 2)
    assert pair.end_of(request).phase == pb.MOVE_PHASE_COMPLETED
    assert pair.adopt(3).power == pb.POWER_RUNNING


# ---- never twice


def test_guest_that_cannot_be_adopted_is_not_expected(pair: Pair) -> None:
    """Else it would come, and be nobody's."""
    stub = pair.destination.stub
    stub.RemoveAttachment(specs.removal(pair.attachment.subject, generation=2))
    assert "stale_generation" in refusal(pair.make_ready).code
    stub.RemoveInstance(specs.removal(pair.spec.subject, generation=3))
    assert "stale_generation" in refusal(lambda: pair.make_ready(3)).code
    assert pair.make_ready(4).uri


def test_resources_can_be_removed_after_many_migrations(pair: Pair) -> None:
    here, there, generation = pair.source, pair.destination, 1
    for _ in range(20):
        trip = Pair(here, there, pair.spec, pair.data, pair.port, pair.attachment)
        request = trip.departure(trip.make_ready(generation + 1).uri, generation)
        assert trip.end_of(request).phase == pb.MOVE_PHASE_COMPLETED
        trip.adopt(generation + 1)
        for remove, resource_id in (
            (here.stub.RemoveInstance, pair.spec.subject.id),
            (here.stub.RemoveAttachment, pair.attachment.subject.id),
            (here.stub.RemoveVolume, pair.spec.root_volume_id),
            (here.stub.RemoveVolume, pair.data.subject.id),
            (here.stub.RemovePort, pair.port.subject.id),
        ):
            assert remove(pb.RemoveRequest(subject=specs.subject(resource_id, generation))).was_present
        assert here.fake.is_clean()
        here, there, generation = there, here, generation + 1


def test_guest_cannot_be_changed_during_migration(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    request = pair.begin()
    stub = pair.source.stub
    for call in (
        lambda: stub.EnsureInstance(specs.next_generation(pair.spec)),
        lambda: stub.EnsureVolume(specs.volume(pair.spec.root_volume_id, generation=2, size_mib=128)),
        lambda: stub.RemoveAttachment(specs.removal(pair.attachment.subject)),
    ):
        error = conflict(call)
        assert (error.code, error.is_retryable) == ("agent.guest_moving", True)
    stub.RemoveDeparture(specs.removal(request.subject))
    assert stub.EnsureInstance(specs.next_generation(pair.spec)).power == pb.POWER_RUNNING


def test_departed_guest_is_not_started_at_its_source(pair: Pair) -> None:
    pair.end_of(pair.begin())
    assert conflict(lambda: pair.source.stub.EnsureInstance(pair.spec)).code == "agent.guest_moved"
    pair.source.stub.RemoveInstance(specs.removal(pair.spec.subject))
    assert pair.power(pair.source) is None


def test_guest_that_has_not_arrived_is_not_started(pair: Pair) -> None:
    pair.make_ready()
    assert conflict(pair.adopt).code == "agent.guest_not_arrived"
    assert pair.power(pair.destination) is None


def test_resources_of_an_expected_guest_cannot_be_removed(pair: Pair) -> None:
    pair.make_ready()
    stub = pair.destination.stub
    root = pb.RemoveRequest(subject=specs.subject(pair.spec.root_volume_id, 2))
    port = pb.RemoveRequest(subject=specs.subject(pair.port.subject.id, 2))
    assert conflict(lambda: stub.RemoveVolume(root)).code == "agent.volume_in_use"
    assert conflict(lambda: stub.RemovePort(port)).code == "agent.port_in_use"
    stub.RemoveArrival(specs.removal(pair.arrival().instance.subject))
    assert stub.RemoveVolume(root).was_present
    assert stub.RemovePort(port).was_present


def test_guest_with_a_read_only_volume_is_not_migrated(pair: Pair) -> None:
    pair.source.stub.RemoveAttachment(specs.removal(pair.attachment.subject))
    read_only = specs.attachment(pair.spec, pair.data, is_read_only=True)
    pair.source.stub.EnsureAttachment(read_only)
    assert conflict(lambda: pair.source.stub.EnsureDeparture(pair.departure("fake://nowhere:1"))).code == (
        "agent.not_movable"
    )


def test_stopped_guest_is_not_migrated_live(pair: Pair) -> None:
    pair.source.stub.EnsureInstance(specs.next_generation(pair.spec, power=pb.POWER_OFF))
    request = pair.departure("fake://nowhere:1", 2)
    assert conflict(lambda: pair.source.stub.EnsureDeparture(request)).code == "agent.guest_not_running"


# ---- moves that take longer than their permit holds


def permitted_for(pair: Pair, request: pb.EnsureDepartureRequest, **ends: timedelta) -> pb.EnsureDepartureRequest:
    copy = pb.EnsureDepartureRequest()
    copy.CopyFrom(request)
    copy.permit.CopyFrom(pair.source.stub.permit_for(request, exp=utc_now() + timedelta(**ends)))
    return copy


def test_expired_permit_aborts_the_migration(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    request = pair.departure(pair.make_ready().uri)
    ask = pair.source.stub.bare.EnsureDeparture
    assert ask(permitted_for(pair, request, minutes=5)).phase == pb.MOVE_PHASE_RUNNING
    later = utc_now() + timedelta(minutes=6)
    pair.source.now = lambda: later
    wait_until(lambda: ask(request).phase != pb.MOVE_PHASE_RUNNING, what="the move to end")
    ended = ask(request)
    assert (ended.phase, "was not renewed" in ended.reason) == (pb.MOVE_PHASE_CANCELLED, True)
    assert pair.is_where_it_was()


def test_renewed_permit_lets_the_migration_continue(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    request = pair.departure(pair.make_ready().uri)
    ask = pair.source.stub.bare.EnsureDeparture
    ask(permitted_for(pair, request, minutes=1))
    for document in (permitted_for(pair, request, minutes=4),) * 2:
        assert ask(document).phase == pb.MOVE_PHASE_RUNNING
    later = utc_now() + timedelta(minutes=2)
    pair.source.now = lambda: later
    pair.source.restart()
    ask = pair.source.stub.bare.EnsureDeparture
    time.sleep(2 * outgoing.POLL_INTERVAL_S)
    assert ask(request).phase == pb.MOVE_PHASE_RUNNING
    pair.source.fake.tunnel.hang = False
    wait_until(lambda: ask(request).phase == pb.MOVE_PHASE_COMPLETED, what="the move to end")


def test_permit_for_another_destination_renews_no_migration(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    request = pair.departure(pair.make_ready().uri)
    ask = pair.source.stub.bare.EnsureDeparture
    ask(permitted_for(pair, request, minutes=1))
    other = permitted_for(pair, request, minutes=4)
    other.permit.CopyFrom(pair.source.stub.permit_for(request, peer=None))
    assert permit_code(refusal(lambda: ask(other))) == "wrong_peer"
    assert ask(request).phase == pb.MOVE_PHASE_RUNNING
    assert pair.source.stub.RemoveDeparture(specs.removal(request.subject)).was_present


# ---- agents that are restarted


def test_migration_continues_during_a_restart_of_the_source_agent(pair: Pair) -> None:
    pair.source.fake.tunnel.move_s = 1.0
    request = pair.begin()
    pair.source.restart()
    assert pair.source.stub.EnsureDeparture(request).phase == pb.MOVE_PHASE_RUNNING
    assert pair.end_of(request).phase == pb.MOVE_PHASE_COMPLETED
    assert pair.power(pair.destination) is Power.RUNNING


def test_move_that_ended_without_the_agent_is_resolved_by_the_guests(pair: Pair) -> None:
    fake = pair.source.fake
    for error, phase in (
        (AdapterError("Lost.", retryable=True), pb.MOVE_PHASE_FAILED),
        (None, pb.MOVE_PHASE_COMPLETED),
    ):
        generation = 2 if phase == pb.MOVE_PHASE_FAILED else 3
        go = Event()

        def hold(guest_id: UUID, go: Event = go, error: Exception | None = error) -> None:
            go.wait(60)
            if error is not None:
                raise error

        fake.tunnel.before_the_end = hold
        request = pair.departure(pair.make_ready(generation).uri, generation - 1)
        pair.source.stub.EnsureDeparture(request)
        pair.source.stop()
        go.set()
        wait_until(lambda: not fake.tunnel.journeys, what="the journey to end")
        pair.source.start()
        assert pair.end_of(request).phase == phase
        if phase == pb.MOVE_PHASE_FAILED:
            pair.destination.stub.RemoveArrival(specs.removal(pair.arrival(generation).instance.subject))


def lose_it_on_arrival(pair: Pair) -> None:
    """The destination loses power when the guest has just come, and nobody could make it its own."""
    assert pair.end_of(pair.begin()).phase == pb.MOVE_PHASE_COMPLETED
    pair.lose_power_of_destination()


def test_guest_lost_on_arrival_starts_from_its_disks_after_departure(pair: Pair) -> None:
    lose_it_on_arrival(pair)
    assert conflict(pair.adopt).code == "agent.guest_not_arrived", "who does not know more is not believed"
    assert pair.adopt(has_left=True).power == pb.POWER_RUNNING
    assert receipt_events(pair, pair.destination) == [
        ("arrival", "opened"),
        ("arrival", "closed"),
        ("instance", "opened"),
    ]
    for has_left in (True, False):
        assert pair.adopt(has_left=has_left).power == pb.POWER_RUNNING, "it may be said again"
    guest = pair.destination.fake.guests[pair.guest_id]
    assert guest.starts == 1
    assert [str(disk.volume_id) for disk in guest.spec.disks] == [pair.spec.root_volume_id, pair.data.subject.id]
    assert pair.power(pair.source) is None


def test_failed_start_of_a_guest_lost_on_arrival_is_retried(pair: Pair) -> None:
    lose_it_on_arrival(pair)
    pair.destination.fake.fail_next("start", AdapterError("Not now.", retryable=True))
    assert refusal(lambda: pair.adopt(has_left=True)).code == "agent.adapter_failed"
    pair.destination.restart()
    assert pair.adopt(has_left=True).power == pb.POWER_RUNNING
    assert receipt_events(pair, pair.destination) == [
        ("arrival", "opened"),
        ("arrival", "closed"),
        ("instance", "opened"),
    ]


def test_arriving_guest_is_not_started_even_if_reported_as_departed(pair: Pair) -> None:
    pair.source.fake.tunnel.hang = True
    pair.begin()
    wait_until(lambda: pair.power(pair.destination) is Power.PAUSED, what="it to be on its way")
    assert conflict(lambda: pair.adopt(has_left=True)).code == "agent.guest_not_arrived"
    assert (pair.power(pair.source), pair.power(pair.destination)) == (Power.RUNNING, Power.PAUSED)


def test_removed_guest_that_was_lost_on_arrival_is_not_revived(pair: Pair) -> None:
    lose_it_on_arrival(pair)
    pair.destination.stub.RemoveInstance(specs.removal(pair.spec.subject, generation=3))
    assert "stale_generation" in refusal(lambda: pair.adopt(has_left=True)).code
    assert pair.power(pair.destination) is None


def test_next_generation_starts_a_guest_lost_on_arrival(pair: Pair) -> None:
    lose_it_on_arrival(pair)
    assert conflict(pair.adopt).code == "agent.guest_not_arrived"
    assert pair.adopt(generation=3).power == pb.POWER_RUNNING


def test_guest_lost_on_arrival_can_be_removed_with_its_resources(pair: Pair) -> None:
    lose_it_on_arrival(pair)
    stub = pair.destination.stub
    stub.RemoveInstance(pb.RemoveRequest(subject=specs.subject(pair.spec.subject.id, 3)))
    assert stub.RemovePort(pb.RemoveRequest(subject=specs.subject(pair.port.subject.id, 3))).was_present
    assert stub.RemoveVolume(pb.RemoveRequest(subject=specs.subject(pair.spec.root_volume_id, 3))).was_present


def test_arrival_is_expected_after_a_restart(pair: Pair) -> None:
    pair.make_ready()
    pair.destination.fake.tunnel.expected.clear()
    pair.destination.restart()
    assert pair.guest_id in pair.destination.fake.tunnel.expected
    pair.destination.stub.RemoveArrival(specs.removal(pair.arrival().instance.subject))
    pair.destination.restart()
    assert pair.guest_id not in pair.destination.fake.tunnel.expected


# ---- consoles


def test_consoles_end_with_the_reason_of_the_migration(pair: Pair, ca: TestCA) -> None:
    stub = pair.source.connect(issue_controlplane(ca, ca.folder, process="stream"))
    viewers = [
        AgentViewer(stub, pair.spec.subject.id, kind).opened() for kind in (pb.CONSOLE_KIND_SERIAL, pb.CONSOLE_KIND_VNC)
    ]
    pair.end_of(pair.begin())
    for viewer in viewers:
        assert viewer.end() is grpc.StatusCode.FAILED_PRECONDITION
        assert dict(viewer.call.trailing_metadata())["andromede-code"] == "agent.guest_moving"

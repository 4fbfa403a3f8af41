"""Heartbeats that are written in full, and those of which only the time is written."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from agents.protocol import agent_pb2 as pb
from controlplane.kernel import clock
from controlplane.nodes import agent_client
from controlplane.nodes.models import Node
from controlplane.nodes.services import NodeReport
from controlplane.watcher import batches as module
from controlplane.watcher import report_handlers
from controlplane.watcher.batches import BatchWriter, NodeReply
from tests.workflows.helpers import fresh, make_instance
from tests.world import Cloud, make_node

LONG_AGO = timedelta(minutes=5)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[NodeReport]:
    """Return the reports of the heartbeats that were written in full."""
    result: list[NodeReport] = []
    write = report_handlers.record_heartbeat

    def recorded(node: Node, report: NodeReport) -> None:
        result.append(report)
        write(node, report)

    monkeypatch.setattr(report_handlers, "record_heartbeat", recorded)
    return result


def beat(cloud: Cloud, **changes: object) -> pb.Heartbeat:
    row = cloud.machine.row
    fields: dict[str, object] = {
        "inventory": agent_client.describe(row).inventory,
        "trust": agent_client.ensure_trust(row, pb.EnsureTrustRequest()),
        "hook": pb.HookState(is_active=True),
        "self_test": pb.SelfTest(has_passed=True),
        **changes,
    }
    return pb.Heartbeat(**fields)  # type: ignore[arg-type]


def hear(batches: BatchWriter, cloud: Cloud, heartbeat: pb.Heartbeat) -> None:
    node_id = cloud.machine.row.pk
    outcome = batches.write([(node_id, [pb.NodeEvent(heartbeat=heartbeat)])], ())[node_id]
    if isinstance(outcome, Exception):
        raise outcome


def test_unchanged_heartbeat_updates_only_its_time(cloud: Cloud, written: list[NodeReport]) -> None:
    batches, first = BatchWriter(), beat(cloud)
    hear(batches, cloud, first)
    Node.objects.update(last_heartbeat_at=clock.now() - LONG_AGO)
    hear(batches, cloud, first)
    assert len(written) == 1
    assert Node.objects.get().last_heartbeat_at > clock.now() - LONG_AGO / 2


@pytest.mark.parametrize(
    "changes",
    [
        {"hook": pb.HookState(is_active=False, problem="It is gone.")},
        {"self_test": pb.SelfTest(problem="A disk: It is full.")},
        {"lease": pb.LeaseState(fences_within_s=60)},
    ],
)
def test_changed_heartbeat_is_written_in_full(
    cloud: Cloud, written: list[NodeReport], changes: dict[str, object]
) -> None:
    batches = BatchWriter()
    hear(batches, cloud, beat(cloud))
    hear(batches, cloud, beat(cloud, **changes))
    assert len(written) == 2


def test_lease_is_recorded_before_it_is_sent_and_is_no_change(
    cloud: Cloud, written: list[NodeReport], settings: Settings
) -> None:
    batches, lasting_ms = BatchWriter(), settings.NODE_LEASE_S * 1000

    def lease(said_at_ms: int, remaining_ms: int) -> pb.Heartbeat:
        state = pb.LeaseState(is_wanted=True, fences_within_s=60, said_at_ms=said_at_ms, remaining_ms=remaining_ms)
        return beat(cloud, lease=state)

    hear(batches, cloud, lease(1000, lasting_ms))
    hear(batches, cloud, lease(2000, lasting_ms - 1000))
    assert Node.objects.get().leased_until is None
    for said_at_ms in (3000, 4000):
        hear(batches, cloud, lease(said_at_ms, 0))
        assert Node.objects.get().leased_until > clock.now() + timedelta(milliseconds=lasting_ms / 2)
        Node.objects.update(leased_until=None)
    assert len(written) == 1


def test_out_of_range_value_of_one_node_affects_no_other(cloud: Cloud) -> None:
    batches, other = BatchWriter(), make_node("other")
    absurd = beat(cloud, lease=pb.LeaseState(is_wanted=True, fences_within_s=2**32 - 1))
    reports = [
        (cloud.machine.row.pk, [pb.NodeEvent(heartbeat=absurd)]),
        (other.pk, [pb.NodeEvent(heartbeat=beat(cloud))]),
    ]
    for _ in range(2):
        outcomes = batches.write(reports, ())
        assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]


def test_only_the_newest_heartbeat_renews_the_lease(cloud: Cloud) -> None:
    """The row of a node that was silent tells of that one alone."""
    Node.objects.update(state="unreachable")
    wants = beat(cloud, lease=pb.LeaseState(is_wanted=True, fences_within_s=60, said_at_ms=1000))
    has = beat(cloud, lease=pb.LeaseState(is_wanted=True, fences_within_s=60, said_at_ms=2000, remaining_ms=10**6))
    node_id = cloud.machine.row.pk
    outcome = BatchWriter().write([(node_id, [pb.NodeEvent(heartbeat=each) for each in (wants, has)])], ())[node_id]
    assert isinstance(outcome, NodeReply)
    assert outcome.renewal is None
    assert Node.objects.get(pk=node_id).leased_until is None


def test_recorded_lease_is_never_shortened(cloud: Cloud, settings: Settings) -> None:
    batches = BatchWriter()
    heartbeat = beat(cloud, lease=pb.LeaseState(is_wanted=True, fences_within_s=60))
    hear(batches, cloud, heartbeat)
    longer = clock.now() + timedelta(seconds=settings.NODE_LEASE_S * 9)
    Node.objects.update(leased_until=longer)
    hear(batches, cloud, heartbeat)
    assert Node.objects.get().leased_until == longer


def test_newest_of_each_distinct_waiting_heartbeat_is_written(cloud: Cloud, written: list[NodeReport]) -> None:
    failed = pb.SelfTest(problem="A disk: It is full.")
    reports = [beat(cloud), beat(cloud), beat(cloud, self_test=failed), beat(cloud), beat(cloud)]
    node_id = cloud.machine.row.pk
    BatchWriter().write([(node_id, [pb.NodeEvent(heartbeat=each) for each in reports])], ())
    assert [each.self_test_problem for each in written] == ["", failed.problem, ""]


def test_network_problem_is_a_change(cloud: Cloud, written: list[NodeReport]) -> None:
    batches, problem = BatchWriter(), pb.NetworksState(connections_problem="It is almost full.")
    for networks in (None, problem, problem, None):
        hear(batches, cloud, beat(cloud, networks=networks))
    assert [each.connections_problem for each in written] == ["", "It is almost full.", ""]


def test_every_heartbeat_of_a_fenced_node_is_written(cloud: Cloud, written: list[NodeReport]) -> None:
    batches, first = BatchWriter(), beat(cloud)
    hear(batches, cloud, first)
    Node.objects.update(admin_state="fenced", fenced_by={"kind": "attestation"})
    hear(batches, cloud, first)
    hear(batches, cloud, first)
    assert len(written) == 3


def test_longest_waiting_changes_are_written_first_in_limited_numbers(
    cloud: Cloud, written: list[NodeReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FULL_HEARTBEATS_MAX", 2)
    batches, spoken = BatchWriter(), beat(cloud)
    nodes = [cloud.machine.row.pk, *(make_node(name).pk for name in ("a", "b", "c", "d"))]
    Node.objects.update(last_heartbeat_at=clock.now() - LONG_AGO)
    for so_far in (2, 4, 5, 5):
        outcomes = batches.write([(node_id, [pb.NodeEvent(heartbeat=spoken)]) for node_id in nodes], ())
        assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]
        assert len(written) == so_far
        assert not Node.objects.filter(last_heartbeat_at__lt=clock.now() - LONG_AGO / 2).exists()


def test_guest_event_precedes_full_heartbeats(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, known = make_instance(cloud), []
    off = pb.InstanceState(subject=pb.Subject(id=str(instance.pk), generation=2), power=pb.POWER_OFF)
    reports = [(make_node("new").pk, [pb.NodeEvent(heartbeat=beat(cloud))])]
    reports.append((cloud.machine.row.pk, [pb.NodeEvent(instance=off)]))

    def look(node: Node, report: NodeReport) -> None:
        known.append(fresh(instance).power_state)

    monkeypatch.setattr(report_handlers, "record_heartbeat", look)
    BatchWriter().write(reports, ())
    assert known == ["off"]

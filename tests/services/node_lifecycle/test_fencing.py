"""Fencing: the evidence that a node has stopped, and what is no evidence."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from agents.protocol import agent_pb2 as pb
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.node_lifecycle.drain.drains import node_maintain
from controlplane.node_lifecycle.fencing import fencing
from controlplane.node_lifecycle.fencing.fencing import available_evidence, node_fence
from controlplane.nodes.errors import NodeNotFenceable, NodeWrongAdminState
from controlplane.nodes.models import FenceEvidence, Incident, Node
from controlplane.watcher import report_handlers
from tests.world import Cloud

OPERATOR = Actor(user_id=uuid4(), credential_id=None, project_id=None, role="operator", is_operator=True)
WHY = "the power of its rack is off"


@pytest.fixture
def silent(cloud: Cloud) -> Node:
    return altered(cloud.machine.row, state="unreachable")


def altered(node: Node, **fields: object) -> Node:
    Node.objects.filter(pk=node.pk).update(**fields)
    return Node.objects.get(pk=node.pk)


def at_hand(node: Node, kind: str) -> fencing.AvailableEvidence:
    return next(each for each in available_evidence(node) if each.kind == kind)


def test_reachable_node_cannot_be_fenced(cloud: Cloud) -> None:
    node = cloud.machine.row
    assert node.state == "ready"
    assert [(each.kind, each.counts, each.reason) for each in available_evidence(node)] == [
        ("power", False, "it is reachable"),
        ("lease", False, "it is reachable"),
        ("attestation", False, "it is reachable"),
    ]
    with pytest.raises(NodeNotFenceable):
        node_fence(OPERATOR, node, kind="attestation", reason=WHY)
    assert Node.objects.get(pk=node.pk).admin_state == "in-service"


def test_operator_attests_that_an_unreachable_node_is_off(silent: Node) -> None:
    with pytest.raises(NodeNotFenceable, match="only a person"):
        node_fence(SYSTEM, silent, kind="attestation", reason=WHY)
    evidence = node_fence(OPERATOR, silent, kind="attestation", reason=WHY).evidence
    assert evidence == FenceEvidence.objects.get()
    assert (evidence.user_id, evidence.reason, evidence.boot_id) == (OPERATOR.user_id, WHY, silent.boot_id)
    node = Node.objects.get(pk=silent.pk)
    assert node.admin_state == "fenced"
    assert node.fenced_by == {
        "kind": "attestation",
        "evidence": str(evidence.pk),
        "by": str(OPERATOR.user_id),
        "reason": WHY,
        "boot_id": silent.boot_id,
    }
    assert AuditEntry.objects.filter(verb="node.fence", resource_id=node.pk, user_id=OPERATOR.user_id).count() == 1
    assert EvidenceRecord.objects.filter(kind="incident", document__contains="node-fenced").count() == 1
    with pytest.raises(NodeWrongAdminState):
        node_fence(OPERATOR, node, kind="attestation", reason=WHY)


def test_expired_lease_is_evidence_only_for_a_self_fencing_node(silent: Node) -> None:
    now = timezone.now()
    assert "did not fence itself" in at_hand(silent, "lease").reason
    node = altered(silent, fences_within_s=100)
    assert at_hand(node, "lease").reason == "it never had a node lease"
    needs = timedelta(seconds=100 + (100 + settings.NODE_LEASE_S) * 0.01 + settings.NODE_LEASE_MARGIN_S)
    node = altered(silent, leased_until=now - needs + timedelta(seconds=30))
    early = at_hand(node, "lease")
    assert not early.counts
    assert early.since == node.leased_until + needs
    with pytest.raises(NodeNotFenceable):
        node_fence(SYSTEM, node, kind="lease", reason=WHY)
    node = altered(silent, leased_until=now - needs - timedelta(seconds=1))
    evidence = node_fence(SYSTEM, node, kind="lease", reason=WHY).evidence
    assert evidence is not None
    assert evidence.detail["fences_within_s"] == 100
    assert Node.objects.get(pk=node.pk).admin_state == "fenced"


def test_power_evidence_needs_a_bmc(silent: Node) -> None:
    assert at_hand(silent, "power").reason == "its BMC is not configured"
    with pytest.raises(NodeNotFenceable):
        node_fence(OPERATOR, silent, kind="power", reason=WHY)


# ---- what a node says of itself


def heartbeat_received(
    node: Node, *, boot_id: str = "boot-1", running: tuple[str, ...] = (), **lease: int
) -> pb.Heartbeat:
    """Process a heartbeat as the watcher does."""
    reported = pb.LeaseState(is_wanted=bool(lease), said_at_ms=1000, **lease)  # type: ignore[arg-type]
    inventory = pb.Inventory(boot_id=boot_id, cores=8, memory_mib=16384, disk_gib=100)
    guests = [pb.InstanceState(subject=pb.Subject(id=each, generation=1), power=pb.POWER_RUNNING) for each in running]
    heartbeat = pb.Heartbeat(inventory=inventory, instances=guests, lease=reported, hook=pb.HookState(is_active=True))
    report_handlers.write(node.pk, pb.NodeEvent(heartbeat=heartbeat))
    return heartbeat


def test_node_lease_is_recorded_before_it_is_sent(cloud: Cloud) -> None:
    node, before = cloud.machine.row, timezone.now()
    renewal = report_handlers.lease_renewal(heartbeat_received(node, fences_within_s=99))
    assert renewal is not None
    assert (renewal.boot_id, renewal.heard_at_ms, renewal.duration_s) == ("boot-1", 1000, settings.NODE_LEASE_S)
    node.refresh_from_db()
    assert node.fences_within_s == 99
    assert node.leased_until is not None
    assert node.leased_until >= before + timedelta(seconds=settings.NODE_LEASE_S)
    until = node.leased_until
    assert (
        report_handlers.lease_renewal(
            heartbeat_received(node, fences_within_s=99, remaining_ms=settings.NODE_LEASE_S * 900)
        )
        is None
    )
    node.refresh_from_db()
    assert node.leased_until == until, "it has enough of it"
    assert report_handlers.lease_renewal(heartbeat_received(node)) is None
    node.refresh_from_db()
    assert (node.fences_within_s, node.leased_until) == (None, until)


def test_fenced_node_that_reports_guests_is_an_incident(silent: Node) -> None:
    altered(silent, boot_id="boot-1")
    node_fence(OPERATOR, silent, kind="attestation", reason=WHY)
    guest = str(uuid4())
    heartbeat_received(silent, running=(guest,))
    open_incidents = Incident.objects.filter(node=silent, kind="fence-broken", ended_at=None)
    assert {each.name for each in open_incidents} == {guest, "it was never off"}
    node_maintain(OPERATOR, Node.objects.get(pk=silent.pk), reason="looked at")
    assert not open_incidents.all().exists()


def test_fenced_node_that_was_off_is_no_incident(silent: Node) -> None:
    altered(silent, boot_id="boot-1")
    node_fence(OPERATOR, silent, kind="attestation", reason=WHY)
    heartbeat_received(silent, boot_id="boot-2")
    assert not Incident.objects.filter(kind="fence-broken").exists()


def test_fenced_node_may_reconnect_without_guests(silent: Node) -> None:
    altered(silent, boot_id="boot-1", fences_within_s=1, leased_until=timezone.now() - timedelta(hours=1))
    node_fence(SYSTEM, silent, kind="lease", reason=WHY)
    heartbeat_received(silent)
    assert not Incident.objects.filter(kind="fence-broken").exists()
    heartbeat_received(silent, running=(str(uuid4()),))
    assert Incident.objects.filter(kind="fence-broken").count() == 1

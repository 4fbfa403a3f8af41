"""Fencing: what counts as evidence that a node does nothing any more, and what does not."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from controlplane.audit.models import AuditRecord, EvidenceRecord
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.nodes import fencing
from controlplane.nodes.errors import NodeNotFenceable, NodeWrongDuty
from controlplane.nodes.fencing import evidence_at_hand, node_fence
from controlplane.nodes.models import FenceEvidence, Node
from tests.world import Cloud

OPERATOR = Actor(user_id=uuid4(), credential_id=None, project_id=None, role="operator", is_operator=True)
WHY = "the power of its rack is off"


@pytest.fixture
def silent(cloud: Cloud) -> Node:
    return altered(cloud.machine.row, state="unreachable")


def altered(node: Node, **fields: object) -> Node:
    Node.objects.filter(pk=node.pk).update(**fields)
    return Node.objects.get(pk=node.pk)


def at_hand(node: Node, kind: str) -> fencing.AtHand:
    return next(each for each in evidence_at_hand(node) if each.kind == kind)


def test_no_evidence_counts_against_a_node_that_is_heard(cloud: Cloud) -> None:
    node = cloud.machine.row
    assert node.state == "ready"
    assert [(each.kind, each.counts, each.reason) for each in evidence_at_hand(node)] == [
        ("power", False, "it is heard"),
        ("lease", False, "it is heard"),
        ("attestation", False, "it is heard"),
    ]
    with pytest.raises(NodeNotFenceable):
        node_fence(OPERATOR, node, kind="attestation", reason=WHY)
    assert Node.objects.get(pk=node.pk).duty == "in-service"


def test_a_person_attests_that_a_silent_node_is_off(silent: Node) -> None:
    with pytest.raises(NodeNotFenceable, match="only a person"):
        node_fence(SYSTEM, silent, kind="attestation", reason=WHY)
    found = node_fence(OPERATOR, silent, kind="attestation", reason=WHY).evidence
    assert found == FenceEvidence.objects.get()
    assert (found.user_id, found.reason, found.boot_id) == (OPERATOR.user_id, WHY, silent.boot_id)
    node = Node.objects.get(pk=silent.pk)
    assert node.duty == "fenced"
    assert node.fenced_by == {
        "kind": "attestation",
        "evidence": str(found.pk),
        "by": str(OPERATOR.user_id),
        "reason": WHY,
        "boot_id": silent.boot_id,
    }
    assert AuditRecord.objects.filter(verb="node.fence", resource_id=node.pk, user_id=OPERATOR.user_id).count() == 1
    assert EvidenceRecord.objects.filter(kind="incident", document__contains="node-fenced").count() == 1
    with pytest.raises(NodeWrongDuty):
        node_fence(OPERATOR, node, kind="attestation", reason=WHY)


def test_a_lease_that_has_lapsed_counts_only_on_a_node_that_said_it_would_stop_its_guests(silent: Node) -> None:
    now = timezone.now()
    assert "did not stop guests by itself" in at_hand(silent, "lease").reason
    node = altered(silent, fences_within_s=100)
    assert at_hand(node, "lease").reason == "it was never given a lease"
    needs = timedelta(seconds=100 + (100 + settings.NODE_LEASE_S) * 0.01 + settings.NODE_LEASE_MARGIN_S)
    node = altered(silent, leased_until=now - needs + timedelta(seconds=30))
    early = at_hand(node, "lease")
    assert not early.counts
    assert early.since == node.leased_until + needs
    with pytest.raises(NodeNotFenceable):
        node_fence(SYSTEM, node, kind="lease", reason=WHY)
    node = altered(silent, leased_until=now - needs - timedelta(seconds=1))
    found = node_fence(SYSTEM, node, kind="lease", reason=WHY).evidence
    assert found is not None
    assert found.detail["fences_within_s"] == 100
    assert Node.objects.get(pk=node.pk).duty == "fenced"


def test_power_needs_a_bmc(silent: Node) -> None:
    assert at_hand(silent, "power").reason == "nobody has said how its BMC is reached"
    with pytest.raises(NodeNotFenceable):
        node_fence(OPERATOR, silent, kind="power", reason=WHY)

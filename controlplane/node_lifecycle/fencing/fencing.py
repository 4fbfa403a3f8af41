"""Fencing: the evidence that a node does nothing any more, and the roles that may state it.

A missing heartbeat is no evidence: the node may run its guests and be cut off from us alone. There are three kinds of
evidence, and none is taken for another (docs/explanation/fencing.md).

- `power`: its BMC switches it off and confirms it. That takes time, so it is an operation (workflows/node_fence.py).
- `lease`: it self-fences when its lease expires, by its last report, and the last lease has been over for longer
  than that takes.
- `attestation`: an operator attests that it is off and unplugged.

After each of them the storage clusters of its zone refuse its addresses (storage_fences.py), as evidence `storage`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.nodes import admin_state
from controlplane.nodes.admin_state import require_admin_state
from controlplane.nodes.errors import NodeNotFenceable
from controlplane.nodes.models import EVIDENCE_KINDS, IN_SERVICE, Bmc, FenceEvidence, Node
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue

FENCEABLE = (IN_SERVICE, "cordoned", "draining", "maintenance")
REACHABLE = Message("it is reachable")
# Clocks of machines drift by far less; this share is added to a time that a node measures.
DRIFT = 0.01
# Switching off takes seconds; a BMC that needs longer than this has failed.
POWER_LIMIT = timedelta(minutes=5)


@dataclass(frozen=True)
class AvailableEvidence:
    """A kind of evidence, with its availability for the node now.

    `reason`: why it is not available. `since`: when it will count, where only time is missing. `facts`: as JSON values.
    """

    kind: str
    counts: bool
    reason: str = ""
    since: datetime | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Fencing:
    """The evidence, or the operation that gets it."""

    evidence: FenceEvidence | None = None
    operation: Operation | None = None


def available_evidence(node: Node) -> list[AvailableEvidence]:
    """Return all kinds, in the order of EVIDENCE_KINDS, as they are now; `node` as it was just read.

    Attestation is always available once the node is unreachable: it takes a person.
    """
    why = _problem(node)
    if why is not None:
        return [AvailableEvidence(kind, counts=False, reason=why) for kind in EVIDENCE_KINDS]
    return [_power(node), _lease(node), AvailableEvidence("attestation", counts=True)]


def latest_evidence(node: Node) -> FenceEvidence | None:
    """Return the evidence of the node's last fencing."""
    return FenceEvidence.objects.filter(node=node, kind__in=EVIDENCE_KINDS).order_by("-created_at").first()


def _problem(node: Node) -> Message | None:
    """Return the obstacle to fencing by any kind."""
    if node.admin_state not in FENCEABLE:
        return Message("it is {duty}", duty=node.admin_state)
    if node.state == "ready":
        return REACHABLE
    return None if node.state == "unreachable" else Message("it never sent a heartbeat")


def _power(node: Node) -> AvailableEvidence:
    bmc = Bmc.objects.filter(node=node).first()
    if bmc is None:
        return AvailableEvidence("power", counts=False, reason=Message("its BMC is not configured"))
    return AvailableEvidence("power", counts=True, facts={"bmc": bmc.address})


def _lease(node: Node) -> AvailableEvidence:
    if node.fences_within_s is None:
        return AvailableEvidence("lease", counts=False, reason=Message("it did not fence itself at its last heartbeat"))
    if node.leased_until is None:
        return AvailableEvidence("lease", counts=False, reason=Message("it never had a node lease"))
    since, facts = guests_stopped_at(node.leased_until, node.fences_within_s), _lease_facts(node)
    if clock.now() > since:
        return AvailableEvidence("lease", counts=True, since=since, facts=facts)
    waiting = Message("its node lease ended too recently; wait until {moment}", moment=since.isoformat("T", "seconds"))
    return AvailableEvidence("lease", counts=False, reason=waiting, since=since, facts=facts)


def guests_stopped_at(leased_until: datetime, fences_within_s: int) -> datetime:
    """Return when no guest runs any more on a node whose last lease ended at `leased_until`, by our clocks."""
    lasted_s = fences_within_s + settings.NODE_LEASE_S
    return leased_until + timedelta(seconds=fences_within_s + lasted_s * DRIFT + settings.NODE_LEASE_MARGIN_S)


def _lease_facts(node: Node) -> dict[str, object]:
    assert node.leased_until is not None
    last_heartbeat_at = node.last_heartbeat_at
    return {
        "leased_until": node.leased_until.isoformat(),
        "fences_within_s": node.fences_within_s,
        "margin_s": settings.NODE_LEASE_MARGIN_S,
        "last_heartbeat_at": last_heartbeat_at.isoformat() if last_heartbeat_at else None,
    }


@transaction.atomic
def node_fence(actor: Actor, node: Node, *, kind: str, reason: str) -> Fencing:
    """Fence the node by evidence of this kind: at once, or by an operation that gets the evidence first.

    An attesting operator has just authenticated again (api/v1/node_fencing).

    Raises:
        NodeNotFenceable: the node is reachable, the evidence is not enough, or the attesting actor is no person.
        NodeWrongAdminState: the node is fenced or retired.
        Busy: the node is being fenced.
    """
    actor.may_operate()
    require_admin_state(node, *FENCEABLE)
    node = Node.objects.select_for_update(no_key=True).get(pk=node.pk)
    evidence = next(each for each in available_evidence(node) if each.kind == kind)
    if not evidence.counts:
        raise NodeNotFenceable(node=node.name, reason=evidence.reason)
    if kind == "power":
        return Fencing(operation=_power_operation(actor, node, reason))
    if kind == "attestation" and actor.user_id is None:
        raise NodeNotFenceable(node=node.name, reason=Message("only a person can attest that it is off"))
    return Fencing(evidence=record_fence_evidence(actor, node, kind=kind, reason=reason, detail=evidence.facts))


def _power_operation(actor: Actor, node: Node, reason: str) -> Operation:
    request = OperationRequest(
        "node.fence",
        None,
        [node.pk],
        {"boot_id": node.boot_id},
        resource_name=node.name,
        deadline=POWER_LIMIT,
        reason=reason,
    )
    return enqueue(actor, request)


def record_fence_evidence(
    actor: Actor, node: Node, *, kind: str, reason: str, detail: Mapping[str, object], operation_id: UUID | None = None
) -> FenceEvidence:
    """Record the evidence, and set the admin state that follows. Inside the caller's transaction.

    Raises:
        NodeNotFenceable: the node is reachable again.
        NodeWrongAdminState
    """
    evidence = FenceEvidence.objects.create(
        node=node,
        kind=kind,
        reason=reason,
        detail=dict(detail),
        boot_id=node.boot_id,
        user_id=actor.user_id,
        operation_id=operation_id,
    )
    proof = {
        "kind": kind,
        "evidence": str(evidence.pk),
        "by": str(actor.user_id) if actor.user_id else None,
        "reason": reason,
        "boot_id": node.boot_id,
        **detail,
    }
    admin_state.mark_fenced(actor, node, proof=proof)
    return evidence

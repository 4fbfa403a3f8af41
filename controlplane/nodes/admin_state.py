"""Admin states of nodes: the permitted changes and their conditions."""

from collections.abc import Mapping

from django.db import transaction

from andromede_core.documents.messages import Message, either
from controlplane.audit import evidence_log
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.nodes.errors import (
    HeartbeatMissing,
    NodeNotCleared,
    NodeNotFenceable,
    NodeNotRetirable,
    NodeOutOfService,
    NodeWrongAdminState,
)
from controlplane.nodes.models import ADMIN_STATE, IN_SERVICE, Inventory, Node, NodeRemoval

# No operation works on a node in these admin states.
OUT_OF_SERVICE = frozenset({"maintenance", "fenced", "retired"})
# Operations that would start a guest on a draining node.
START_KINDS = frozenset({"instance.start"})


def require_admin_state(node: Node, *admin_states: str) -> None:
    """Read the node's admin state again. Raises NodeWrongAdminState unless it is one of these."""
    node.refresh_from_db(fields=["admin_state", "state"])
    if node.admin_state not in admin_states:
        raise NodeWrongAdminState(node=node.name, duty=node.admin_state, wanted=either(*admin_states))


def require_in_service(node: Node, operation: str) -> None:
    """Raise NodeOutOfService if an operation of this kind may not work on the node now."""
    if node.admin_state in OUT_OF_SERVICE or (node.admin_state == "draining" and operation in START_KINDS):
        raise NodeOutOfService(duty=node.admin_state)


def admin_state_change(
    actor: Actor, node: Node, admin_state: str, *, verb: str, reason: str = "", **facts: object
) -> None:
    """Change the node's admin state, with this audit entry; the same state again changes only the reason.

    Inside the caller's transaction.

    Raises:
        IllegalTransition, StateConflict.
    """
    entry_facts: dict[str, object] = {"reason": reason, **facts} if reason else facts
    if node.admin_state == admin_state:
        Node.objects.filter(pk=node.pk).update(admin_state_reason=reason[:200], updated_at=clock.now())
        node.admin_state_reason = reason[:200]
    else:
        move(node, ADMIN_STATE, admin_state, admin_state_reason=reason[:200], admin_state_since=clock.now())
    node.is_cordoned = admin_state != IN_SERVICE
    record(actor, verb, node.pk, project_id=None, name=node.name, zone=node.zone_id, **entry_facts)


@transaction.atomic
def node_return(actor: Actor, node: Node) -> None:
    """Return a node from maintenance: it takes guests again, and the stopped ones can be started.

    No other action returns it, however long its heartbeats arrive.

    Raises:
        NodeWrongAdminState: the node is not in maintenance.
        HeartbeatMissing: its heartbeats do not arrive, so its state is unknown.
        NodeNotCleared: pending removals of guests that are elsewhere by now.
    """
    actor.may_operate()
    require_admin_state(node, "maintenance")
    if node.state != "ready":
        raise HeartbeatMissing(node=node.name)
    if left := NodeRemoval.objects.filter(node=node).count():
        raise NodeNotCleared(node=node.name, count=left)
    admin_state_change(actor, node, IN_SERVICE, verb="node.return")


@transaction.atomic
def node_retire(actor: Actor, node: Node, *, reason: str) -> None:
    """Retire the node for good: no list has it, it gets no calls, and no permit for it is valid.

    This holds on whatever machine its certificate is. Its name is free again.

    Raises:
        NodeWrongAdminState: the node is retired, or being drained.
        NodeNotRetirable: the node has allocations.
    """
    actor.may_operate()
    require_admin_state(node, IN_SERVICE, "cordoned", "maintenance", "fenced")
    admin_state_change(actor, node, "retired", verb="node.retire", reason=reason)
    used = Inventory.objects.select_for_update().get(pk=node.pk)  # an earlier claim has written its allocation by now
    if used.vcpus_used or used.memory_mib_used or used.disk_gib_used:
        raise NodeNotRetirable(
            node=node.name,
            reason=Message(
                "{vcpus} vCPUs, {memory_mib} MiB and {disk_gib} GiB are allocated there",
                vcpus=used.vcpus_used,
                memory_mib=used.memory_mib_used,
                disk_gib=used.disk_gib_used,
            ),
        )
    NodeRemoval.objects.filter(node=node).delete()
    evidence_log.append("node", {"event": "removed", "node": str(node.pk), "zone": node.zone_id, "reason": reason})


@transaction.atomic
def mark_fenced(actor: Actor, node: Node, *, proof: Mapping[str, object]) -> None:
    """Mark the node as fenced by `proof` (JSON values), which evacuations of its guests rely on.

    Raises:
        NodeNotFenceable: the node is reachable, or the proof is missing.
        NodeWrongAdminState: the node is fenced or retired.
    """
    actor.may_operate()
    require_admin_state(node, IN_SERVICE, "cordoned", "draining", "maintenance")
    if not proof:
        raise NodeNotFenceable(node=node.name, reason=Message("nothing proves that it is off"))
    if Node.objects.select_for_update(no_key=True).get(pk=node.pk).state != "unreachable":
        raise NodeNotFenceable(node=node.name, reason=Message("it is reachable"))
    Node.objects.filter(pk=node.pk).update(fenced_by=dict(proof))
    admin_state_change(actor, node, "fenced", verb="node.fence", reason=str(proof.get("reason", "")), proof=dict(proof))
    document = {"incident": "node-fenced", "node": str(node.pk), "zone": node.zone_id, "proof": dict(proof)}
    evidence_log.append("incident", document)

"""What operators want of a node: who may move it from which duty to which, and what keeps it from that."""

from collections.abc import Mapping

from django.db import transaction

from andromede_core.documents.messages import Reason, either
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
from controlplane.nodes.models import DUTY, IN_SERVICE, Inventory, Node, NodeRemoval

# Nothing works on a node that has one of these.
OUT_OF_SERVICE = frozenset({"maintenance", "fenced", "retired"})
# What would begin to run on a node that is being emptied.
BEGINNINGS = frozenset({"instance.start"})


def require_admin_state(node: Node, *duties: str) -> None:
    """Read the node's duty again. Raises NodeWrongAdminState unless it is one of these."""
    node.refresh_from_db(fields=["duty", "state"])
    if node.duty not in duties:
        raise NodeWrongAdminState(node=node.name, duty=node.duty, wanted=either(*duties))


def require_in_service(node: Node, operation: str) -> None:
    """Raises NodeOutOfService when an operation of this kind is not to work on the node now."""
    if node.duty in OUT_OF_SERVICE or (node.duty == "draining" and operation in BEGINNINGS):
        raise NodeOutOfService(duty=node.duty)


def admin_state_change(actor: Actor, node: Node, duty: str, *, verb: str, reason: str = "", **facts: object) -> None:
    """Give the node another duty, on record as this deed; the same again changes only the reason. Inside the caller's
    transaction.

    Raises:
        IllegalTransition, StateConflict.
    """
    told: dict[str, object] = {"reason": reason, **facts} if reason else facts
    if node.duty == duty:
        Node.objects.filter(pk=node.pk).update(duty_reason=reason[:200], updated_at=clock.now())
        node.duty_reason = reason[:200]
    else:
        move(node, DUTY, duty, duty_reason=reason[:200], duty_since=clock.now())
    node.is_cordoned = duty != IN_SERVICE
    record(actor, verb, node.pk, project_id=None, name=node.name, zone=node.zone_id, **told)


@transaction.atomic
def node_return(actor: Actor, node: Node) -> None:
    """After maintenance: it takes guests again, and those that are off there can be started. Nobody else does that for
    it, however long it has been heard again.

    Raises:
        NodeWrongAdminState: it is not in maintenance.
        HeartbeatMissing: it is not heard, so nobody knows that it works.
        NodeNotCleared: it still has something of guests that are elsewhere by now.
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
    """The node is given up for good: it is in no list, nothing calls it, and no permit for it counts, on whatever
    machine its certificate is. Its name is free again.

    Raises:
        NodeWrongAdminState: it is retired, or being emptied.
        NodeNotRetirable: something has its place there.
    """
    actor.may_operate()
    require_admin_state(node, IN_SERVICE, "cordoned", "maintenance", "fenced")
    admin_state_change(actor, node, "retired", verb="node.retire", reason=reason)
    used = Inventory.objects.select_for_update().get(pk=node.pk)  # whoever claimed a place first has written it by now
    if used.vcpus_used or used.memory_mib_used or used.disk_gib_used:
        raise NodeNotRetirable(
            node=node.name,
            reason=Reason(
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
    """Write down that the node does nothing any more, by `proof` (JSON values): how that is known. Whoever may start
    its guests elsewhere rests on that.

    Raises:
        NodeNotFenceable: it is heard, or nothing proves it.
        NodeWrongAdminState: it is fenced or retired.
    """
    actor.may_operate()
    require_admin_state(node, IN_SERVICE, "cordoned", "draining", "maintenance")
    if not proof:
        raise NodeNotFenceable(node=node.name, reason=Reason("nothing proves that it is off"))
    if Node.objects.select_for_update(no_key=True).get(pk=node.pk).state != "unreachable":
        raise NodeNotFenceable(node=node.name, reason=Reason("it is reachable"))
    Node.objects.filter(pk=node.pk).update(fenced_by=dict(proof))
    admin_state_change(actor, node, "fenced", verb="node.fence", reason=str(proof.get("reason", "")), proof=dict(proof))
    said = {"incident": "node-fenced", "node": str(node.pk), "zone": node.zone_id, "proof": dict(proof)}
    evidence_log.append("incident", said)

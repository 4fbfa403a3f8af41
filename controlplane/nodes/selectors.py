"""Which nodes an operator sees; tenants see none."""

from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.kernel.names import as_uuid
from controlplane.nodes.errors import NodeNotFound
from controlplane.nodes.models import Incident, Node


def nodes(actor: Actor) -> QuerySet[Node]:
    """All nodes, with zone and inventory.

    Raises:
        RoleNeeded: the actor is no operator.
    """
    actor.may_operate()
    return Node.objects.select_related("zone", "inventory")


def node_get(actor: Actor, ref: str) -> Node:
    as_id = as_uuid(ref)
    found = nodes(actor).filter(Q(pk=as_id) if as_id else Q(name=ref)).first()
    if found is None:
        raise NodeNotFound(name=ref)
    return found


def incidents(node: Node) -> QuerySet[Incident]:
    return Incident.objects.filter(node=node)


def is_reachable(node_id: UUID) -> bool:
    """False once the node was not heard for too long."""
    return not Node.objects.filter(pk=node_id, state="unreachable").exists()

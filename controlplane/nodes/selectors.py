"""Node queries for operators, support and auditors. Tenants cannot list nodes."""

from uuid import UUID

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.db import by_id, by_ref
from controlplane.kernel.prepared_queries import Prepared
from controlplane.nodes.errors import NodeNotFound, PoolNotFound
from controlplane.nodes.models import Incident, Node, Pool

# Lookup by id for the watcher, without an actor.
NODE = Prepared(lambda node: Node.objects.filter(pk=node))


def nodes(actor: Actor) -> QuerySet[Node]:
    """Return all nodes, with zone and inventory.

    Raises:
        RoleNeeded: the actor has no platform role.
    """
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return Node.objects.select_related("zone", "inventory")


def node_get(actor: Actor, ref: str) -> Node:
    """Return a node by its id, or by its name, which a retired node leaves free.

    Raises:
        RoleNeeded, NodeNotFound.
    """
    rows = nodes(actor)
    node = by_ref(rows.exclude(admin_state="retired"), ref) or by_ref(
        rows.filter(admin_state="retired").order_by("-pk"), ref
    )
    if node is None:
        raise NodeNotFound(name=ref)
    return node


def incidents(node: Node) -> QuerySet[Incident]:
    return Incident.objects.filter(node=node)


def incidents_anywhere(actor: Actor) -> QuerySet[Incident]:
    """Return the incidents of all nodes. Raises as nodes()."""
    return Incident.objects.select_related("node").filter(node__in=nodes(actor))


def pools(actor: Actor) -> QuerySet[Pool]:
    """Return all pools. Raises RoleNeeded: the actor has no platform role."""
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return Pool.objects.select_related("cluster")


def pool_get(actor: Actor, ref: str) -> Pool:
    """Return a pool by its id: zones may each have one of the same name.

    Raises:
        RoleNeeded, PoolNotFound.
    """
    pool = by_id(pools(actor), ref)
    if pool is None:
        raise PoolNotFound(name=ref)
    return pool


def is_reachable(node_id: UUID) -> bool:
    """Tell if heartbeats arrive; False after NODE_UNREACHABLE_AFTER_S without one."""
    return not Node.objects.filter(pk=node_id, state="unreachable").exists()

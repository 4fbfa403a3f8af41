"""Orphans: resources on nodes, in storage clusters, or rows, that no row expects; queries and operators' decisions.

A decision is recorded in the row. reconcilers/orphans.py detects, quarantines, and carries out decisions, also on a
node that was unreachable at the time.
"""

from django.db import transaction
from django.db.models import F, QuerySet

from andromede_core.documents.messages import either
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.db import by_id
from controlplane.kernel.wakeups import send_wakeup
from controlplane.nodes.errors import OrphanForeign, OrphanNameDiffers, OrphanNotFound, OrphanWrongState
from controlplane.nodes.models import Node, Orphan
from controlplane.nodes.orphan_states import ORPHAN_LIVE
from controlplane.nodes.selectors import nodes

RECONCILE = ("controlplane.reconcilers.tasks.orphans", "periodic")
EXPIRES_S = 30
PLACES = ("node", "pool__cluster")


def orphans(actor: Actor) -> QuerySet[Orphan]:
    """Return all orphans ever found. Raises RoleNeeded."""
    nodes(actor)
    return Orphan.objects.select_related(*PLACES)


def orphan_get(actor: Actor, ref: str) -> Orphan:
    """Return the orphan by its id.

    Raises:
        RoleNeeded, OrphanNotFound.
    """
    orphan = by_id(orphans(actor), ref)
    if orphan is None:
        raise OrphanNotFound(name=ref)
    return orphan


def released_names(node: Node) -> set[str]:
    """Return the names of released orphans on the node, as its inventory may call them."""
    rows = Orphan.objects.filter(node=node, state="released").values_list("name", "resource_id")
    return {
        text
        for name, resource_name in rows
        for text in (name, name.partition("/")[2], str(resource_name or ""))
        if text
    }


@transaction.atomic
def orphan_discard(actor: Actor, orphan: Orphan, *, name: str, reason: str) -> Orphan:
    """Decide to delete the orphan for good, as soon as its node or storage cluster is reachable.

    `name`: its own, to confirm.

    Raises:
        OrphanNameDiffers
        OrphanForeign: a storage agent deletes no image with such a name.
        OrphanWrongState: nothing of it is left.
    """
    if name != orphan.name:
        raise OrphanNameDiffers(field="name", name=orphan.name)
    if orphan.pool is not None and orphan.resource_id is None:
        raise OrphanForeign(name=orphan.name, pool=orphan.pool.name)
    return _decide(actor, orphan, "discard", reason=reason, among=ORPHAN_LIVE)


@transaction.atomic
def orphan_release(actor: Actor, orphan: Orphan, *, reason: str) -> Orphan:
    """Decide to restore the orphan as it was; it stays, without warnings.

    Raises:
        OrphanWrongState: the orphan is gone, or cannot be restored.
    """
    return _decide(actor, orphan, "release", reason=reason, among=("found", "quarantined"))


def _decide(actor: Actor, orphan: Orphan, action: str, *, reason: str, among: tuple[str, ...]) -> Orphan:
    """Record the decision. Idempotent; the opposite decision replaces one that is not carried out yet."""
    actor.may_operate()
    who = actor.user_id or actor.credential_id
    if who is None:
        raise RoleNeeded(role="operator")  # only users decide, and programs with their tokens
    orphan.refresh_from_db(from_queryset=Orphan.objects.select_for_update(of=("self",)).select_related(*PLACES))
    if orphan.state not in among:
        raise OrphanWrongState(state=orphan.state, wanted=either(*among))
    if orphan.requested_action == action:
        return orphan
    Orphan.objects.filter(pk=orphan.pk).update(
        requested_action=action,
        reason=reason[:200],
        problem="",
        decided_by=who,
        generation=F("generation") + 1,
        updated_at=clock.now(),
    )
    orphan.refresh_from_db(fields=["requested_action", "reason", "problem", "decided_by", "generation", "updated_at"])
    record_change(actor, orphan, action, reason=reason)
    transaction.on_commit(wake_reconciler, robust=True)
    return orphan


def record_change(actor: Actor, orphan: Orphan, verb: str, **facts: object) -> None:
    """Write audit and event. Inside the caller's transaction."""
    entry_facts: dict[str, object] = {"what": orphan.kind, "size_bytes": orphan.size_bytes, **facts}
    if orphan.pool is not None:
        cluster = orphan.pool.cluster
        assert cluster is not None, "nodes report orphans in folders"
        entry_facts |= {"storage_cluster": cluster.name, "pool": orphan.pool.name}
    node = orphan.node.name if orphan.node is not None else None
    record(actor, f"orphan.{verb}", orphan.pk, project_id=None, name=orphan.name, node=node, **entry_facts)


def wake_reconciler() -> None:
    """Wake up the reconciler. Never fails: the reconciler polls by itself."""
    send_wakeup(RECONCILE, expires_s=EXPIRES_S)

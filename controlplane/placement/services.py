"""The policy enforcement point: check and claim allocations, release them, and make call authorizations for agents.

A decision locks nothing: a worker makes it outside of any transaction, a request before it writes, since reads in a
transaction that has written are not cached. The write that follows is guarded: the node must still be ready and in
service, the affinity group must still allow it, and the database refuses an allocation that does not fit. When an input
has changed, the decision is made again.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Least

from andromede_core.placement.request import Resources
from controlplane.kernel.prepared_queries import Prepared
from controlplane.nodes.admin_state import require_in_service
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.operations import lease_guard
from controlplane.placement import claims, selectors
from controlplane.placement.batch_decisions import redecide_all_in_place
from controlplane.placement.decisions import (
    GroupRule,
    PlacementRequest,
    PlacementResult,
    decide_placement,
    is_placeable,
    is_stale_error,
    raise_refusal,
    redecide_in_place,
    store_decision,
)
from controlplane.placement.errors import (
    FleetChanged,
    NoAllocation,
    ZoneUnknown,
)
from controlplane.placement.models import Allocation, Decision


def check_placement(request: PlacementRequest) -> None:
    """Check that the request would be admitted now. Takes nothing.

    A refusal is stored, and the error has its decision's id.

    Raises:
        ZoneUnknown, PolicyUnsatisfiable, InsufficientCapacity, NoPlace.
        NoAllocation: a resource that it must be near to has no allocation.
    """
    _know_zones(request)
    if is_placeable(request):
        return
    taken = decide_placement(request)
    if not taken.decision.is_admitted:
        raise_refusal(request, taken)


def preview(request: PlacementRequest) -> PlacementResult:
    """Decide, and store nothing.

    Raises:
        ZoneUnknown, UnknownHost, TooManyClauses.
        NoAllocation: a resource that it must be near to has no allocation.
    """
    _know_zones(request)
    return decide_placement(request)


def _know_zones(request: PlacementRequest) -> None:
    if unknown := selectors.unknown_zones(request.zones):
        raise ZoneUnknown(field="zones", name=unknown[0])


def check_current_node(request: PlacementRequest) -> PlacementResult:
    """Check that the consumer may do this on its own node, without capacity.

    A refusal is stored. Where no operation decides again, an admission by exemption has to be stored: `keep_exempted`.

    Raises:
        NoAllocation, PolicyUnsatisfiable, NoPlace.
        NodeOutOfService: the node is out of service.
    """
    node = _allocation(request.present_holder).node
    require_in_service(node, request.operation)
    taken = redecide_in_place(request, node.pk)
    if not taken.decision.is_admitted:
        raise_refusal(request, taken, here=node.zone_id)
    return taken


def check_current_nodes(requests: Sequence[PlacementRequest]) -> list[PlacementResult]:
    """Check consumers of one project as check_current_node does, with as many queries for many as for one.

    Raises:
        NoAllocation, NodeOutOfService, PolicyUnsatisfiable, NoPlace: of the first that is refused.
    """
    found = Allocation.objects.filter(consumer_id__in=[each.consumer_id for each in requests]).select_related("node")
    nodes = {allocation.consumer_id: allocation.node for allocation in found}
    for request in requests:
        if request.consumer_id not in nodes:
            raise NoAllocation()
        require_in_service(nodes[request.consumer_id], request.operation)
    results = redecide_all_in_place(requests, {consumer: node.pk for consumer, node in nodes.items()})
    for request, taken in zip(requests, results, strict=False):
        if not taken.decision.is_admitted:
            raise_refusal(request, taken, here=nodes[request.consumer_id].zone_id)
    return results


def keep_exempted(request: PlacementRequest, taken: PlacementResult) -> None:
    """Store a decision that only an exemption admits, and count the use.

    Inside the transaction of the action, if it has one. A decision that needs no exemption is not stored.

    Raises:
        ExemptionOver: another transaction had the last use.
    """
    if taken.exemption is not None:
        store_decision(request, taken)


def renew_decision(request: PlacementRequest) -> Decision:
    """Decide again for the consumer where it is, and let its allocation rest on that decision.

    A permit needs a decision as new as the policies and facts. What the data is a copy of keeps its own decision.

    Raises:
        NoAllocation, PolicyUnsatisfiable, NoPlace.
        FleetChanged: policies or facts keep changing; worth another attempt.
        LeaseLost: another worker has the operation; nothing was written.
    """
    for _ in range(settings.PLACEMENT_CLAIM_ATTEMPTS):
        allocation = _allocation(request.holder)
        taken = redecide_in_place(request, allocation.node_id)
        if not taken.decision.is_admitted:
            raise_refusal(request, taken)
        try:
            with transaction.atomic():
                lease_guard.lock_lease()
                decision = store_decision(request, taken)
                if _rests_on(allocation, decision) if request.copy_of is None else _is_unchanged(allocation, taken):
                    return decision
                transaction.set_rollback(True)
        except DatabaseError as exc:
            if not is_stale_error(exc):
                raise
    raise FleetChanged()


def redecide(request: PlacementRequest) -> Decision:
    """Decide again for the consumer where it is, as renew_decision() does; its allocation keeps its decision.

    Raises:
        NoAllocation, PolicyUnsatisfiable, NoPlace.
        FleetChanged: another transaction counts the use of an exemption for this operation; worth another attempt.
    """
    taken = redecide_in_place(request, _allocation(request.holder).node_id)
    if not taken.decision.is_admitted:
        raise_refusal(request, taken)
    try:
        return store_decision(request, taken)
    except IntegrityError as exc:
        raise FleetChanged() from exc


def _rests_on(allocation: Allocation, decision: Decision) -> bool:
    """Let the allocation rest on the decision; False: it has moved."""
    own = Allocation.objects.filter(pk=allocation.pk, node_id=allocation.node_id)
    return bool(own.update(decision=decision))


def _is_unchanged(allocation: Allocation, taken: PlacementResult) -> bool:
    """Tell if the allocation and the inputs of the decision are as they were, which they stay until the commit."""
    own = Allocation.objects.select_for_update(no_key=True).filter(pk=allocation.pk, node_id=allocation.node_id)
    return own.exists() and selectors.lock_versions(allocation.project_id) == taken.standing


def check_growth(request: PlacementRequest) -> None:
    """Check that the consumer's own node would give it these amounts now. Takes nothing.

    Raises:
        NoAllocation, PolicyUnsatisfiable, InsufficientCapacity, NoPlace.
    """
    _growth(request)


def claim(request: PlacementRequest) -> Allocation:
    """Return the consumer's allocation: the existing one, or the best available now.

    Raises:
        PolicyUnsatisfiable, InsufficientCapacity, NoPlace: with the stored decision.
        NoAllocation: a resource that it must be near to has no allocation.
        FleetChanged: worth another attempt.
    """
    for attempt in range(settings.PLACEMENT_CLAIM_ATTEMPTS):
        if claims.is_placed(request.holder):
            return _allocation(request.holder)
        taken = decide_placement(request, attempt=attempt)
        if not taken.decision.is_admitted:
            raise_refusal(request, taken)
        for node_id in taken.decision.candidates[:3]:
            if (allocation := _write(request, taken, UUID(node_id))) is not None:
                return allocation
    raise FleetChanged()


def grow(request: PlacementRequest) -> None:
    """Give the consumer's allocation at least these amounts, on its own node.

    Raises:
        NoAllocation, PolicyUnsatisfiable, InsufficientCapacity, NoPlace.
        FleetChanged: worth another try.
    """
    more, taken = _growth(request)
    if taken is None:
        return
    amounts = {name: F(name) + amount for name, amount in more.items()}
    try:
        with transaction.atomic():
            lease_guard.lock_lease()
            own = Allocation.objects.filter(consumer_id=request.consumer_id)
            own.update(decision=store_decision(request, taken), **amounts)
    except DatabaseError as exc:
        if not is_stale_error(exc):
            raise
        raise FleetChanged() from exc


def _growth(request: PlacementRequest) -> tuple[dict[str, int], PlacementResult | None]:
    """Return the amounts missing, and the decision that admits them; None when no amount is missing."""
    allocation = _allocation(request.consumer_id)
    requested = Resources(request.vcpus, request.memory_mib, request.disk_gib)
    present = Resources(allocation.vcpus, allocation.memory_mib, allocation.disk_gib)
    more = Resources(*(max(0, new - old) for new, old in zip(requested, present, strict=True)))
    share_gib = max(0, request.share.gib - allocation.pool_gib) if request.share else 0
    missing = {**more._asdict(), "pool_gib": share_gib}
    if not any(missing.values()):
        return missing, None
    pools = tuple(
        replace(requirement, gib=share_gib) if requirement.gib else requirement for requirement in request.pools
    )
    taken = decide_placement(replace(request, pools=pools), resources=more, near=frozenset({str(allocation.node_id)}))
    if not taken.decision.is_admitted:
        raise_refusal(request, taken)
    return missing, taken


def shrink(consumer_id: UUID, **amounts: int) -> None:
    """Reduce the consumer's allocation to these amounts, of the disk also where a pool has it.

    A reduction needs no decision, so it cannot fail. Inside the caller's transaction.
    """
    if "disk_gib" in amounts:
        amounts["pool_gib"] = amounts["disk_gib"]
    Allocation.objects.filter(consumer_id=consumer_id).update(
        **{name: Least(F(name), amount) for name, amount in amounts.items()}
    )


def split_allocation(holder: UUID, request: PlacementRequest) -> Allocation:
    """Split the disk of the request, on the node or in a pool, off the allocation of `holder`, as an allocation of its
    own on the same node, and return this. Idempotent.

    Raises:
        NoAllocation, PolicyUnsatisfiable, NoPlace.
        FleetChanged: policies or facts keep changing; worth another attempt.
        LeaseLost: another worker has the operation; nothing was written.
    """
    for _ in range(settings.PLACEMENT_CLAIM_ATTEMPTS):
        whole = _allocation(holder)
        if claims.is_placed(request.holder):
            return _allocation(request.holder)
        taken = redecide_in_place(request, whole.node_id)
        if not taken.decision.is_admitted:
            raise_refusal(request, taken)
        try:
            return _split(whole, request, taken)
        except DatabaseError as exc:
            if not is_stale_error(exc):
                raise
    raise FleetChanged()


@transaction.atomic
def _split(whole: Allocation, request: PlacementRequest, taken: PlacementResult) -> Allocation:
    """Insert an empty allocation first: a full inventory takes the amount only once the other one has given it up."""
    lease_guard.lock_lease()
    part = Allocation.objects.create(
        **claims.fields(request), node_id=whole.node_id, decision=store_decision(request, taken)
    )
    left, own = Allocation.objects.filter(pk=whole.pk), Allocation.objects.filter(pk=part.pk)
    left.update(disk_gib=F("disk_gib") - request.disk_gib)
    own.update(disk_gib=request.disk_gib)
    if request.share is not None:
        left.update(pool_gib=F("pool_gib") - request.share.gib)
        left.filter(pool_gib=0).update(pool=None)
        own.update(pool=whole.pool_id, pool_gib=request.share.gib)
    part.refresh_from_db()
    return part


def complete_move(consumer_id: UUID, *, move: UUID) -> None:
    """Give the consumer the allocation at the destination, which the migration held, and free the old one.

    Its space in pools follows. No decision is needed, so it cannot fail. Inside the caller's transaction.
    """
    allocation = Allocation.objects.filter(consumer_id=move, moving_id=consumer_id)
    if not allocation.exists():
        return
    left = Allocation.objects.filter(consumer_id=consumer_id)
    pool_id, pool_gib = left.values_list("pool_id", "pool_gib").first() or (None, 0)
    left.delete()
    allocation.update(consumer_id=consumer_id, moving_id=None, pool_id=pool_id, pool_gib=pool_gib)


def complete_copy(consumer_id: UUID, *, move: UUID) -> None:
    """Give the consumer the allocation that the copy of its data has, and free the one of the source.

    No decision is needed, so it cannot fail. Inside the caller's transaction.
    """
    allocation = Allocation.objects.filter(consumer_id=move, moving_id=consumer_id)
    if allocation.exists():
        Allocation.objects.filter(consumer_id=consumer_id).delete()
        allocation.update(consumer_id=consumer_id, moving_id=None)


def move_allocation(request: PlacementRequest, node_id: UUID) -> None:
    """Move the allocation of a consumer with data in a pool to this node of the pool. Idempotent.

    Raises:
        NoAllocation, PolicyUnsatisfiable, NoPlace.
        FleetChanged: policies or facts keep changing; worth another attempt.
        LeaseLost: another worker has the operation; nothing was written.
    """
    for _ in range(settings.PLACEMENT_CLAIM_ATTEMPTS):
        allocation = _allocation(request.holder)
        if allocation.node_id == node_id:
            return
        taken = redecide_in_place(request, node_id)
        if not taken.decision.is_admitted:
            raise_refusal(request, taken)
        try:
            with transaction.atomic():
                lease_guard.lock_lease()
                own = Allocation.objects.filter(pk=allocation.pk, node_id=allocation.node_id)
                if own.update(node_id=node_id, decision=store_decision(request, taken)):
                    return
                transaction.set_rollback(True)
        except DatabaseError as exc:
            if not is_stale_error(exc):
                raise
    raise FleetChanged()


def release_allocation(consumer_id: UUID) -> None:
    """Release the consumer's allocation. Idempotent. Inside the caller's transaction."""
    Allocation.objects.filter(consumer_id=consumer_id).delete()


def call_authorization(consumer_id: UUID) -> CallAuthorization:
    """Return the consumer's node and its decision; the signer adds the permit that nodes check.

    Raises:
        NoAllocation: the consumer has no allocation.
    """
    allocation = _allocation(consumer_id)
    return CallAuthorization(node=allocation.node, decision_id=allocation.decision_id)


ALLOCATIONS = Prepared(lambda consumer: Allocation.objects.filter(consumer_id=consumer).select_related("node"))


def _allocation(consumer_id: UUID) -> Allocation:
    allocation = ALLOCATIONS.first(consumer_id)
    if allocation is None:
        raise NoAllocation()
    return allocation


def _write(request: PlacementRequest, taken: PlacementResult, node_id: UUID) -> Allocation | None:
    """Write the allocation; None when an input of the decision has changed, or the consumer has one already."""
    try:
        if request.group is None or not request.group.is_strict:
            return claims.insert_claim(request, taken, node_id)
        with transaction.atomic():
            return (
                claims.insert_claim(request, taken, node_id)
                if _allows(request.group, request.consumer_id, node_id)
                else None
            )
    except DatabaseError as exc:
        if not is_stale_error(exc):
            raise
        return None


def _allows(group: GroupRule, consumer_id: UUID, node_id: UUID) -> bool:
    """Check the group under its lock, so that two concurrent claims of members see one another."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"group:{group.group_id}"])
    nodes = selectors.group_nodes(group.group_id, but=consumer_id)
    if group.rule == "affinity":
        return not nodes or str(node_id) in nodes
    return str(node_id) not in nodes

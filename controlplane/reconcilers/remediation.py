"""Remediation plans under execution: begin the relocations, observe them, and try again what stayed.

Only the rows carry over from one run to the next. Each relocation is begun by the service that members use, for the
member who began the execution, in one transaction with the item's row: policies, quotas, locks and maintenance decide
as for a request. No guest is stopped, and a refusal writes nothing but the item's row.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import reduce
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q

from andromede_core.documents.messages import Message
from controlplane.catalog.models import Zone
from controlplane.compliance.errors import ItemStays
from controlplane.compliance.models import PLAN_ITEM, Compliance, RemediationItem, RemediationPlan
from controlplane.compliance.plan_execution import executor_of, lock_running
from controlplane.compute.actions import require_instance_state
from controlplane.compute.errors import InstanceNotRelocatable, VolumeNotRelocatable
from controlplane.compute.migration import affected_ids
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.relocation import ZonePlan, instance_relocate, relocation_plan
from controlplane.compute.services import instance_placement_request
from controlplane.compute.volume_relocation import check_relocation, volume_relocate, volume_relocation_plan
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.error_messages import error_from_document
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.network.models import Port
from controlplane.operations.errors import Cancelled
from controlplane.operations.models import LIVE, Operation
from controlplane.operations.services import require_unlocked
from controlplane.placement import decisions
from controlplane.placement.drift_clauses import STANDING_OPERATION
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_placement_request

log = logging.getLogger(__name__)

AT_ONCE = 2  # relocations of a plan at the same time
TRIES_MAX = 10  # items of a plan that one run tries
RETRY_AFTER, RETRY_AFTER_MAX = timedelta(seconds=30), timedelta(minutes=30)  # the first doubles with every try
ZONES_NAMED = 5  # in a reason
EACH_RUN = timedelta()
DRIFTED = ("drifted", "remediating")
OPEN = ("waiting", "stays")

RUNS = Message("it is running, and a plan stops no guest. Stop it, and it is relocated.")
NOT_MOVED = {
    "snapshot": Message("a snapshot stays with its volume's pool. Delete it, after a copy was made if one is needed."),
    "image": Message("a cached image is deleted with the last disk that was cloned from it."),
}
NO_OTHER_ZONE = Message("there is no other zone.")


def reconcile() -> int:
    """Advance the plans. Returns how many items have changed."""
    is_running = Q(state="approved", execution="running")
    is_moving = Q(progress__state="moving")
    plans = RemediationPlan.objects.filter(is_running | is_moving).distinct()
    return sum(_advance(plan) for plan in plans.select_related("project__organization").order_by("pk"))


def _advance(plan: RemediationPlan) -> int:
    changed = sum(_observe(plan, item) for item in plan.progress.filter(state="moving", kind="instance"))
    with transaction.atomic():
        is_running = lock_running(plan)
    if is_running:
        changed += _try_due(plan)
    return changed + _follow(plan, is_running=is_running)


# ---- relocations under way


def _observe(plan: RemediationPlan, item: RemediationItem) -> bool:
    """Record the end of the item's operation. True when the item changed."""
    operation = Operation.objects.filter(pk__in=[item.operation_id]).first()
    if operation is not None and operation.state in LIVE:
        return False
    if operation is not None and operation.state in ("failed", "cancelled"):
        # A member who cancelled it is not contradicted at once.
        wait = RETRY_AFTER_MAX if operation.state == "cancelled" else None
        return _stay(item, operation.error or Cancelled().as_document(), wait=wait)
    if plan.state != "approved":
        return _change(item, "done")
    row = Compliance.objects.filter(pk=item.resource_id, state__in=DRIFTED).first()
    is_swept = row is not None and (operation is None or row.checked_at > (operation.finished_at or clock.now()))
    return is_swept and _change(item, "waiting")


# ---- relocations to begin


def _try_due(plan: RemediationPlan) -> int:
    """Try the instances and detached volumes that are due, those with the fewest tries first, then in the plan's order.

    Returns how many items have changed.
    """
    items = list(plan.progress.filter(kind__in=("instance", "volume"), state__in=OPEN).order_by("tries", "order"))
    rows = _relocated_alone([item.resource_id for item in items])
    drift = Compliance.objects.filter(pk__in=rows, state__in=DRIFTED).in_bulk()
    changed, tries, now = 0, 0, clock.now()
    for item in items:
        resource, row = rows.get(item.resource_id), drift.get(item.resource_id)
        if resource is None or row is None or _zone_of(resource) != row.zone:
            continue  # it is deleted or moved, or has recovered: the next sweep says so
        if resource.state == "active":
            changed += _stay(item, ItemStays(reason=RUNS).as_document(), wait=EACH_RUN)
        elif tries < TRIES_MAX and (item.next_try_at is None or item.next_try_at <= now):
            tries += 1
            changed += _try(plan, item, resource)
    return changed


def _relocated_alone(ids: Sequence[UUID]) -> Mapping[UUID, Instance | Volume]:
    """Return those that have a relocation of their own: instances, and detached volumes on the disks of nodes."""
    instances = Instance.objects.filter(pk__in=ids).exclude(state="deleted")
    volumes = Volume.objects.filter(pk__in=ids, pool=None, attachment=None)
    found: list[Instance | Volume] = [
        *instances.select_related("project", "image", "node", "affinity_group"),
        *volumes.select_related("project", "node", "volume_type"),
    ]
    return {each.pk: each for each in found}


def _zone_of(resource: Instance | Volume) -> str | None:
    return resource.node.zone_id if resource.node is not None else None


def _try(plan: RemediationPlan, item: RemediationItem, resource: Instance | Volume) -> bool:
    """Begin the relocation to the best zone, or record why there is none now. True when the item changed."""
    try:
        if _moving(plan) >= AT_ONCE:
            return False
        _require_relocatable(resource)
        if _is_admitted_here(resource):
            return False
        return _begin(plan, item, resource, _best_zone(resource))
    except StateConflict:
        log.debug("plan %s: item %s was changed concurrently, skipped", plan.pk, item.order)
        return False
    except CloudError as exc:
        exc.forget()  # the refusal is not stored: each try would add one
        return _stay(item, exc.as_document())


def _require_relocatable(resource: Instance | Volume) -> None:
    """Raise the errors that are the same for all zones."""
    if isinstance(resource, Instance):
        require_instance_state(resource, "relocate")
        for each in affected_ids(resource):
            require_unlocked(each)
    else:
        require_unlocked(resource.pk)
        check_relocation(resource, None)


def _is_admitted_here(resource: Instance | Volume) -> bool:
    """Tell if its zone admits the resource by now, which the next sweep will record."""
    assert resource.node is not None, "it is in the zone of its drift"
    if isinstance(resource, Instance):
        request = instance_placement_request(resource, operation=STANDING_OPERATION["instance"])
    else:
        request = volume_placement_request(resource, operation=STANDING_OPERATION["volume"])
    return decisions.redecide_in_place(request, resource.node.pk).decision.is_admitted


@transaction.atomic
def _begin(plan: RemediationPlan, item: RemediationItem, resource: Instance | Volume, zone: Zone) -> bool:
    """Begin the relocation and record it, in one transaction, as the plan's row is locked: of several reconcilers one
    begins it, and none after a pause.
    """
    if not lock_running(plan) or _moving(plan) >= AT_ONCE:
        return False
    item.refresh_from_db()
    if item.state not in OPEN:
        return False
    actor, reason = executor_of(plan), f"remediation plan {plan.pk}"
    if isinstance(resource, Instance):
        operation = instance_relocate(actor, resource, zone=zone, reason=reason)
    else:
        operation = volume_relocate(actor, resource, zone=zone, reason=reason)
    move(item, PLAN_ITEM, "moving", operation_id=operation.pk, reason=None, next_try_at=None)
    return True


def _moving(plan: RemediationPlan) -> int:
    """Return how many relocations are under way. Volumes that follow an instance have its operation."""
    return plan.progress.filter(state="moving").values("operation_id").distinct().count()


def _best_zone(resource: Instance | Volume) -> Zone:
    """Return the zone that admits the resource now and has most of the instances on its networks, which it then
    reaches; of equal ones that with most nodes that admit it, then the first by name.

    Raises:
        ItemStays: no zone admits it.
    """
    neighbours: Mapping[str, int] = {}
    if isinstance(resource, Instance):
        zones, neighbours = relocation_plan(resource).zones, _neighbours(resource)
    else:
        zones = volume_relocation_plan(resource).zones
    admitted = [zone for zone in zones if zone.is_admitted]
    if not admitted:
        raise ItemStays(reason=_reasons_against(zones))
    return min(admitted, key=lambda each: (-neighbours.get(each.zone.pk, 0), -each.nodes, each.zone.pk)).zone


def _neighbours(instance: Instance) -> Mapping[str, int]:
    """Return how many ports of its networks are in each zone."""
    networks = Port.objects.filter(instance_id=instance.pk).values("network")
    ports = Port.objects.filter(network__in=networks).exclude(instance_id=instance.pk)
    placed = Instance.objects.filter(pk__in=ports.values("instance_id"), node__isnull=False)
    return dict(placed.values_list("node__zone").annotate(count=Count("pk")))


def _reasons_against(zones: Sequence[ZonePlan]) -> Message:
    """Return why no zone admits the instance: the first reason against each."""
    if not zones:
        return NO_OTHER_ZONE
    reasons = [_reason_against(zone) for zone in zones]
    if len(set(reasons)) == 1:
        return reasons[0]
    named = list(zip(zones, reasons, strict=True))[:ZONES_NAMED]
    parts = [Message("{zone}: {reason}", zone=zone.zone.pk, reason=reason) for zone, reason in named]
    return reduce(lambda before, part: Message("{before} {reason}", before=before, reason=part), parts)


def _reason_against(zone: ZonePlan) -> Message:
    error = error_from_document(zone.reasons[0])
    obstacle = error.facts.get("reason")
    if isinstance(error, InstanceNotRelocatable | VolumeNotRelocatable) and isinstance(obstacle, Message):
        return obstacle
    return error.reason


# ---- what goes with an instance, and what does not


def _follow(plan: RemediationPlan, *, is_running: bool) -> int:
    """Advance the other items: volumes follow the instance that they are attached to."""
    items = list(plan.progress.exclude(kind="instance").exclude(state="done"))
    if not items:
        return 0
    holders = _holders(items)
    volumes = Volume.objects.select_related("pool").in_bulk([item.resource_id for item in items])
    instances = {each.resource_id: each for each in plan.progress.filter(kind="instance")}
    changed = 0
    for item in items:
        holder = holders.get(item.resource_id)
        volume = volumes.get(item.resource_id)
        is_in_pool = volume is not None and volume.pool is not None
        leader = instances.get(holder.pk) if holder is not None else None
        if leader is not None and leader.state != "done" and not is_in_pool:
            changed += _follow_instance(item, leader)
        elif leader is not None and leader.state == "done" and plan.state != "approved":
            changed += _change(item, "done")
        elif holder is None and item.kind == "volume" and item.state == "moving":
            changed += _observe(plan, item)
        elif is_running:
            changed += _keep(item, volume, holder)
    return changed


def _holders(items: Sequence[RemediationItem]) -> Mapping[UUID, Instance]:
    """Return the instances that have these volumes, by volume."""
    rows = Attachment.objects.filter(volume_id__in=[item.resource_id for item in items]).select_related("instance")
    return {row.volume_id: row.instance for row in rows}


def _follow_instance(item: RemediationItem, leader: RemediationItem) -> bool:
    """Give the volume's item the state of its instance's."""
    fields = {"reason": leader.reason, "operation_id": leader.operation_id, "next_try_at": leader.next_try_at}
    is_same = item.state == leader.state and all(getattr(item, name) == value for name, value in fields.items())
    return not is_same and _change(item, leader.state, **fields)


def _keep(item: RemediationItem, volume: Volume | None, holder: Instance | None) -> bool:
    """Record why an item stays that neither follows an instance nor has a relocation of its own.

    `volume`: of the item; None: it is none, or was deleted. `holder`: the instance that has it.
    """
    if item.kind in NOT_MOVED:
        return _stay(item, ItemStays(reason=NOT_MOVED[item.kind]).as_document(), wait=EACH_RUN)
    if volume is None:
        return False
    if volume.pool is not None:
        reason = Message(
            "it is in the pool {pool}, which stays in its zone. Retype it to a type of a node's own disk first.",
            pool=volume.pool.name,
        )
    elif holder is not None:
        reason = Message(
            "it is attached to the instance {instance}, which has not drifted. Relocate the instance.",
            instance=holder.name,
        )
    else:
        return False
    return _stay(item, ItemStays(reason=reason).as_document(), wait=EACH_RUN)


# ---- the rows


def _stay(item: RemediationItem, reason: Mapping[str, object], *, wait: timedelta | None = None) -> bool:
    """Record that the item stays and why. True when state or reason changed.

    `wait`: until the next try; None: longer after each try; EACH_RUN: each run looks, which is no try.
    """
    is_counted = wait != EACH_RUN
    delay = min(RETRY_AFTER * 2 ** min(item.tries, 10), RETRY_AFTER_MAX) if wait is None else wait
    fields: dict[str, object] = {"reason": dict(reason)}
    if is_counted:
        fields |= {"next_try_at": clock.now() + delay, "tries": item.tries + 1}
    if item.state == "stays":
        is_news = item.reason != reason
        if is_news or is_counted:
            RemediationItem.objects.filter(pk=item.pk, state="stays").update(**fields, updated_at=clock.now())
        return is_news
    return _change(item, "stays", **fields)


def _change(item: RemediationItem, state: str, **fields: object) -> bool:
    """Change the item's state or fields, unless another process has changed the state. True: changed."""
    if item.state == state:
        return RemediationItem.objects.filter(pk=item.pk, state=state).update(**fields, updated_at=clock.now()) == 1
    try:
        move(item, PLAN_ITEM, state, **({"reason": None} | fields))
    except StateConflict:
        log.debug("item %s was changed concurrently, skipped", item.pk)
        return False
    return True

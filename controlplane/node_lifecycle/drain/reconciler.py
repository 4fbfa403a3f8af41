"""Drains: observe each guest, begin the next ones, and set empty nodes to maintenance.

Only the rows carry over from one run to the next. The current state of a guest counts, not the request: a guest that
was migrated, stopped or deleted by other operations counts as well.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from andromede_core.documents.messages import Message
from controlplane.compute.actions import MOVE
from controlplane.compute.errors import InstanceNotMovable
from controlplane.compute.migration import MigrationOptions, instance_migrate
from controlplane.compute.models import NEVER, Instance
from controlplane.compute.services import instance_shutdown
from controlplane.events.services import publish_event
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.node_lifecycle.drain.candidates import (
    blocking_operations,
    expects_arrivals,
    guests_of,
    is_running,
    start_obstacles,
)
from controlplane.node_lifecycle.drain.drains import guest_of, plan_fields, replan
from controlplane.nodes.admin_state import admin_state_change
from controlplane.nodes.models import DRAIN, DRAIN_GUEST, DRAIN_LIVE, Drain, DrainGuest
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation

log = logging.getLogger(__name__)

# Tenants see these texts, so they name no node.
STOP_REASON = "its node is drained for maintenance, and it cannot be moved"
UNDER_WAY = ("moving", "stopping")
UNFINISHED = ("waiting", *UNDER_WAY)
STUCK = ("left", "failed")
FINAL = ("moved", "gone", "starting", "started")


@dataclass(frozen=True)
class DrainSnapshot:
    """The state of several guests, from one read.

    `instances`: those that exist, by id; `held`: their operations, by instance id; `placed`: the ids of those with an
    allocation on the draining node.
    """

    instances: Mapping[UUID, Instance]
    held: Mapping[UUID, Operation]
    placed: Collection[UUID]


Observe = Callable[[Drain, DrainGuest, DrainSnapshot], bool]
Begin = Callable[[Drain, DrainGuest, Instance], bool | None]


def reconcile() -> int:
    """Returns how many guests have moved on."""
    due = Drain.objects.filter(Q(state__in=DRAIN_LIVE) | Q(guests__state__in=UNDER_WAY), kind="drain").distinct()
    return sum(_advance(drain) for drain in due.select_related("node").order_by("pk"))


def _advance(drain: Drain) -> int:
    if drain.state in DRAIN_LIVE and drain.node.admin_state != "draining":
        cancel_superseded(drain)
    is_live = drain.state in DRAIN_LIVE
    changed = observe_guests(drain, _observe)
    if drain.state == "running" and drain.node.state == "ready":
        changed += begin_all(drain, _begin, "migrate", "stop")
    if is_live:
        _conclude(drain, has_news=changed > 0)
    return changed


def observe_guests(drain: Drain, observe: Observe) -> int:
    """Record the new states of guests; of a drain that is over, of those that were under way.

    Returns how many changed.
    """
    is_live = drain.state in DRAIN_LIVE
    changed = _record_arrivals(drain) if is_live else 0
    rows = drain.guests.exclude(state__in=FINAL) if is_live else drain.guests.filter(state__in=UNDER_WAY)
    guests = list(rows.order_by("order"))
    scene = read_snapshot(drain, guests)
    for guest in guests:
        try:
            changed += observe(drain, guest, scene)
        except StateConflict:
            log.debug("drain %s: guest %s was changed concurrently, skipped", drain.pk, guest.name)
    return changed


def read_snapshot(drain: Drain, guests: Collection[DrainGuest]) -> DrainSnapshot:
    """Read the current state. The number of queries does not depend on the number of guests."""
    ids = [guest.instance_id for guest in guests]
    if not ids:
        return DrainSnapshot({}, {}, ())
    instances = {instance.pk: instance for instance in _instances().filter(pk__in=ids)}
    places = Allocation.objects.filter(consumer_id__in=ids, node=drain.node)
    return DrainSnapshot(
        instances, blocking_operations(instances.values()), set(places.values_list("consumer_id", flat=True))
    )


def cancel_superseded(drain: Drain) -> None:
    """Cancel the drain if the node has another admin state by now, as when it was fenced."""
    try:
        move(drain, DRAIN, "cancelled", finished_at=clock.now())
    except StateConflict:
        log.debug("drain %s was changed concurrently, skipped", drain.pk)


def _record_arrivals(drain: Drain) -> int:
    """Add rows for guests that got an allocation just before the drain, or were migrating to the lost node."""
    listed = set(drain.guests.values_list("instance_id", flat=True))
    new = guests_of(drain.node).exclude(pk__in=listed)
    if not new:
        return 0
    entries = replan(drain, new).entries
    rows = [guest_of(drain, entry, order) for order, entry in enumerate(entries, len(listed) + 1)]
    return len(DrainGuest.objects.bulk_create(rows, ignore_conflicts=True))


# ---- observation of guests


def _observe(drain: Drain, guest: DrainGuest, scene: DrainSnapshot) -> bool:
    """Record the guest's current state. True when it changed."""
    instance = scene.instances.get(guest.instance_id)
    if instance is None or instance.state == "deleted":
        return set_guest_state(guest, "gone")
    holder = scene.held.get(instance.pk)
    if holder is not None:
        return observe_held(guest, holder, our_reason=MOVE)
    if instance.pk not in scene.placed:
        return set_guest_state(guest, "moved")
    if not is_running(instance):
        return _observe_off(drain, guest, instance)
    if guest.state in UNDER_WAY:
        return set_guest_state(guest, "failed", reasons=[_why_still_there(guest)])
    if guest.state == "off" or (guest.state == "waiting" and guest.action in ("stay", "wait")):
        return _replan_running(drain, guest, instance)
    if guest.state == "waiting" and guest.action == "leave":
        return set_guest_state(guest, "left", reasons=guest.reasons)
    return False


def _observe_off(drain: Drain, guest: DrainGuest, instance: Instance) -> bool:
    """Record a stopped guest: it is cold-migrated or left in place; either satisfies the drain."""
    if guest.state == "waiting" and guest.action == "wait":
        return _replan_running(drain, guest, instance)
    if guest.state == "waiting" and guest.action == "migrate":
        return False
    if guest.state == "stopping":
        obstacles = [dict(obstacle) for obstacle in start_obstacles(drain.node, instance)]
        return set_guest_state(guest, "off", starts_again=instance.restart_policy != NEVER, reasons=obstacles)
    reasons = [_why_still_there(guest)] if guest.state == "moving" else []
    if guest.state == "waiting":
        reasons = guest.reasons  # why the plan has it stay
    return set_guest_state(guest, "off", reasons=reasons)


def instance_of(guest: DrainGuest) -> Instance | None:
    """Return the instance with the related rows that the checks read."""
    return _instances().filter(pk=guest.instance_id).first()


def _instances() -> QuerySet[Instance]:
    return Instance.objects.select_related("project", "image", "affinity_group", "node")


def observe_held(guest: DrainGuest, operation: Operation, *, our_reason: str) -> bool:
    """Observe a guest with an operation.

    The operation is ours, of that kind, perhaps begun and not recorded; or another one, whose end is awaited.
    """
    if guest.state != "waiting":
        return False
    if operation.kind == our_reason:
        move(guest, DRAIN_GUEST, "moving", operation_id=operation.pk)
        return True
    record_wait_reason(guest, Busy(kind=operation.kind, blocking_operation=str(operation.pk)))
    return False


def set_guest_state(guest: DrainGuest, state: str, **fields: object) -> bool:
    if guest.state == state:
        return False
    move(guest, DRAIN_GUEST, state, finished_at=clock.now(), **({"reasons": []} | fields))
    return True


def _why_still_there(guest: DrainGuest) -> dict[str, object]:
    """Return why the guest is still on the node although its operation has ended."""
    operation = Operation.objects.filter(pk__in=[guest.operation_id]).first()
    error = operation.error if operation is not None else None
    return (
        error or InstanceNotMovable(reason=Message("its operation ended, but it is still on the node.")).as_document()
    )


def _replan_running(drain: Drain, guest: DrainGuest, instance: Instance) -> bool:
    """Plan a guest again that was off and runs now."""
    (entry,) = replan(drain, [instance]).entries
    if guest.state == "waiting":
        DrainGuest.objects.filter(pk=guest.pk, state="waiting").update(updated_at=clock.now(), **plan_fields(entry))
    else:
        move(
            guest, DRAIN_GUEST, "waiting", finished_at=None, operation_id=None, starts_again=False, **plan_fields(entry)
        )
    return True


def record_wait_reason(guest: DrainGuest, obstacle: CloudError) -> None:
    """Record why the guest waits."""
    reasons = [obstacle.as_document()]
    if guest.reasons != reasons:
        DrainGuest.objects.filter(pk=guest.pk, state=guest.state).update(reasons=reasons, updated_at=clock.now())


# ---- start of guests


def begin_all(drain: Drain, begin: Begin, *actions: str) -> int:
    """Begin the waiting guests with one of these planned actions; return how many have changed.

    `begin` returns None when no more may begin. The number of queries depends only on how many guests it is called for:
    guests with an operation are skipped, and no query is made while the limit of concurrent guests is reached.
    """
    guests = list(drain.guests.filter(state="waiting", action__in=actions).order_by("order"))
    if not guests or drain.guests.filter(state__in=UNDER_WAY).count() >= drain.at_once:
        return 0
    scene, begun = read_snapshot(drain, guests), 0
    for guest in guests:
        instance = scene.instances.get(guest.instance_id)
        if instance is None or guest.instance_id in scene.held:  # the next run retries it
            continue
        outcome = begin(drain, guest, instance)
        if outcome is None:  # no more at once, or it was paused meanwhile
            break
        begun += outcome
    return begun


def _begin(drain: Drain, guest: DrainGuest, instance: Instance) -> bool | None:
    """Begin one guest. True: it is under way or has failed; False: it has to wait; None: the limit is reached."""
    actor = actor_of(drain)
    if guest.action == "stop":
        return _try(drain, guest, "stopping", lambda: instance_shutdown(actor, instance, reason=STOP_REASON))
    start = partial(instance_migrate, actor, instance, options=MigrationOptions(drain.deadline_s, drain.convergence))
    try:
        return _try(drain, guest, "moving", lambda: start(node=guest.target))
    except (InsufficientCapacity, NoPlace, PolicyUnsatisfiable):
        guest.refresh_from_db()
        return _try(drain, guest, "moving", start, is_last=True)


def _try(
    drain: Drain, guest: DrainGuest, state: str, start: Callable[[], Operation], *, is_last: bool = False
) -> bool | None:
    """Request the operation and record it, in one transaction.

    Raises:
        InsufficientCapacity, NoPlace, PolicyUnsatisfiable: unless it `is_last`, and where there is a target, which
            another guest may have filled.
    """
    try:
        with transaction.atomic():
            if not may_begin_another(drain):
                return None
            operation = start()
            move(guest, DRAIN_GUEST, state, operation_id=operation.pk, tries=guest.tries + 1, reasons=[])
    except StateConflict:
        return False
    except CloudError as exc:
        is_refusal = isinstance(exc, InsufficientCapacity | NoPlace | PolicyUnsatisfiable)
        if is_refusal and not is_last and guest.target_id is not None:
            raise
        exc.keep()
        if exc.retryable:
            record_wait_reason(guest, exc)
            return False
        return set_guest_state(guest, _without_a_move(guest), reasons=[exc.as_document()])
    return True


def _without_a_move(guest: DrainGuest) -> str:
    """Record that a stopped guest stays: it does not block the drain."""
    instance = instance_of(guest)
    return "off" if instance is not None and not is_running(instance) else "failed"


def may_begin_another(drain: Drain) -> bool:
    """Tell if one more may begin.

    The lock keeps others from pausing the drain or beginning another guest until the caller's transaction ends.
    """
    row = Drain.objects.select_for_update().get(pk=drain.pk)
    drain.state = row.state
    return row.state == "running" and row.guests.filter(state__in=UNDER_WAY).count() < row.at_once


def actor_of(drain: Drain) -> Actor:
    """Return the drain's requester, with only the platform's own rights."""
    return replace(SYSTEM, user_id=drain.user_id, credential_id=drain.credential_id, request_id=drain.request_id)


# ---- end


def _conclude(drain: Drain, *, has_news: bool) -> None:
    states = Counter(cast(list[str], list(drain.guests.values_list("state", flat=True))))
    is_stuck = any(states[state] for state in STUCK)
    is_over = not any(states[state] for state in UNFINISHED) and not expects_arrivals(drain.node)
    try:
        with transaction.atomic():
            if is_over and not is_stuck and drain.state in ("running", "blocked"):
                _finish(drain)
            elif is_over and drain.state == "running":
                move(drain, DRAIN, "blocked")
                publish_progress(drain, "node.drain-blocked", states)
            elif has_news:
                publish_progress(drain, "node.drain-progress", states)
    except StateConflict:
        log.debug("drain %s was changed concurrently, skipped", drain.pk)


def _finish(drain: Drain) -> None:
    """Set the node to maintenance. A guest that runs there after all is found by the next run."""
    Drain.objects.select_for_update().get(pk=drain.pk)
    drain.node.refresh_from_db(fields=["admin_state"])
    if expects_arrivals(drain.node) or any(is_running(instance) for instance in guests_of(drain.node)):
        return
    move(drain, DRAIN, "done", finished_at=clock.now())
    admin_state_change(actor_of(drain), drain.node, "maintenance", verb="node.maintain", reason=drain.reason)


def publish_progress(drain: Drain, kind: str, states: Counter[str]) -> None:
    node = drain.node
    publish_event(
        None, kind, node.pk, project_id=None, name=node.name, zone=node.zone_id, states=dict(sorted(states.items()))
    )

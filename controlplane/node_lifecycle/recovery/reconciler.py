"""Recoveries: guests of fenced nodes are evacuated, and guests that fit nowhere are tried again.

As with drains (node_lifecycle/drain/reconciler.py), only the rows carry over from one run to the next, and the
current state of a guest counts. Capacity may become free at any time: no request for another attempt is needed.
"""

import logging
from collections import Counter
from datetime import timedelta
from typing import cast

from django.db import transaction
from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.compute.actions import EVACUATION
from controlplane.compute.errors import EvacuationBlocked, InstanceNotEvacuable
from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.node_lifecycle.drain.drains import plan_fields, replan
from controlplane.node_lifecycle.drain.reconciler import (
    UNDER_WAY,
    UNFINISHED,
    DrainSnapshot,
    actor_of,
    begin_all,
    cancel_superseded,
    may_begin_another,
    observe_guests,
    observe_held,
    publish_progress,
    record_wait_reason,
    set_guest_state,
)
from controlplane.node_lifecycle.recovery.evacuation import (
    PLACEMENT_REFUSALS,
    as_evacuation_blocked,
    instance_evacuate,
    record_evacuation_blocked,
)
from controlplane.nodes import incidents
from controlplane.nodes.models import DRAIN, DRAIN_GUEST, DRAIN_LIVE, Drain, DrainGuest, Incident
from controlplane.operations.models import Operation

log = logging.getLogger(__name__)

# Guests that found no node, or whose evacuation failed, are planned again.
RETRY_AFTER = timedelta(seconds=5)
RETRY_FACTOR_MAX = 64
BLOCKED = "evacuation-blocked"


def reconcile() -> int:
    """Returns how many guests have moved on."""
    _end_blocked_incidents()
    due = Drain.objects.filter(Q(state__in=DRAIN_LIVE) | Q(guests__state__in=UNDER_WAY), kind="recover").distinct()
    return sum(_advance(recovery) for recovery in due.select_related("node").order_by("pk"))


def _advance(recovery: Drain) -> int:
    if recovery.state in DRAIN_LIVE and recovery.node.admin_state != "fenced":
        cancel_superseded(recovery)
    is_live = recovery.state in DRAIN_LIVE
    changed = observe_guests(recovery, _observe)
    if recovery.state == "blocked" and recovery.guests.filter(state__in=UNFINISHED).exists():
        _go_on(recovery)
    if recovery.state == "running":
        changed += begin_all(recovery, _begin, "evacuate")
    if is_live:
        _conclude(recovery, has_news=changed > 0)
    return changed


def _go_on(recovery: Drain) -> None:
    """Continue after a blocked guest has found a node."""
    try:
        move(recovery, DRAIN, "running")
    except StateConflict:
        log.debug("recovery %s was changed concurrently, skipped", recovery.pk)


# ---- observation of guests


def _observe(recovery: Drain, guest: DrainGuest, scene: DrainSnapshot) -> bool:
    """Record the guest's current state. True when it changed."""
    instance = scene.instances.get(guest.instance_id)
    if instance is None or instance.state == "deleted":
        return set_guest_state(guest, "gone")
    holder = scene.held.get(instance.pk)
    if holder is not None:
        return observe_held(guest, holder, our_reason=EVACUATION)
    if instance.pk not in scene.placed:
        return set_guest_state(guest, "moved" if instance.node_id is not None else "gone")
    if guest.state == "moving":
        return set_guest_state(guest, "failed", reasons=[_why_still_down(guest)])
    if guest.state == "waiting":
        return _observe_waiting(recovery, guest, instance)
    return guest.state in ("failed", "left") and _is_due(guest) and _replan_changed(recovery, guest, instance)


def _is_due(guest: DrainGuest) -> bool:
    """Tell if the next attempt is due: repeated failures grow the pause."""
    pause = RETRY_AFTER * min(2**guest.tries, RETRY_FACTOR_MAX)
    return guest.finished_at is None or guest.finished_at + pause <= clock.now()


def _observe_waiting(recovery: Drain, guest: DrainGuest, instance: Instance) -> bool:
    if guest.action == "wait":
        return _replan_changed(recovery, guest, instance)
    return guest.action == "stay" and set_guest_state(guest, "left", reasons=guest.reasons)


def _why_still_down(guest: DrainGuest) -> dict[str, object]:
    """Return why the guest is still on its old node although its operation has ended."""
    operation = Operation.objects.filter(pk__in=[guest.operation_id]).first()
    error = operation.error if operation is not None else None
    if error is None:
        return InstanceNotEvacuable(reason=Message("its operation ended, but it is still on the node.")).as_document()
    return as_evacuation_blocked(error) if error["code"] in {refusal.code for refusal in PLACEMENT_REFUSALS} else error


def _replan_changed(recovery: Drain, guest: DrainGuest, instance: Instance) -> bool:
    """Plan again a guest whose obstacle may be over. True when that is so."""
    (entry,) = replan(recovery, [instance]).entries
    now, fields = clock.now(), plan_fields(entry)
    if entry.action == "evacuate" and entry.target is not None:
        if guest.state == "waiting":
            DrainGuest.objects.filter(pk=guest.pk, state="waiting").update(updated_at=now, **fields)
        else:
            move(guest, DRAIN_GUEST, "waiting", finished_at=None, operation_id=None, **fields)
        return True
    if guest.state == "waiting":
        DrainGuest.objects.filter(pk=guest.pk, state="waiting").update(updated_at=now, **fields)
        return entry.action != "wait"
    DrainGuest.objects.filter(pk=guest.pk, state=guest.state).update(
        finished_at=now, updated_at=now, reasons=fields["reasons"] or guest.reasons
    )
    return False


# ---- start of guests


def _begin(recovery: Drain, guest: DrainGuest, instance: Instance) -> bool | None:
    """Begin one guest. True: it is under way or has failed; False: it has to wait; None: the limit is reached.

    The destination is decided anew, since capacity may be taken or free by now. If there is none, the tenant sees why.
    """
    try:
        with transaction.atomic():
            if not may_begin_another(recovery):
                return None
            operation = instance_evacuate(actor_of(recovery), instance, reason=recovery.reason)
            move(guest, DRAIN_GUEST, "moving", operation_id=operation.pk, tries=guest.tries + 1, reasons=[])
    except StateConflict:
        return False
    except PLACEMENT_REFUSALS as exc:
        exc.keep()
        blocked = record_evacuation_blocked(instance, exc)
        return set_guest_state(guest, "failed", reasons=guest.reasons or [blocked])
    except CloudError as exc:
        exc.keep()
        if exc.retryable:
            record_wait_reason(guest, exc)
            return False
        return set_guest_state(guest, "failed", reasons=[exc.as_document()])
    return True


# ---- end


def _conclude(recovery: Drain, *, has_news: bool) -> None:
    states = Counter(cast(list[str], list(recovery.guests.values_list("state", flat=True))))
    is_over = not any(states[state] for state in UNFINISHED)
    _record_blocked(recovery)
    try:
        with transaction.atomic():
            if is_over and not states["failed"] and recovery.state in ("running", "blocked"):
                move(recovery, DRAIN, "done", finished_at=clock.now())
                publish_progress(recovery, "node.recovered", states)
            elif is_over and recovery.state == "running":
                move(recovery, DRAIN, "blocked")
                publish_progress(recovery, "node.recovery-blocked", states)
            elif has_news:
                publish_progress(recovery, "node.recovery-progress", states)
    except StateConflict:
        log.debug("recovery %s was changed concurrently, skipped", recovery.pk)


def _end_blocked_incidents() -> None:
    """End the incidents of nodes without a recovery."""
    open_incidents = Incident.objects.filter(kind=BLOCKED, ended_at=None)
    live = Drain.objects.filter(kind="recover", state__in=DRAIN_LIVE).values("node_id")
    for incident in open_incidents.exclude(node__in=live).select_related("node"):
        incidents.end(incident.node, BLOCKED)


def _record_blocked(recovery: Drain) -> None:
    """Keep an incident of the lost node while no other node admits its guests."""
    rows = recovery.guests.filter(state="failed", reasons__0__code=EvacuationBlocked.code)
    names = [str(instance_id) for instance_id in rows.values_list("instance_id", flat=True)]
    incidents.reconcile(recovery.node, {BLOCKED: names})

"""Returns after a drain: guests that the drain shut down are started, once their node takes guests again.

The node was returned, or the drain was cancelled. A guest that its users have started or stopped since is left alone,
and so is one whose policy forbids automatic starts.
"""

import logging
from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q

from controlplane.compute.models import NEVER, Instance
from controlplane.compute.services import instance_start
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.node_lifecycle.drain import reconciler
from controlplane.node_lifecycle.drain.candidates import is_running
from controlplane.node_lifecycle.drain.reconciler import DrainSnapshot, actor_of, read_snapshot, record_wait_reason
from controlplane.nodes.models import DRAIN_GUEST, DRAIN_LIVE, IN_SERVICE, Drain, DrainGuest
from controlplane.operations.models import Operation

log = logging.getLogger(__name__)

REASON = "its node was drained, and takes guests again"
POWER = ("instance.start", "instance.shutdown", "instance.power-off")


def drains_and_returns() -> int:
    """Advance drains, then returns: one after the other, since both write the guests of a drain."""
    return reconciler.reconcile() + reconcile()


def reconcile() -> int:
    """Returns how many guests have moved on."""
    is_owed = Q(guests__state="off", guests__starts_again=True, node__admin_state__in=(IN_SERVICE, "cordoned"))
    over = Drain.objects.exclude(state__in=DRAIN_LIVE)
    due = over.filter(Q(guests__state="starting") | (is_owed & Q(node__state="ready"))).distinct()
    return sum(_advance(drain) for drain in due.select_related("node").order_by("pk"))


def _advance(drain: Drain) -> int:
    """Advance these guests. The number of queries depends only on how many guests change."""
    starting = list(drain.guests.filter(state="starting").order_by("order"))
    scene = read_snapshot(drain, starting)
    changed = sum(_observe(drain, guest, scene) for guest in starting)
    under_way = sum(guest.state == "starting" for guest in starting)
    takes_guests = drain.node.admin_state in (IN_SERVICE, "cordoned") and drain.node.state == "ready"
    if takes_guests and under_way < drain.at_once:
        changed += _begin_all(drain, room=drain.at_once - under_way)
    return changed


def _begin_all(drain: Drain, *, room: int) -> int:
    """Start at most `room` guests."""
    guests = list(drain.guests.filter(state="off", starts_again=True).order_by("order"))
    scene, touched = read_snapshot(drain, guests), _touched(guests)
    changed = 0
    for guest in guests:
        if room == 0:
            break
        changed += _observe(drain, guest, scene, touched)
        room -= guest.state == "starting"
    return changed


def _observe(drain: Drain, guest: DrainGuest, scene: DrainSnapshot, touched: Collection[UUID] = ()) -> bool:
    """Record the guest's current state, or begin to start it. True when the state changed."""
    try:
        instance = scene.instances.get(guest.instance_id)
        if instance is None or instance.state == "deleted":
            return _ends(guest, "gone")
        if instance.pk in scene.held:
            return False
        if instance.pk not in scene.placed:
            return _ends(guest, "moved")
        if is_running(instance):
            return _ends(guest, "started")
        if guest.state == "starting":
            return _ends(guest, "off", reasons=_why_off(guest))
        if instance.restart_policy == NEVER or instance.state != "stopped" or instance.pk in touched:
            return _stays_off(guest)
        return _start(drain, guest, instance)
    except StateConflict:
        log.debug("drain %s: guest %s was changed concurrently, skipped", drain.pk, guest.name)
        return False


def _touched(guests: Collection[DrainGuest]) -> set[UUID]:
    """Return the ids of the instances that users started or stopped after the drain's shutdown."""
    drain_operations = {
        each.pk: each.created_at for each in Operation.objects.filter(pk__in=[row.operation_id for row in guests])
    }
    changes = Operation.objects.filter(resource_id__in=[row.instance_id for row in guests], kind__in=POWER)
    last = dict(changes.values_list("resource_id").annotate(Max("created_at")))

    def is_touched(guest: DrainGuest) -> bool:
        stopped_at = drain_operations.get(guest.operation_id) if guest.operation_id is not None else None
        return stopped_at is None or (guest.instance_id in last and last[guest.instance_id] > stopped_at)

    return {guest.instance_id for guest in guests if is_touched(guest)}


def _start(drain: Drain, guest: DrainGuest, instance: Instance) -> bool:
    """Begin the start and record it, in one transaction."""
    try:
        with transaction.atomic():
            operation = instance_start(actor_of(drain), instance, reason=REASON)
            move(guest, DRAIN_GUEST, "starting", operation_id=operation.pk, finished_at=None, reasons=[])
    except StateConflict:
        raise
    except CloudError as exc:
        exc.keep()
        if not exc.retryable:
            log.warning("drain %s: guest %s stays off: %s", drain.pk, guest.name, exc)
            return _stays_off(guest, reasons=[exc.as_document()])
        record_wait_reason(guest, exc)
        return False
    return True


def _why_off(guest: DrainGuest) -> list[object]:
    operation = Operation.objects.filter(pk__in=[guest.operation_id]).first()
    return [operation.error] if operation is not None and operation.error else []


def _stays_off(guest: DrainGuest, **fields: object) -> bool:
    changed = DrainGuest.objects.filter(pk=guest.pk, state="off", starts_again=True)
    return changed.update(starts_again=False, updated_at=clock.now(), **fields) > 0


def _ends(guest: DrainGuest, state: str, **fields: object) -> bool:
    if guest.state == state:
        return _stays_off(guest, **fields)
    move(guest, DRAIN_GUEST, state, finished_at=clock.now(), starts_again=False, **({"reasons": []} | fields))
    return True

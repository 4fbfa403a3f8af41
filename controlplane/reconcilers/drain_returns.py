"""What a drain has shut down is started again, once its node takes guests: it was returned, or the drain was given up.

A guest that its people have turned on or off since is left as they left it, and so is one whose policy says that it is
never started again by itself.
"""

import logging
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from controlplane.compute.drain_survey import held_by, is_running
from controlplane.compute.models import NEVER, Instance
from controlplane.compute.services import instance_start
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.nodes.models import DRAIN_GUEST, DRAIN_LIVE, IN_SERVICE, Drain, DrainGuest
from controlplane.operations.models import Operation
from controlplane.placement.models import Allocation
from controlplane.reconcilers import drains
from controlplane.reconcilers.drains import actor_of, instance_of, note

log = logging.getLogger(__name__)

REASON = "its node was drained, and takes guests again"
POWER = ("instance.start", "instance.shutdown", "instance.power-off")


def drains_and_returns() -> int:
    """Advance drains, then returns: one after the other, since both write the guests of a drain."""
    return drains.reconcile() + reconcile()


def reconcile() -> int:
    """Returns how many guests have moved on."""
    is_owed = Q(guests__state="off", guests__starts_again=True, node__duty__in=(IN_SERVICE, "cordoned"))
    over = Drain.objects.exclude(state__in=DRAIN_LIVE)
    due = over.filter(Q(guests__state="starting") | (is_owed & Q(node__state="ready"))).distinct()
    return sum(_advance(drain) for drain in due.select_related("node").order_by("pk"))


def _advance(drain: Drain) -> int:
    changed = sum(_observe(drain, guest) for guest in drain.guests.filter(state="starting").order_by("order"))
    takes_guests = drain.node.duty in (IN_SERVICE, "cordoned") and drain.node.state == "ready"
    if takes_guests:
        changed += _begin_all(drain, list(drain.guests.filter(state="off", starts_again=True).order_by("order")))
    return changed


def _begin_all(drain: Drain, guests: Sequence[DrainGuest]) -> int:
    begun = 0
    for guest in guests:
        if drain.guests.filter(state="starting").count() >= drain.at_once:
            break
        begun += _observe(drain, guest)
    return begun


def _observe(drain: Drain, guest: DrainGuest) -> bool:
    """Note what it is now, or begin to start it. True when that is something else than before."""
    try:
        instance = instance_of(guest)
        if instance is None or instance.state == "deleted":
            return _ends(guest, "gone")
        if held_by([instance]):
            return False
        if not Allocation.objects.filter(consumer_id=instance.pk, node=drain.node).exists():
            return _ends(guest, "moved")
        if is_running(instance):
            return _ends(guest, "started")
        if guest.state == "starting":
            return _ends(guest, "off", reasons=_why_off(guest))
        if instance.restart_policy == NEVER or instance.state != "stopped" or _was_touched(guest):
            return _stays_off(guest)
        return _start(drain, guest, instance)
    except StateConflict:
        log.debug("drain %s: another process has seen to %s", drain.pk, guest.name)
        return False


def _was_touched(guest: DrainGuest) -> bool:
    """Somebody has turned it on or off since the drain did."""
    ours = Operation.objects.filter(pk__in=[guest.operation_id]).first()
    if ours is None:
        return True
    later = Operation.objects.filter(resource_id=guest.instance_id, kind__in=POWER, created_at__gt=ours.created_at)
    return later.exists()


def _start(drain: Drain, guest: DrainGuest, instance: Instance) -> bool:
    """In one transaction with the note of it."""
    try:
        with transaction.atomic():
            operation = instance_start(actor_of(drain), instance, reason=REASON)
            move(guest, DRAIN_GUEST, "starting", operation_id=operation.pk, finished_at=None, reasons=[])
    except StateConflict:
        raise
    except CloudError as exc:
        exc.keep()
        if not exc.retryable:
            log.warning("drain %s: %s stays off: %s", drain.pk, guest.name, exc)
            return _stays_off(guest, reasons=[exc.as_document()])
        note(guest, exc)
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

"""Fan-out from the feed to deliveries: one for each webhook whose filter matches an event, in the order of the feed."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from controlplane.events import kinds
from controlplane.events.models import Event
from controlplane.events.services import assign_positions
from controlplane.kernel import clock
from controlplane.webhooks import wakeups
from controlplane.webhooks.models import Delivery, FanOut, Webhook

BATCH = 500  # events per transaction
WEBHOOKS_MAX = 500  # wake-ups per call


def dispatch() -> None:
    """Create the deliveries of new events.

    Safe to run twice at once, or to crash: position and deliveries are one commit.
    """
    assign_positions()
    while _fan_out() == BATCH:
        pass
    for webhook_id in due_webhooks():
        wakeups.send(webhook_id)


@transaction.atomic
def _fan_out() -> int:
    mark = _mark_locked()
    events = list(Event.objects.filter(position__gt=mark.position).order_by("position")[:BATCH])
    if events:
        Delivery.objects.bulk_create(_deliveries(events), ignore_conflicts=True)
        FanOut.objects.filter(pk=1).update(position=events[-1].position)
    return len(events)


def _mark_locked() -> FanOut:
    mark = FanOut.objects.select_for_update().filter(pk=1).first()
    if mark is None:
        FanOut.objects.bulk_create([FanOut()], ignore_conflicts=True)
        mark = FanOut.objects.select_for_update().get(pk=1)
    return mark


def _deliveries(events: Sequence[Event]) -> Iterator[Delivery]:
    projects = {event.project_id for event in events}
    organizations = {event.organization_id for event in events if event.project_id is None}
    concerned = Q(project_id__in=projects) | Q(project__organization_id__in=organizations)
    webhooks = list(Webhook.objects.filter(concerned, is_enabled=True).select_related("project"))
    now = clock.now()
    for event in events:
        for webhook in webhooks:
            if _wants(webhook, event):
                yield Delivery(webhook=webhook, event=event, due_at=now)


def _wants(webhook: Webhook, event: Event) -> bool:
    """Return True if the webhook's filter matches the event. A ping has its delivery already."""
    if event.kind == kinds.PING or (event.position or 0) <= webhook.begins_after:
        return False
    if event.project_id is None:
        is_concerned = event.organization_id == webhook.project.organization_id
    else:
        is_concerned = event.project_id == webhook.project_id
    return is_concerned and any(kinds.matches(pattern, event.kind) for pattern in webhook.kinds)


def due_webhooks() -> list[UUID]:
    """Return the webhooks with due deliveries and without a lease."""
    now = clock.now()
    due = Delivery.objects.filter(webhook=OuterRef("pk"), state="pending", due_at__lte=now)
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    return list(Webhook.objects.filter(Exists(due), is_free).values_list("pk", flat=True)[:WEBHOOKS_MAX])

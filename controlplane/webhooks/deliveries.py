"""Delivery of events: one worker per webhook, one event after the other, each at least once.

A worker that crashes leaves a delivery lease that expires; the next one continues with the first event without an
outcome, which may have arrived already: `webhook-id` is the same then.
"""

import logging
import random
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from controlplane.audit.services import record
from controlplane.events.representation import as_json
from controlplane.events.services import assign_positions
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.ids import new_id
from controlplane.webhooks import delivery_metrics, secrets, sender, wakeups
from controlplane.webhooks.models import DELIVERY, Delivery, Trouble, Webhook
from controlplane.webhooks.project_limits import project_thread
from controlplane.webhooks.sender import Outcome
from controlplane.webhooks.services import fail_pending

log = logging.getLogger(__name__)

# Seconds from each failed attempt to the next: a day in all.
PAUSES_S = (5, 30, 120, 300, 900, 1800, 3600, 7200, 10800, 14400, 21600, 25200)
JITTER = (0.8, 1.2)
RUN_MAX = 20  # deliveries per lease, before another webhook is served
ATTEMPTS_KEPT = 20
HTTP_GONE = 410


def deliver(webhook_id: UUID) -> int:
    """Send the due deliveries, until none is left or other webhooks have waited long enough.

    Returns the number of attempts: 0 while as many threads as one project may use send for the webhook's project;
    `dispatch` sends another wake-up.
    """
    project_id = Webhook.objects.filter(pk=webhook_id).values_list("project_id", flat=True).first()
    if project_id is None:
        return 0
    with project_thread(project_id) as is_free:
        return _deliver(webhook_id) if is_free else 0


def _deliver(webhook_id: UUID) -> int:
    token = take_lease(webhook_id)
    if token is None:
        return 0
    count = 0
    try:
        while count < RUN_MAX and _deliver_next(webhook_id, token):
            count += 1
    finally:
        Webhook.objects.filter(pk=webhook_id, lease_token=token).update(lease_token=None, lease_expires_at=None)
    if count == RUN_MAX:
        wakeups.send(webhook_id)
    return count


def take_lease(webhook_id: UUID) -> UUID | None:
    """Acquire the delivery lease; None: another worker has it, or the webhook is disabled or deleted."""
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=clock.now())
    token = new_id()
    free = Webhook.objects.filter(is_free, pk=webhook_id, is_enabled=True)
    return token if free.update(lease_token=token, lease_expires_at=_lease_end()) == 1 else None


def _lease_end() -> datetime:
    return clock.now() + timedelta(seconds=3 * settings.WEBHOOK_TIMEOUT_S)


def _deliver_next(webhook_id: UUID, token: UUID) -> bool:
    """Send the next delivery. False: there is none, or another worker has the lease."""
    mine = Webhook.objects.filter(pk=webhook_id, lease_token=token, is_enabled=True)
    if mine.update(lease_expires_at=_lease_end()) != 1:
        return False
    delivery = _next(webhook_id)
    if delivery is None:
        return False
    started_at = clock.now()
    outcome = _send(delivery, at=started_at)
    delivery_metrics.record_attempt(outcome)
    with transaction.atomic():
        webhook = mine.select_for_update().first()
        if webhook is None:
            return False
        delivery.attempts = [*delivery.attempts, _entry(outcome, started_at)][-ATTEMPTS_KEPT:]
        _record_outcome(webhook, delivery, outcome)
    return True


def _next(webhook_id: UUID) -> Delivery | None:
    due = Delivery.objects.filter(webhook_id=webhook_id, state="pending", due_at__lte=clock.now())
    if due.filter(event__position=None).exists():
        assign_positions()
    return due.select_related("event", "webhook").order_by("event__position").first()


def _send(delivery: Delivery, *, at: datetime) -> Outcome | None:
    """Send one delivery; None: it cannot be signed."""
    body, message_id = as_json(delivery.event), str(delivery.event.id)
    signature = secrets.signature(delivery.webhook, message_id=message_id, at=at, body=body)
    if signature is None:
        return None
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    return sender.post(delivery.webhook.url, headers=headers, body=body.encode())


def _entry(outcome: Outcome | None, at: datetime) -> dict[str, object]:
    return {
        "at": at.isoformat(),
        "status_code": outcome.status_code if outcome else None,
        "duration_ms": outcome.duration_ms if outcome else 0,
        "error": outcome.error if outcome else "unsigned",
    }


def _record_outcome(webhook: Webhook, delivery: Delivery, outcome: Outcome | None) -> None:
    """Record the outcome and schedule the next attempt, in one transaction."""
    tries = delivery.tries + 1
    if outcome is not None and not outcome.error:
        _end(delivery, "succeeded", tries)
        return
    trouble = _trouble(outcome, tries)
    if trouble is not None:
        _end(delivery, "failed", tries)
        disable(webhook, trouble)
        return
    due_at = clock.now() + timedelta(seconds=PAUSES_S[tries - 1] * random.uniform(*JITTER))
    mine = Delivery.objects.filter(pk=delivery.pk, state="pending")
    mine.update(tries=tries, due_at=due_at, attempts=delivery.attempts, updated_at=clock.now())
    if outcome is not None and outcome.is_receiver_down:
        # The receiver would not accept the other events either; they wait with this one, and their order is kept.
        Delivery.objects.filter(webhook=webhook, state="pending", due_at__lt=due_at).update(due_at=due_at)


def _trouble(outcome: Outcome | None, tries: int) -> str | None:
    """Return the reason to disable the webhook, if there is one."""
    if outcome is None:
        return Trouble.UNREADABLE
    if outcome.status_code == HTTP_GONE:
        return Trouble.GONE
    return Trouble.FAILING if tries > len(PAUSES_S) else None


def _end(delivery: Delivery, state: str, tries: int) -> None:
    """End a delivery, unless it was cancelled meanwhile."""
    if Delivery.objects.filter(pk=delivery.pk, state="pending").exists():
        move(delivery, DELIVERY, state, tries=tries, attempts=delivery.attempts, finished_at=clock.now())


def disable(webhook: Webhook, trouble: str) -> None:
    """Disable a webhook. Inside the caller's transaction. The feed and other webhooks report it to its owner."""
    now = clock.now()
    Webhook.objects.filter(pk=webhook.pk).update(
        is_enabled=False, trouble=trouble, trouble_at=now, updated_at=now, lease_token=None, lease_expires_at=None
    )
    fail_pending(webhook.pk)
    record(SYSTEM, "webhook.disable", webhook.pk, project_id=webhook.project_id, name=webhook.name, reason=str(trouble))
    log.warning("webhook %s disabled: %s", webhook.pk, trouble)

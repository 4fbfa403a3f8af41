"""Wake-ups of workers for webhooks with due deliveries. A wake-up may be lost: dispatch sends another one."""

import logging
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

DELIVER = "controlplane.webhooks.tasks.deliver"
EXPIRES_S = 10


def send(webhook_id: UUID) -> None:
    """Send a wake-up. Never fails."""
    try:
        current_app.send_task(DELIVER, args=[str(webhook_id)], expires=EXPIRES_S, retry=False)
    except OperationalError as exc:
        log.warning("webhook %s: wake-up not sent: %s", webhook_id, exc)

"""Wake-ups of workers for webhooks with due deliveries. A wake-up may be lost: dispatch sends another one."""

from uuid import UUID

from controlplane.kernel.wakeups import send_wakeup

DELIVER = ("controlplane.webhooks.tasks.deliver", "webhooks")
EXPIRES_S = 10


def send(webhook_id: UUID) -> None:
    """Send a wake-up. Never fails."""
    send_wakeup(DELIVER, [str(webhook_id)], expires_s=EXPIRES_S)

"""Celery task for deliveries, on a queue of its own: slow receivers do not delay operations."""

from uuid import UUID

from celery import shared_task

from controlplane.webhooks import deliveries


@shared_task(name="controlplane.webhooks.tasks.deliver")
def deliver(webhook_id: str) -> None:
    deliveries.deliver(UUID(webhook_id))

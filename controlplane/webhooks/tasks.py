"""The Celery task, on a queue of their own: receivers that are slow keep no operation waiting."""

from uuid import UUID

from celery import shared_task

from controlplane.webhooks import deliveries


@shared_task(name="controlplane.webhooks.tasks.deliver")
def deliver(webhook_id: str) -> None:
    deliveries.deliver(UUID(webhook_id))

"""The Celery task of the outbox; config/settings.py says how often it runs."""

from celery import shared_task

from controlplane.events import services


@shared_task(name="controlplane.events.tasks.forget_old")
def forget_old() -> None:
    services.forget_old()

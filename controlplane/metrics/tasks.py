"""The Celery tasks of metrics; config/settings.py says how often they run."""

from celery import shared_task

from controlplane.metrics import services


@shared_task(name="controlplane.metrics.tasks.roll_up")
def roll_up() -> None:
    services.roll_up()


@shared_task(name="controlplane.metrics.tasks.forget_old")
def forget_old() -> None:
    services.forget_old()
    services.forget_deleted()

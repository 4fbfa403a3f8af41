"""The Celery tasks of sign-in; config/settings.py says how often they run."""

from celery import shared_task

from controlplane.signin.sessions import purge


@shared_task(name="controlplane.signin.tasks.sessions")
def sessions() -> None:
    purge()

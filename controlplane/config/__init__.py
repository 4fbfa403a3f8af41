"""Settings, URLs, Celery and WSGI entry points. It starts all processes, and no other package imports it."""

from controlplane.config.celery import app as celery_app

__all__ = ["celery_app"]

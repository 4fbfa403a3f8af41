"""Starts everything and is imported by nothing: settings, URLs, Celery and WSGI entry points."""

from controlplane.config.celery import app as celery_app

__all__ = ["celery_app"]

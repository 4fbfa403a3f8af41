"""The Celery application. Workers: `celery -A controlplane.config worker`; periodic work: `… beat`."""

from celery import Celery

app = Celery("andromede")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()

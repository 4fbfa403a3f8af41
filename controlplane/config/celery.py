"""The Celery application. Workers: `celery -A controlplane.config worker`; periodic work: `… beat`."""

import sys
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, task_prerun
from django.db import close_old_connections

app = Celery("andromede")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would open a connection to the database for every task, which costs more than many a task does.
app.conf.CELERY_DB_REUSE_MAX = sys.maxsize
app.autodiscover_tasks()
app.set_default()


def keep_good_connections(**_: Any) -> None:
    """As Django does it for requests: by CONN_MAX_AGE, and never one that was broken."""
    close_old_connections()


task_prerun.connect(keep_good_connections)


def begin_worker(**_: Any) -> None:
    # Here, since gunicorn imports this package before it has said where its workers count (gunicorn.py).
    from controlplane.kernel import observed, observed_tasks

    observed_tasks.watch()
    observed.start("database", "redis")


def begin_beat(**_: Any) -> None:
    from controlplane.kernel import observed

    observed.start("redis")


celeryd_init.connect(begin_worker)
beat_init.connect(begin_beat)

"""The Celery application. Workers: `celery -A controlplane.config worker`; periodic work: `… beat`."""

import logging.config
import sys
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, setup_logging, task_prerun
from django.conf import settings
from django.db import close_old_connections
from kombu.transport import TRANSPORT_ALIASES

TRANSPORT_ALIASES["redis"] = "controlplane.kernel.broker:Transport"
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


def log_as_all_others(**_: Any) -> None:
    """Celery keeps its hands off the log when somebody else sets it up."""
    logging.config.dictConfig(settings.LOGGING)


def begin_worker(sender: str, **_: Any) -> None:
    """`sender`: its name, such as signer@machine."""
    # Here, since gunicorn imports this package before it has said where its workers count (gunicorn.py).
    from controlplane.kernel import observed, observed_tasks

    observed_tasks.watch()
    name = sender.partition("@")[0]
    observed.start("worker" if name == "celery" else name, "database", "migrations", "redis")


def begin_beat(**_: Any) -> None:
    from controlplane.kernel import observed

    observed.start("beat", "redis")


setup_logging.connect(log_as_all_others)
celeryd_init.connect(begin_worker)
beat_init.connect(begin_beat)

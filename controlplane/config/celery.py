"""The Celery application: `celery --app controlplane.config worker --queues …`. What a process does follows from the
queues that it reads: it carries out their messages, and runs their periodic work (config/periodic.py)."""

import logging.config
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, celeryd_init, setup_logging, task_prerun, worker_shutting_down
from django.conf import settings
from django.db import close_old_connections
from kombu.transport import TRANSPORT_ALIASES

from controlplane.config import env

# Django's checks load all routes and views, which no worker needs: 30 MiB. `manage.py` and the tests run them.
env.set_variable("CELERY_SKIP_CHECKS", "true")
TRANSPORT_ALIASES["redis"] = "controlplane.kernel.kombu_transport:Transport"
app = Celery("andromede")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would open a connection to the database for every task, which costs more than many a task does.
app.conf.CELERY_DB_REUSE_MAX = sys.maxsize
app.set_default()

# Where the tasks of each queue are: a process imports those of its own queues alone, with all that they need.
TASKS = {
    "operations": "controlplane.workflows.tasks",
    "transfers": "controlplane.workflows.tasks",
    "imports": "controlplane.workflows.tasks",
    "urgent": "controlplane.workflows.tasks",
    "periodic": "controlplane.reconcilers.tasks",
    "signer": "controlplane.signer.tasks",
    "sentinel": "controlplane.signer.tasks",
    "webhooks": "controlplane.webhooks.tasks",
}


def keep_good_connections(**_: Any) -> None:
    """As Django does it for requests: by CONN_MAX_AGE, and never one that was broken."""
    close_old_connections()


task_prerun.connect(keep_good_connections)


def configure_logging(**_: Any) -> None:
    """Celery keeps its hands off the log when somebody else sets it up."""
    logging.config.dictConfig(settings.LOGGING)


def begin_worker(sender: str, options: dict[str, Any], **_: Any) -> None:
    """`sender`: its name, such as signer@machine."""
    # Here, since gunicorn imports this package before it has said where its workers count (gunicorn.py).
    from controlplane.kernel import celery_metrics, health, periodic

    register_only(_queues(options.get("queues")))
    celery_metrics.watch()
    name = sender.partition("@")[0]
    health.start(
        "worker" if name == "celery" else name, "database", "migrations", "redis", periodic=periodic.check_overruns
    )


def register_only(queues: Iterable[str]) -> None:
    """The tasks of these queues. A copy of a process that knows others forgets those: what arrives for them by mistake
    is refused, as in a process that has never imported them."""
    mine = {TASKS[queue] for queue in queues}
    for module in mine:
        import_module(module)
    others = {*TASKS.values()} - mine
    for name, task in list(app.tasks.items()):
        if task.__module__ in others:
            app.tasks.unregister(name)


def _queues(named: str | Iterable[str] | None) -> list[str]:
    """Of the option --queues; without it, all."""
    return [*TASKS] if not named else named.split(",") if isinstance(named, str) else [*named]


def begin_periodic(instance: Any, **_: Any) -> None:
    """`instance`: the worker, which knows its queues by now. Redis need not answer for what is periodic."""
    from controlplane.config.periodic import JOBS
    from controlplane.kernel import periodic

    periodic.start(instance.app.amqp.queues.consume_from, JOBS)


def end_in_order(**_: Any) -> None:
    """Nothing new is begun."""
    from controlplane.kernel import periodic, shutdown

    shutdown.requested.set()
    periodic.stop()


setup_logging.connect(configure_logging)
celeryd_init.connect(begin_worker)
celeryd_after_setup.connect(begin_periodic)
worker_shutting_down.connect(end_in_order)

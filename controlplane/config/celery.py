"""The Celery application: `celery --app controlplane.config worker --queues …`.

The queues of a process determine its work: it carries out their messages, and runs their periodic jobs
(config/periodic.py).
"""

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

# Modules of the tasks of each queue: a process imports only those of its own queues, with their dependencies.
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
    """Close connections after CONN_MAX_AGE, and broken ones at once, as Django does for requests."""
    close_old_connections()


task_prerun.connect(keep_good_connections)


def configure_logging(**_: Any) -> None:
    """Keep Celery from configuring the log: a connected signal handler disables that."""
    logging.config.dictConfig(settings.LOGGING)


def begin_worker(sender: str, options: dict[str, Any], **_: Any) -> None:
    """Begin the work of a process. `sender`: its name, such as signer@machine."""
    # Imported here, since gunicorn imports this package before it has set the folder of the workers' metrics
    # (gunicorn.py).
    from controlplane.kernel import celery_metrics, health, periodic

    register_only(_queues(options.get("queues")))
    celery_metrics.watch()
    name = sender.partition("@")[0]
    health.start(
        "worker" if name == "celery" else name, "database", "migrations", "redis", periodic=periodic.check_overruns
    )


def register_only(queues: Iterable[str]) -> None:
    """Register only the tasks of these queues.

    A forked process that knows others drops those: it rejects a misdirected message like a process that has never
    imported the task.
    """
    mine = {TASKS[queue] for queue in queues}
    for module in mine:
        import_module(module)
    others = {*TASKS.values()} - mine
    for name, task in list(app.tasks.items()):
        if task.__module__ in others:
            app.tasks.unregister(name)


def _queues(named: str | Iterable[str] | None) -> list[str]:
    """Return the queues of the option --queues; without it, all."""
    return [*TASKS] if not named else named.split(",") if isinstance(named, str) else [*named]


def begin_periodic(instance: Any, **_: Any) -> None:
    """Start the periodic jobs.

    `instance`: the worker, which knows its queues by now. Periodic jobs do not need Redis.
    """
    from controlplane.config.periodic import JOBS
    from controlplane.kernel import periodic

    periodic.start(instance.app.amqp.queues.consume_from, JOBS)


def end_in_order(**_: Any) -> None:
    """Stop the periodic jobs: running ones continue, no others begin."""
    from controlplane.kernel import periodic, shutdown

    shutdown.requested.set()
    periodic.stop()


setup_logging.connect(configure_logging)
celeryd_init.connect(begin_worker)
celeryd_after_setup.connect(begin_periodic)
worker_shutting_down.connect(end_in_order)

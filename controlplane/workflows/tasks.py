"""The Celery tasks: thin shells. Delivered twice, they do nothing twice."""

import logging
from contextlib import AbstractContextManager
from uuid import UUID

from celery import shared_task

from controlplane.operations import leases
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation
from controlplane.workflows import engine
from controlplane.workflows.registry import WORKFLOWS
from observing.logs import about

log = logging.getLogger(__name__)


@shared_task(name="controlplane.workflows.tasks.run")
def run(operation_id: str) -> None:
    operation = leases.take_lease(UUID(operation_id))
    if operation is None:
        return
    try:
        with _about(operation), leases.kept(operation):
            engine.run(operation, WORKFLOWS[operation.kind])
    except LeaseLost:
        log.warning("operation %s was taken over by another worker", operation_id)
    finally:
        leases.drop_lease(operation)


def _about(operation: Operation) -> AbstractContextManager[None]:
    ids = {"operation_id": operation.pk, "resource_id": operation.resource_id, "request_id": operation.request_id}
    return about(**{name: str(value) for name, value in ids.items()})


@shared_task(name="controlplane.workflows.tasks.redeliver")
def redeliver() -> None:
    leases.redeliver()

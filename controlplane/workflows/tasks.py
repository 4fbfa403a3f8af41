"""The Celery tasks: thin shells. Delivered twice, they do nothing twice."""

import logging
from uuid import UUID

from celery import shared_task

from controlplane.operations import leases
from controlplane.operations.errors import LeaseLost
from controlplane.workflows import engine
from controlplane.workflows.registry import WORKFLOWS

log = logging.getLogger(__name__)


@shared_task(name="controlplane.workflows.tasks.run")
def run(operation_id: str) -> None:
    operation = leases.take_lease(UUID(operation_id))
    if operation is None:
        return
    try:
        with leases.kept(operation):
            engine.run(operation, WORKFLOWS[operation.kind])
    except LeaseLost:
        log.warning("operation %s was taken over by another worker", operation_id)
    finally:
        leases.drop_lease(operation)


@shared_task(name="controlplane.workflows.tasks.redeliver")
def redeliver() -> None:
    leases.redeliver()

"""The Celery tasks: thin shells. Delivered twice, they do nothing twice."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID

from celery import shared_task
from opentelemetry.trace import SpanKind

from controlplane.operations import leases
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation
from controlplane.workflows import engine
from controlplane.workflows.registry import WORKFLOWS
from observing import traces
from observing.logs import about

log = logging.getLogger(__name__)


@shared_task(name="controlplane.workflows.tasks.run")
def run(operation_id: str) -> None:
    operation = leases.take_lease(UUID(operation_id))
    if operation is None:
        return
    try:
        with _about(operation), _traced(operation), leases.kept(operation):
            engine.run(operation, WORKFLOWS[operation.kind])
    except LeaseLost:
        log.warning("operation %s was taken over by another worker", operation_id)
    finally:
        leases.drop_lease(operation)


def _about(operation: Operation) -> AbstractContextManager[None]:
    ids = {"operation_id": operation.pk, "resource_id": operation.resource_id, "request_id": operation.request_id}
    return about(**{name: str(value) for name, value in ids.items()})


@contextmanager
def _traced(operation: Operation) -> Iterator[None]:
    """A part of the trace of its request, each time that a worker goes on with it."""
    with traces.span(
        operation.kind,
        kind=SpanKind.CONSUMER,
        parent=operation.traceparent,
        operation_id=str(operation.pk),
        request_id=operation.request_id,
    ) as current:
        yield
        current.set_attribute("andromede.state", operation.state)


@shared_task(name="controlplane.workflows.tasks.redeliver")
def redeliver() -> None:
    leases.redeliver()

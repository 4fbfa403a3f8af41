"""Celery tasks: thin shells. A message delivered twice has no further effect."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from celery import shared_task
from opentelemetry.trace import SpanKind

from controlplane.kernel import shutdown
from controlplane.operations import fair_queue, leases, queues
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation
from controlplane.workflows import engine
from controlplane.workflows.registry import WORKFLOWS
from telemetry import traces
from telemetry.logs import log_context

log = logging.getLogger(__name__)


@shared_task(name="controlplane.workflows.tasks.run")
def run(operation_id: str, queue: str = queues.OPERATIONS) -> None:
    """Run the due operations of the queue, one after another, until none is due or this process ends.

    `operation_id`: of the operation that the message was sent for, for readers of the queue.
    """
    with queues.working_in(queue):
        while not shutdown.requested.is_set():
            with fair_queue.next_operation(queue) as operation:
                if operation is None:
                    return
                _carry_out(operation)


def _carry_out(operation: Operation) -> None:
    try:
        with _about(operation), _traced(operation), leases.renewed_lease(operation):
            engine.run(operation, WORKFLOWS[operation.kind])
    except LeaseLost:
        log.warning("operation %s: lease lost to another worker", operation.pk)
    finally:
        leases.drop_lease(operation)


def _about(operation: Operation) -> AbstractContextManager[None]:
    ids = {"operation_id": operation.pk, "resource_id": operation.resource_id, "request_id": operation.request_id}
    return log_context(**{name: str(value) for name, value in ids.items()})


@contextmanager
def _traced(operation: Operation) -> Iterator[None]:
    """Add each run of a worker to the trace of the operation's request."""
    with traces.span(
        operation.kind,
        kind=SpanKind.CONSUMER,
        parent=operation.traceparent,
        operation_id=str(operation.pk),
        request_id=operation.request_id,
    ) as current:
        yield
        current.set_attribute("andromede.state", operation.state)

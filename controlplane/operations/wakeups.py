"""Wake-ups of the workers of a queue, when an operation is due.

A wake-up may be lost, doubled or late: the row is the truth, and requeue_due sends another one. fair_queue.py chooses
the operation.
"""

import logging
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

from controlplane.kernel import redis

log = logging.getLogger(__name__)

RUN = "controlplane.workflows.tasks.run"


def send(operation_id: UUID, *, queue: str, delay_s: float = 0) -> None:
    """Send a wake-up. Never fails: an unreachable broker must not affect what is already written."""
    try:
        current_app.send_task(RUN, args=[str(operation_id), queue], queue=queue, countdown=delay_s or None, retry=False)
    except OperationalError as exc:
        log.warning("operation %s: wake-up not sent: %s", operation_id, exc)


def waiting(queue: str) -> int:
    """Return the number of messages that no worker of the queue has taken."""
    return redis.length(queue)

"""Wake a worker of a lane, since an operation is due. A hint may be lost, doubled or late: the row is the truth, and
the sweep sends another one. Which operation the worker takes is decided by turns.py."""

import logging
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

from controlplane.kernel import redis

log = logging.getLogger(__name__)

RUN = "controlplane.workflows.tasks.run"


def send(operation_id: UUID, *, lane: str, delay_s: float = 0) -> None:
    """Never fails: what is written already must not suffer from a broker that does not answer."""
    try:
        current_app.send_task(RUN, args=[str(operation_id), lane], queue=lane, countdown=delay_s or None, retry=False)
    except OperationalError as exc:
        log.warning("operation %s: the hint was not sent: %s", operation_id, exc)


def waiting(lane: str) -> int:
    """How many messages no worker of the lane has taken yet."""
    return redis.length(lane)

"""Tell a worker that an operation is due. A hint may be lost, doubled or late: the row is the truth, and the sweep
sends another one."""

import logging
from uuid import UUID

from celery import current_app
from kombu.exceptions import OperationalError

from controlplane.kernel import redis

log = logging.getLogger(__name__)

QUEUE = "celery"
RUN = "controlplane.workflows.tasks.run"


def send(operation_id: UUID, *, delay_s: float = 0) -> None:
    """Never fails: what is written already must not suffer from a broker that does not answer."""
    try:
        current_app.send_task(RUN, args=[str(operation_id)], countdown=delay_s or None, retry=False)
    except OperationalError as exc:
        log.warning("operation %s: the hint was not sent: %s", operation_id, exc)


def waiting() -> int:
    """How many messages no worker has taken yet, hints and others."""
    return redis.length(QUEUE)

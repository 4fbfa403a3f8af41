"""Wake-ups of the workers of a queue, when an operation is due.

A wake-up may be lost, doubled or late: the row is the truth, and requeue_due sends another one. fair_queue.py chooses
the operation.
"""

from uuid import UUID

from controlplane.kernel import redis
from controlplane.kernel.wakeups import send_wakeup

RUN = "controlplane.workflows.tasks.run"


def send(operation_id: UUID, *, queue: str, delay_s: float = 0) -> None:
    """Send a wake-up. Never fails."""
    send_wakeup((RUN, queue), [str(operation_id), queue], delay_s=delay_s)


def waiting(queue: str) -> int:
    """Return the number of messages that no worker of the queue has taken."""
    return redis.length(queue)

"""Wake-ups: messages that tell another process that its work is due.

A message may be lost, doubled or late: what is due is in the database, and each receiver also looks by itself.
"""

import logging
from collections.abc import Sequence

from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

# Name and queue of a task.
Task = tuple[str, str]


def send_wakeup(task: Task, args: Sequence[str] = (), *, delay_s: float = 0, expires_s: int | None = None) -> None:
    """Send a wake-up. Never fails: an unreachable broker must not affect what is already written.

    `delay_s`: how long its receiver waits. `expires_s`: after how long it is dropped unread; None: never.
    """
    name, queue = task
    countdown = delay_s or None
    try:
        current_app.send_task(name, args=list(args), queue=queue, countdown=countdown, expires=expires_s, retry=False)
    except OperationalError as exc:
        log.warning("%s %s: wake-up not sent: %s", name, ", ".join(args), exc)

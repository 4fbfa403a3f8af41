"""Queues: the kind of worker process that carries out an operation, so that slow operations do not delay others.

| queue      | operations | process |
|------------|-------|---------|
| operations | all others | worker |
| transfers  | steps that send or copy the bytes of an image, the inspection of an image, and reverts | transfer |
| imports    | downloads of images from untrusted servers, and images of volumes and snapshots | transfer |
| urgent     | fencing of nodes and evacuation of their instances | periodic |

The Celery queue of the wake-up messages has the same name. The kind of an operation determines its first queue. An
operation of `operations` goes to `transfers` for a step that needs it (HandOver), and back after the step.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OPERATIONS, TRANSFERS, IMPORTS, URGENT = QUEUES = ("operations", "transfers", "imports", "urgent")
KINDS = {
    "image.create": IMPORTS,
    "image.import": IMPORTS,
    "image.verify": TRANSFERS,
    "instance.evacuate": URGENT,
    "node.fence": URGENT,
    "volume.revert": TRANSFERS,
}

_here: ContextVar[str | None] = ContextVar("queue", default=None)


class HandOver(Exception):
    """Raised by a step that must run in another queue; it has changed nothing."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self.queue = queue


@contextmanager
def working_in(queue: str) -> Iterator[None]:
    """Let this thread carry out operations of this queue inside the block. Outside, every step may run."""
    token = _here.set(queue)
    try:
        yield
    finally:
        _here.reset(token)


def queue_of(kind: str) -> str:
    """Return the queue where an operation of this kind begins."""
    return KINDS.get(kind, OPERATIONS)


def other_queue(kind: str, *, is_transfer: bool) -> str | None:
    """Return the queue where the step must run; None: the present queue.

    `is_transfer`: the step may also run in `transfers`, and decides itself whether it must (need_transfers).
    """
    here, home = _here.get(), queue_of(kind)
    if here is None or here == home or (is_transfer and home == OPERATIONS and here == TRANSFERS):
        return None
    return home


def may_transfer() -> bool:
    return _here.get() != OPERATIONS


def need_transfers() -> None:
    """Raise HandOver in a queue where no bulk data may be sent."""
    if not may_transfer():
        raise HandOver(TRANSFERS)

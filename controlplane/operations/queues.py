"""Lanes: which worker process carries out an operation, so that what may take long keeps nobody else waiting.

| lane       | holds | process |
|------------|-------|---------|
| operations | everything else | worker |
| transfers  | steps that send or copy the bytes of an image, and the inspection of an image | transfer |
| imports    | downloads of images from servers of strangers | transfer |
| urgent     | fencing of nodes and evacuation of their instances | periodic |

A lane is also the name of the queue of its wake-up messages. An operation enters the lane of its kind. One of the lane
`operations` goes to `transfers` for a step that needs it (HandOver), and back after it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OPERATIONS, TRANSFERS, IMPORTS, URGENT = QUEUES = ("operations", "transfers", "imports", "urgent")
KINDS = {
    "image.import": IMPORTS,
    "image.verify": TRANSFERS,
    "instance.evacuate": URGENT,
    "node.fence": URGENT,
}

_here: ContextVar[str | None] = ContextVar("lane", default=None)


class HandOver(Exception):
    """Raised by a step that must not be done in this lane; it has changed nothing."""

    def __init__(self, lane: str) -> None:
        super().__init__(lane)
        self.lane = lane


@contextmanager
def working_in(lane: str) -> Iterator[None]:
    """Inside, this thread carries out operations of this lane. Outside of any lane, everything may be done."""
    token = _here.set(lane)
    try:
        yield
    finally:
        _here.reset(token)


def queue_of(kind: str) -> str:
    """The lane that an operation of this kind begins in."""
    return KINDS.get(kind, OPERATIONS)


def other_queue(kind: str, *, is_transfer: bool) -> str | None:
    """The lane where the step of an operation belongs; None: here. `is_transfer`: the step may be done in `transfers`
    as well, and decides itself whether it must (need_transfers)."""
    here, home = _here.get(), queue_of(kind)
    if here is None or here == home or (is_transfer and home == OPERATIONS and here == TRANSFERS):
        return None
    return home


def may_transfer() -> bool:
    return _here.get() != OPERATIONS


def need_transfers() -> None:
    """Raises HandOver where many bytes must not be sent."""
    if not may_transfer():
        raise HandOver(TRANSFERS)

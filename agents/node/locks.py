"""One lock per resource. Several locks are taken in the order of ORDER, so that no deadlock can occur."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

ORDER = (
    "quarantine",
    "image",
    "attachment",
    "volume",
    "instance",
    "port",
    "network",
    "port-rules",
    "console",
    "guest-agent",
)


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    holders: int = 0


class ResourceLocks:
    """Lock slots exist only while a thread holds or awaits them."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._guard = threading.Lock()

    @contextmanager
    def hold(self, *resources: tuple[str, UUID | str]) -> Iterator[None]:
        """Hold the locks of all named (kind, id); repeated names count once."""
        requested = sorted({(kind, str(key)) for kind, key in resources}, key=lambda r: (ORDER.index(r[0]), r[1]))
        taken: list[tuple[str, str]] = []
        try:
            for resource in requested:
                self._take(resource)
                taken.append(resource)
            yield
        finally:
            for resource in reversed(taken):
                self._drop(resource)

    def _take(self, resource: tuple[str, str]) -> None:
        with self._guard:
            slot = self._slots.setdefault(resource, _Slot())
            slot.holders += 1
        slot.lock.acquire()

    def _drop(self, resource: tuple[str, str]) -> None:
        with self._guard:
            slot = self._slots[resource]
            slot.holders -= 1
            if slot.holders == 0:
                del self._slots[resource]
        slot.lock.release()

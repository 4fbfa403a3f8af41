"""Which guests libvirt may start at this moment: those that the agent is starting, while the permit for it holds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from agents.node.trust.clock import Clock

# A guest that KVM gives up in its first seconds is started once more by the agent, as an emulated one.
KVM_AFTERMATH = timedelta(seconds=15)
NONE = timedelta(0)


class Starts:
    """Kept in memory alone: an agent that was killed is not starting anything. Safe for use by many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[UUID, datetime] = {}
        self._lock = threading.Lock()

    @contextmanager
    def allow(self, instance_id: UUID, until: datetime | None, *, aftermath: timedelta = NONE) -> Iterator[None]:
        """Leave to start the guest, for who holds its lock: within the block, and for `aftermath` if it succeeds, but
        no longer than `until`. None: no leave at all.
        """
        self._give(instance_id, until)
        try:
            yield
        except BaseException:
            self.end(instance_id)
            raise
        self._give(instance_id, min(until, self._clock.now() + aftermath) if until is not None else None)

    def _give(self, instance_id: UUID, until: datetime | None) -> None:
        if until is not None:
            with self._lock:
                self._until[instance_id] = until

    def end(self, instance_id: UUID) -> None:
        with self._lock:
            self._until.pop(instance_id, None)

    def is_allowed(self, instance_id: UUID) -> bool:
        with self._lock:
            until = self._until.get(instance_id)
        return until is not None and self._clock.now() < until

"""A thread of the agent that checks guests after their events, and at an interval."""

import logging
import queue
import threading
from abc import ABC, abstractmethod
from uuid import UUID

from agents.node.errors import AgentError

log = logging.getLogger(__name__)


class GuestEventThread(ABC):
    """Calls `check` with the guest of each event, and with None after each interval without one, until `stop`."""

    def __init__(self, name: str, *, poll_interval_s: float) -> None:
        self._name = name
        self._poll_interval_s = poll_interval_s
        self._changed: queue.SimpleQueue[UUID | None] = queue.SimpleQueue()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @abstractmethod
    def check(self, guest_id: UUID | None) -> None:
        """Check the guest; None: all of them. An error is logged, and the next check repeats the work."""

    def schedule_check(self, guest_id: UUID | None) -> None:
        """Schedule a check and return at once, as the hypervisor's listeners must."""
        self._changed.put(guest_id)

    def stop(self) -> None:
        self._is_stopped.set()
        self._changed.put(None)
        self._thread.join()

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                guest_id = self._changed.get(timeout=self._poll_interval_s)
            except queue.Empty:
                guest_id = None
            if not self._is_stopped.is_set():
                self._check(guest_id)

    def _check(self, guest_id: UUID | None) -> None:
        try:
            self.check(guest_id)
        except AgentError as exc:
            log.warning("%s: check of guests failed", self._name, extra={"facts": {"problem": exc.message}})
        except Exception:
            log.exception("%s: check of guests failed", self._name)  # this thread must live as long as the agent

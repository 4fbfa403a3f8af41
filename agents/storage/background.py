"""Background work of the storage agent: rounds in a thread of their own, at a wake-up and from time to time."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

from agents.node.errors import AgentError

log = logging.getLogger(__name__)


class Background(ABC):
    """Rounds of work, over all pools; a failure in one concerns no other. `name`: of the thread, and in the log."""

    def __init__(self, name: str, pools: Sequence[str], *, interval_s: float) -> None:
        self.name = name
        self.pools = pools
        self._interval_s = interval_s
        self._is_due = threading.Event()
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def work(self, pool: str) -> None:
        """Do one round of work in the pool."""

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._is_due.set()

    def end(self) -> None:
        """Begin no further round."""
        self._has_ended.set()
        self.wake()

    def join(self) -> None:
        """Wait for the thread, after `end` and when its workers are closed: so it waits for no cluster."""
        self._thread.join()

    def _run(self) -> None:
        while not self._has_ended.is_set():
            self._is_due.wait(self._interval_s)
            self._is_due.clear()
            for pool in self.pools:
                if self._has_ended.is_set():
                    return
                self._try(pool)

    def _try(self, pool: str) -> None:
        try:
            self.work(pool)
        except AgentError as exc:
            if not self._has_ended.is_set():
                facts = {"work": self.name, "pool": pool, "problem": exc.message}
                log.warning("background work failed", extra={"facts": facts})

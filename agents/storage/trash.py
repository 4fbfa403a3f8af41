"""Empties the trash of the pools, after each removal and from time to time: a volume with clones has to wait."""

import logging
import threading
from collections.abc import Sequence

from agents.node.errors import AgentError
from agents.storage.workers import Workers

log = logging.getLogger(__name__)


class Trash:
    """Runs in a thread of its own."""

    def __init__(self, workers: Workers, pools: Sequence[str], *, interval_s: float) -> None:
        self._workers = workers
        self._pools = pools
        self._interval_s = interval_s
        self._is_due = threading.Event()
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trash", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._is_due.set()

    def end(self) -> None:
        """Begin nothing anew."""
        self._has_ended.set()
        self.wake()

    def join(self) -> None:
        """Wait for the thread, after `end` and when its workers are closed: so it waits for no cluster."""
        self._thread.join()

    def _run(self) -> None:
        while not self._has_ended.is_set():
            self._is_due.wait(self._interval_s)
            self._is_due.clear()
            for pool in self._pools:
                self._empty(pool)

    def _empty(self, pool: str) -> None:
        if self._has_ended.is_set():
            return
        try:
            left = self._workers.call("empty_trash", pool=pool)
        except AgentError as exc:
            if self._has_ended.is_set():
                return
            log.warning("trash not emptied", extra={"facts": {"pool": pool, "problem": exc.message}})
            return
        if left:
            log.info("volumes wait in the trash", extra={"facts": {"pool": pool, "count": left}})

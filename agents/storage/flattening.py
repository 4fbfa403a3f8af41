"""Flattens clones of deleted volumes and those with many parents, one a round and pool. Calls for them go first."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agents.node.errors import AgentError
from agents.node.locks import ResourceLocks
from agents.storage.background import Background
from agents.storage.workers import Workers

log = logging.getLogger(__name__)


class Flattening(Background):
    """Runs in a thread of its own. `locks`: of the calls; it holds that of the volume that it flattens."""

    def __init__(self, workers: Workers, pools: Sequence[str], *, locks: ResourceLocks, interval_s: float) -> None:
        super().__init__("flattening", pools, interval_s=interval_s)
        self._workers = workers
        self.locks = locks
        self._after = dict.fromkeys(pools, "")
        self._guard = threading.Lock()
        self._wanted: Counter[str] = Counter()

    @contextmanager
    def kept_from(self, *volumes: str) -> Iterator[None]:
        """Flatten none of these volumes within the block; end the process that does. The data that it copied stays."""
        with self._guard:
            self._wanted.update(volumes)
        try:
            yield
        finally:
            with self._guard:
                self._wanted.subtract(volumes)
                self._wanted += Counter()  # drops volumes that no call holds any more

    def is_wanted(self, volume: str) -> bool:
        """Return whether a call for the volume is under way."""
        with self._guard:
            return self._wanted[volume] > 0

    def work(self, pool: str) -> None:
        found = self._workers.call("find_clone", pools=self.pools, pool=pool, after=self._after[pool])
        self._after[pool] = found["after"]
        for problem in found["problems"]:
            log.warning("volume passed over", extra={"facts": {"pool": pool, "problem": problem}})
        if found["volume"]:
            self._flatten(pool, found["volume"])

    def _flatten(self, pool: str, volume: str) -> None:
        facts = {"pool": pool, "volume": volume}
        with self.locks.hold(("volume", volume)):
            if self.is_wanted(volume):
                return
            try:
                is_done = self._workers.call(
                    "flatten_clone",
                    lambda: self.is_wanted(volume),
                    volume=volume,
                    pool=pool,
                    pools=self.pools,
                )
            except AgentError:
                if not self.is_wanted(volume):
                    raise
                log.info("flattening interrupted by a call", extra={"facts": facts})
                return
        if is_done:
            log.info("volume flattened", extra={"facts": facts})

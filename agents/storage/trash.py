"""Empties the trash of the pools, after each removal and from time to time: a volume with clones has to wait.

Then it writes the receipts of what is erased, also of what an agent that was killed had erased.
"""

import logging
from collections.abc import Sequence

from agents.storage.background import Background
from agents.storage.effects import Effects
from agents.storage.workers import Workers

log = logging.getLogger(__name__)


class Trash(Background):
    """Runs in a thread of its own, and waits for no call: a revert holds its volume for long."""

    def __init__(self, workers: Workers, pools: Sequence[str], *, effects: Effects, interval_s: float) -> None:
        super().__init__("trash", pools, interval_s=interval_s)
        self._workers = workers
        self._effects = effects

    def work(self, pool: str) -> None:
        left = self._workers.call("empty_trash", pool=pool, pools=self.pools)
        if left:
            log.info("volumes wait in the trash", extra={"facts": {"pool": pool, "count": left}})
        self._write_receipts(pool)

    def _write_receipts(self, pool: str) -> None:
        expected = self._effects.expected_erasures(pool)
        if not expected:
            return
        for name in self._workers.call("erased", pool=pool, names=list(expected)):
            self._effects.erased(pool, name)

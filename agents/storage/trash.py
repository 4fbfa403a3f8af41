"""Empties the trash of the pools, after each removal and from time to time: a volume with clones has to wait."""

import logging
from collections.abc import Sequence

from agents.storage.background import Background
from agents.storage.workers import Workers

log = logging.getLogger(__name__)


class Trash(Background):
    """Runs in a thread of its own."""

    def __init__(self, workers: Workers, pools: Sequence[str], *, interval_s: float) -> None:
        super().__init__("trash", pools, interval_s=interval_s)
        self._workers = workers

    def work(self, pool: str) -> None:
        left = self._workers.call("empty_trash", pool=pool, pools=self.pools)
        if left:
            log.info("volumes wait in the trash", extra={"facts": {"pool": pool, "count": left}})

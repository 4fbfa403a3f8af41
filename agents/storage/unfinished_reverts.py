"""Finishes the reverts whose copy has begun and was interrupted: a volume may not stay a mixture of two contents."""

import logging
from collections.abc import Sequence
from typing import Any

from agents.node.errors import AgentError
from agents.node.locks import ResourceLocks
from agents.storage.background import Background
from agents.storage.effects import REVERT, Effects
from agents.storage.workers import Workers

log = logging.getLogger(__name__)


class UnfinishedReverts(Background):
    """Runs in a thread of its own. `locks`: of the calls; it holds that of the volume that it reverts."""

    def __init__(
        self, workers: Workers, pools: Sequence[str], *, locks: ResourceLocks, effects: Effects, interval_s: float
    ) -> None:
        super().__init__("reverting", pools, interval_s=interval_s)
        self._workers = workers
        self._locks = locks
        self._effects = effects

    def work(self, pool: str) -> None:
        for each in self._workers.call("unfinished_reverts", pool=pool):
            self._finish(pool, each)

    def _finish(self, pool: str, revert: dict[str, Any]) -> None:
        facts = {"pool": pool, **revert}
        with self._locks.hold(("volume", revert["volume"])):
            try:
                is_finished = self._workers.call("finish_revert", pool=pool, **revert)
            except AgentError as exc:
                log.warning("revert not finished", extra={"facts": facts | {"problem": exc.message}})
                return
            self._effects.settle(REVERT, pool, revert["volume"], has_happened=is_finished)
        if is_finished:
            log.info("revert finished", extra={"facts": facts})

"""Carries out the strikes of a schedule, several at a time but never two at one target."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from scripts.chaos.schedule import Strike
from scripts.chaos.strikes import LOSE, STRIKES
from scripts.chaos.supervisor import Supervisor
from scripts.chaos.world import World

AT_ONCE = 4


@dataclass
class Monkey:
    """Carries out strikes. `struck`: the number of each; `missed`: the number without a free or living target.

    At most one node at a time is lost.
    """

    world: World
    keeper: Supervisor
    struck: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)
    _targets: dict[str, threading.Lock] = field(default_factory=dict)

    def work(self, planned: Sequence[Strike], begun_at: float) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="monkey") as pool:
            done = []
            for strike in planned:
                if self.is_over.wait(max(0.0, begun_at + strike.at_s - time.monotonic())):
                    break
                lock = self._targets.setdefault(strike.target, threading.Lock())
                done.append(pool.submit(self._strike, strike, lock))
            for each in done:
                each.result()

    def _strike(self, strike: Strike, target: threading.Lock) -> None:
        if not target.acquire(blocking=False):
            self.missed += 1
            return
        try:
            if strike.target in self.keeper.lost or (strike.name == LOSE and self.keeper.lost):
                self.missed += 1
                return
            self.struck[f"{strike.name} {strike.target}" if strike.name != strike.target else strike.name] += 1
            STRIKES[strike.name].blow(self.world, self.keeper, strike.target, strike.seconds)
        finally:
            target.release()

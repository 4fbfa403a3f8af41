"""Node lease: the time for which the node may run its guests without a renewal.

The lease is counted by CLOCK_BOOTTIME, which nothing can set, and from the moment of the heartbeat that the renewal
answers, so that a delayed renewal adds no time that has already passed.

A node that has promised self-fencing within a time is bound by that promise, whatever its configuration is later, until
a renewal shows that the watcher received its withdrawal or a longer time.
"""

import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from agents.node.adapters.watchdog import Watchdog
from agents.node.errors import BadRequest, LeaseExpired
from agents.node.state_store import StateStore

MEMORY = "lease"
MAX_DURATION_S = 600
# From the end of the limit on: so long it takes at most to stop all guests, or the watchdog is fed no more.
STOP_WITHIN_S = 30
EXPIRY_LIMIT_S = 60
# Between two looks at the lease.
TICK_S = 1.0
NO_WATCHDOG = "The agent has no watchdog, or cannot use it: nothing would stop the guests if it ended."
NO_LEASE = "Nobody has given the node a lease since it started."


def boot_clock_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(frozen=True, slots=True)
class LeasePolicy:
    """Configures self-fencing.

    `stops`: whether guests are stopped `limit_s` seconds after the lease has ended, or go on.
    """

    stops: bool = False
    limit_s: int = EXPIRY_LIMIT_S


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """State of the lease.

    `remaining_ms` is negative once the lease has ended. `fences_within_s` is 0 when self-fencing is not guaranteed;
    `problem` then names the reason, if guests are to be stopped.
    """

    is_wanted: bool
    said_at_ms: int
    remaining_ms: int
    fences_within_s: int
    problem: str


class Lease:
    """The lease of this node. Safe for use by many threads."""

    def __init__(
        self,
        state_store: StateStore,
        policy: LeasePolicy,
        *,
        boot_id: str,
        watchdog: Watchdog | None = None,
        clock_ms: Callable[[], int] = boot_clock_ms,
    ) -> None:
        self.watchdog = watchdog
        self._state_store = state_store
        self._policy = policy
        self._boot_id = boot_id
        self.clock_ms = clock_ms
        self._lock = threading.Lock()
        self._until_ms, self._promised_s = self._remembered()
        # The time that the last status named, and when that was; since when it has been longer than the promised one.
        self._reported_s, self._reported_at_ms = 0, 0
        self._loosened_at_ms: int | None = None

    @property
    def is_bound(self) -> bool:
        """Return whether guests are stopped after the end of the lease."""
        return self._policy.stops or self._promised_s is not None

    @property
    def is_relied_on(self) -> bool:
        """Return whether self-fencing was promised in this boot and the promise was not withdrawn."""
        return self._promised_s is not None

    @property
    def is_armed(self) -> bool:
        """Return whether self-fencing can be promised now."""
        return self._policy.stops and not self._problem()

    def status(self) -> LeaseStatus:
        """Return the status for a heartbeat. Its promise is on disk before this returns."""
        with self._lock:
            now_ms = self.clock_ms()
            fences_within_s = self._fences_within_s(self._policy.limit_s) if self.is_armed else 0
            self._promise(fences_within_s, now_ms)
            return LeaseStatus(
                is_wanted=self.is_bound,
                said_at_ms=now_ms,
                remaining_ms=self._until_ms - now_ms if self._until_ms else 0,
                fences_within_s=fences_within_s,
                problem=self._problem() if self._policy.stops else "",
            )

    def renew(self, *, boot_id: str, heard_at_ms: int, duration_s: int) -> None:
        """Extend the lease.

        Raises:
            BadRequest: it is about another boot, a heartbeat that was not sent yet, or lasts for too long.
        """
        if boot_id != self._boot_id:
            raise BadRequest("boot_id", "belongs to another boot of this node")
        if not 1 <= duration_s <= MAX_DURATION_S:
            raise BadRequest("duration_s", f"must be from 1 to {MAX_DURATION_S}")
        with self._lock:
            if heard_at_ms > self.clock_ms():
                raise BadRequest("heard_at_ms", "is in the future")
            if self._loosened_at_ms is not None and heard_at_ms >= self._loosened_at_ms:
                self._promised_s, self._loosened_at_ms = self._reported_s or None, None
            self._until_ms = max(self._until_ms, heard_at_ms + duration_s * 1000)
            self._remember()

    def over_for_s(self) -> float | None:
        """Return for how many seconds the guests should have been stopped; None: they may go on."""
        if not self.is_bound or not self._until_ms:
            return None
        over_ms = self.clock_ms() - self._until_ms - self._limit_s() * 1000
        return over_ms / 1000 if over_ms > 0 else None

    def check(self) -> None:
        """Check that guests may start here; raises LeaseExpired otherwise."""
        if self.over_for_s() is not None:
            raise LeaseExpired()

    def _promise(self, fences_within_s: int, now_ms: int) -> None:
        """Bind the node by the time of the next heartbeat if it is the shorter one;

        0 withdraws the promise. A longer time binds once the watcher has received it (renew()).
        """
        promised_s = self._promised_s
        if fences_within_s and (promised_s is None or fences_within_s <= promised_s):
            self._loosened_at_ms = None
            if fences_within_s != promised_s:
                self._promised_s = fences_within_s
                self._remember()
        elif promised_s is not None and (self._loosened_at_ms is None or fences_within_s != self._reported_s):
            # Never in the millisecond of the last status: a renewal could then answer either.
            self._loosened_at_ms = max(now_ms, self._reported_at_ms + 1)
        self._reported_s, self._reported_at_ms = fences_within_s, now_ms

    def _limit_s(self) -> int:
        """Return the seconds from the end of the lease to the stop of guests, within the promised time."""
        if self._promised_s is None:
            return self._policy.limit_s
        within_promise_s = max(0, self._promised_s - self._fences_within_s(0))
        return min(self._policy.limit_s, within_promise_s) if self._policy.stops else within_promise_s

    def _fences_within_s(self, limit_s: int) -> int:
        """Return the seconds after the end of the lease within which all guests are stopped, in the worst case."""
        timeout_s = self.watchdog.timeout_s if self.watchdog is not None else 0
        return math.ceil(limit_s + STOP_WITHIN_S + timeout_s + 2 * TICK_S)

    def _problem(self) -> str:
        """Return the reason why self-fencing cannot be promised."""
        if self.watchdog is None:
            return NO_WATCHDOG
        if self.watchdog.problem:
            return f"The watchdog cannot be fed: {self.watchdog.problem}."
        return "" if self._until_ms else NO_LEASE

    def _remembered(self) -> tuple[int, int | None]:
        """Return the end of the lease and the promise, as stored. Older agents stored only that a promise existed."""
        rows = self._state_store.execute("SELECT value FROM memory WHERE name = ?", MEMORY)
        stored_lease = json.loads(str(rows[0][0])) if rows else {}
        if stored_lease.get("boot_id") != self._boot_id:
            return 0, None  # no guest has outlived that
        own_s = self._fences_within_s(self._policy.limit_s)
        return int(stored_lease["until_ms"]), int(stored_lease.get("fences_within_s", own_s)) if stored_lease[
            "is_promised"
        ] else None

    def _remember(self) -> None:
        stored_lease = {
            "boot_id": self._boot_id,
            "until_ms": self._until_ms,
            "is_promised": self._promised_s is not None,
            "fences_within_s": self._promised_s,
        }
        self._state_store.execute(
            "INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)", MEMORY, json.dumps(stored_lease)
        )

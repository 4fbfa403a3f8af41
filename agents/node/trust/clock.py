"""The node's clock, and whether anybody keeps it right.

A clock that was set back would revive permits that have ended. So the node remembers the latest time that it has known
it to be, and asks the kernel whether the clock is synchronised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from telemetry.kernel_clock import is_synchronised


def kept_elsewhere() -> bool:
    """The operator's word: whoever runs this machine keeps its clock, and its kernel does not know."""
    return True


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    now: Callable[[], datetime] = utc_now
    is_kept: Callable[[], bool] = is_synchronised

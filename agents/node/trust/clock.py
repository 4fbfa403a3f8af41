"""Checks whether the node's clock is synchronised, and keeps its high-water mark.

A clock that was set back would revive expired permits. So the node stores the latest time that it has known, and asks
the kernel whether the clock is synchronised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from telemetry.kernel_clock import is_synchronised


def kept_elsewhere() -> bool:
    """Return the operator's statement that the host of this machine synchronises its clock, which the kernel cannot
    see.
    """
    return True


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    now: Callable[[], datetime] = utc_now
    is_kept: Callable[[], bool] = is_synchronised

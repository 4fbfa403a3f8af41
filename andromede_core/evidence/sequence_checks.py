"""Checks of growing numbers, facts epochs and policy versions, by the time at which they were known.

Standard library only.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# Tolerance between the clocks of two machines. A record written without a lock on the number that it rests on (a
# refusal, a permit) may also come this much after the number has grown; nodes refuse such a permit.
CLOCKS_APART = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """The position of a record: its index in the log, and its moment."""

    index: int
    at: datetime

    def was_known(self, *, to: "LogPosition") -> bool:
        """Check that the record was in the log already, and for so long that every process had read it."""
        return self.index < to.index and self.at <= to.at - CLOCKS_APART


@dataclass
class VersionHistory:
    """The versions by moment. Pass the records to `see`, in any order, before the first query."""

    _seen: list[tuple[LogPosition, int]] = field(default_factory=list)
    _is_sorted: bool = True

    def record(self, position: LogPosition, number: int) -> None:
        self._seen.append((position, number))
        self._is_sorted = False

    def known(self, to: LogPosition) -> int:
        """Return the lowest valid version for a record at this position. It reads only the records of one minute."""
        if not self._is_sorted:
            self._sort()
        for index in range(bisect_left(self._seen, to.index, key=lambda seen: seen[0].index) - 1, -1, -1):
            position, number = self._seen[index]
            if position.was_known(to=to):
                return number
        return 0

    def _sort(self) -> None:
        newest, grown = 0, []
        for position, number in sorted(self._seen):
            newest = max(newest, number)
            grown.append((position, newest))
        self._seen, self._is_sorted = grown, True

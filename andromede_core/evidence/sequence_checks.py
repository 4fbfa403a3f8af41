"""Numbers that only grow, and what was known of them when: facts epochs, and versions of policies. Standard library
only."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# Between the clocks of two machines. What is written without a lock on the number that it rests on (a refusal, a
# permit) may also come this much after the number has grown; nodes refuse such a permit.
CLOCKS_APART = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """Of a record: its index in the log, and its moment."""

    index: int
    at: datetime

    def was_known(self, *, to: "LogPosition") -> bool:
        """It stood in the log already, and for long enough that nobody can have missed it."""
        return self.index < to.index and self.at <= to.at - CLOCKS_APART


@dataclass
class VersionHistory:
    """`see` what records say, in any order, before the first question."""

    _seen: list[tuple[LogPosition, int]] = field(default_factory=list)
    _is_sorted: bool = True

    def record(self, place: LogPosition, number: int) -> None:
        self._seen.append((place, number))
        self._is_sorted = False

    def known(self, to: LogPosition) -> int:
        """The least that it has to be for what is written there. Few records are looked at: those of one minute."""
        if not self._is_sorted:
            self._sort()
        for position in range(bisect_left(self._seen, to.index, key=lambda seen: seen[0].index) - 1, -1, -1):
            place, number = self._seen[position]
            if place.was_known(to=to):
                return number
        return 0

    def _sort(self) -> None:
        newest, grown = 0, []
        for place, number in sorted(self._seen):
            newest = max(newest, number)
            grown.append((place, newest))
        self._seen, self._is_sorted = grown, True

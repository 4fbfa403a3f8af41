"""Times at which a snapshot schedule takes snapshots, by the clock of the time zone of the schedule."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FREQUENCIES = ("hourly", "daily", "weekly", "monthly")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MAX = 28  # of a month: each month has it
HOUR = timedelta(hours=1)
LONGEST_DAYS = 32  # between two times


@dataclass(frozen=True, slots=True)
class ScheduleTimes:
    """Times of a schedule. `at`: local time; of an hourly schedule only the minute counts.

    `weekday`: of a weekly schedule. `day`: of the month, of a monthly one.
    """

    frequency: str
    at: time
    timezone: str
    weekday: str = ""
    day: int = 0

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after the moment, in UTC.

        A local time that daylight saving skips is an hour later on that day; of one that comes twice the first counts.
        """
        return next(each for each in self._candidates(moment) if each > moment)

    def latest_until(self, moment: datetime, *, since: datetime) -> tuple[datetime, int]:
        """Return the last scheduled time until the moment, from `since` on, and the number of times before it."""
        latest, passed = since, 0
        while (following := self.next_after(latest)) <= moment:
            latest, passed = following, passed + 1
        return latest, passed

    def _candidates(self, moment: datetime) -> Iterator[datetime]:
        local = moment.astimezone(ZoneInfo(self.timezone))
        if self.frequency == "hourly":
            first = local.replace(minute=self.at.minute, second=0, microsecond=0).astimezone(UTC) - HOUR
            yield from (first + n * HOUR for n in range(4))
            return
        first_day = local.date() - timedelta(days=1)
        for n in range(LONGEST_DAYS + 2):
            each = first_day + timedelta(days=n)
            if self._has(each):
                yield datetime.combine(each, self.at, ZoneInfo(self.timezone)).astimezone(UTC)

    def _has(self, each: date) -> bool:
        if self.frequency == "weekly":
            return WEEKDAYS[each.weekday()] == self.weekday
        return self.frequency == "daily" or each.day == self.day

"""Times of snapshot schedules: every frequency, time zones, and both changes of the clock."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.storage.schedule_times import DAY_MAX, FREQUENCIES, WEEKDAYS, ScheduleTimes

PARIS = "Europe/Paris"
ZONES = (PARIS, "UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Pacific/Chatham")
SHORTEST = {"hourly": timedelta(hours=1), "daily": timedelta(hours=22), "weekly": timedelta(days=6, hours=22)}
LONGEST = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(hours=49),  # Samoa left out a day
    "weekly": timedelta(days=14, hours=2),
    "monthly": timedelta(days=62),
}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "after", "expected"),
    [
        (ScheduleTimes("hourly", time(0, 15), PARIS), "2026-12-01 10:15", "2026-12-01 11:15"),
        (ScheduleTimes("hourly", time(0, 15), PARIS), "2026-12-01 10:14:59", "2026-12-01 10:15"),
        (ScheduleTimes("hourly", time(0, 15), "Asia/Kolkata"), "2026-12-01 10:00", "2026-12-01 10:45"),
        (ScheduleTimes("daily", time(2, 30), PARIS), "2026-12-01 01:30", "2026-12-02 01:30"),
        (ScheduleTimes("daily", time(2, 30), PARIS), "2026-07-01 00:29", "2026-07-01 00:30"),
        (ScheduleTimes("weekly", time(23, 0), PARIS, weekday="sunday"), "2026-12-01 00:00", "2026-12-06 22:00"),
        (ScheduleTimes("monthly", time(0, 0), "UTC", day=28), "2026-01-28 00:00", "2026-02-28 00:00"),
    ],
)
def test_next_time_is_by_the_clock_of_the_time_zone(times: ScheduleTimes, after: str, expected: str) -> None:
    assert times.next_after(utc(after)) == utc(expected)


def test_time_that_daylight_saving_skips_is_an_hour_later() -> None:
    times = ScheduleTimes("daily", time(2, 30), PARIS)
    skipped = times.next_after(utc("2026-03-28 12:00"))
    assert skipped == utc("2026-03-29 01:30")
    assert skipped.astimezone(ZoneInfo(PARIS)).strftime("%H:%M") == "03:30"
    assert times.next_after(skipped) == utc("2026-03-30 00:30")


def test_time_that_comes_twice_counts_once() -> None:
    times = ScheduleTimes("daily", time(2, 30), PARIS)
    first = times.next_after(utc("2026-10-24 12:00"))
    assert first == utc("2026-10-25 00:30")
    assert times.next_after(first) == utc("2026-10-26 01:30")


def test_latest_time_has_the_number_of_those_before_it() -> None:
    times = ScheduleTimes("hourly", time(0, 0), "UTC")
    since = utc("2026-12-01 10:00")
    assert times.latest_until(utc("2026-12-01 10:59"), since=since) == (since, 0)
    assert times.latest_until(utc("2026-12-01 13:20"), since=since) == (utc("2026-12-01 13:00"), 3)


@given(
    frequency=st.sampled_from(FREQUENCIES),
    at=st.times().map(lambda each: each.replace(second=0, microsecond=0)),
    timezone=st.sampled_from(ZONES),
    weekday=st.sampled_from(WEEKDAYS),
    day=st.integers(1, DAY_MAX),
    moment=st.integers(0, 28 * 365 * 24 * 60).map(lambda minutes: utc("2011-12-01") + timedelta(minutes=minutes)),
)
def test_times_follow_one_another_without_a_gap(
    frequency: str, at: time, timezone: str, weekday: str, day: int, moment: datetime
) -> None:
    times = ScheduleTimes(frequency, at, timezone, weekday, day)
    first = times.next_after(moment)
    second = times.next_after(first)
    assert moment < first < second
    assert SHORTEST.get(frequency, timedelta(days=27, hours=22)) <= second - first <= LONGEST[frequency]
    assert times.next_after(first - timedelta(microseconds=1)) == first

"""Times of snapshot schedules in plain words."""

from collections.abc import Mapping
from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.functional import Promise
from django.utils.translation import gettext as _

# By the API's names.
WEEKDAY_NAMES: Mapping[str, str | Promise] = dict(
    zip(
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        (WEEKDAYS[number] for number in range(7)),
        strict=True,
    )
)


def describe_times(schedule: Mapping[str, Any]) -> str:
    """Return when the schedule takes snapshots, with its time zone."""
    texts = {
        "hourly": _("each hour at minute {minute}"),
        "daily": _("each day at {at} ({timezone})"),
        "weekly": _("each {weekday} at {at} ({timezone})"),
        "monthly": _("day {day} of each month at {at} ({timezone})"),
    }
    return texts[schedule["frequency"]].format(
        minute=schedule["at"].partition(":")[2],
        at=schedule["at"],
        timezone=schedule["timezone"],
        weekday=WEEKDAY_NAMES.get(schedule["weekday"], ""),
        day=schedule["day"],
    )

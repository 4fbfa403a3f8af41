"""Schemas of snapshot schedules."""

import re
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.kernel.fields import (
    Choice,
    Flag,
    In,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Reference,
    ResourceOut,
    Text,
    Whole,
)
from controlplane.kernel.label_selectors import SELECTOR_MAX_LETTERS
from controlplane.storage.models import SnapshotSchedule
from controlplane.storage.schedule_times import DAY_MAX, FREQUENCIES, WEEKDAYS

KEEP_MAX = 1000
TIMEZONE_MAX = 64
CLOCK_TIME = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")


class ClockTime(Text):
    """A local time, as HH:MM."""

    pattern = f"^{CLOCK_TIME.pattern}$"
    default_error_messages = {"not_a_time": _("Must be hours and minutes, such as 02:30.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=5, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not CLOCK_TIME.fullmatch(text):
            self.fail("not_a_time")
        return text


class SnapshotScheduleIn(In):
    """Times at which snapshots are taken, of one volume or of those that a selector of labels selects then.

    `at`: local time in `timezone`; of an hourly schedule the minute. `weekday`: of a weekly schedule. `day`, of the
    month: of a monthly one. `keep`: the newest snapshots of each volume that are kept; older ones are deleted.
    """

    example = {"name": "nightly", "volume": "data", "frequency": "daily", "at": "02:30", "timezone": "Europe/Paris"}

    name = Name()
    volume = Reference(required=False)
    selector = Text(max_length=SELECTOR_MAX_LETTERS, allow_blank=True, default="")
    frequency = Choice(FREQUENCIES)
    at = ClockTime()
    timezone = Text(max_length=TIMEZONE_MAX, default="UTC")
    weekday = Choice(WEEKDAYS, required=False)
    day = Whole(min_value=1, max_value=DAY_MAX, required=False)
    keep = Whole(min_value=1, max_value=KEEP_MAX, default=7)
    is_paused = Flag(default=False)
    labels = Labels(default=dict)


class SnapshotSchedulePatch(In):
    """Changes of a schedule. A `frequency` is given with its own `weekday` or `day`."""

    example = {"keep": 14, "is_paused": True}

    name = Name(required=False)
    volume = Reference(required=False)
    selector = Text(max_length=SELECTOR_MAX_LETTERS, allow_blank=True, required=False)
    frequency = Choice(FREQUENCIES, required=False)
    at = ClockTime(required=False)
    timezone = Text(max_length=TIMEZONE_MAX, required=False)
    weekday = Choice(WEEKDAYS, required=False)
    day = Whole(min_value=1, max_value=DAY_MAX, required=False)
    keep = Whole(min_value=1, max_value=KEEP_MAX, required=False)
    is_paused = Flag(required=False)
    labels = LabelsPatch(required=False)


class SnapshotScheduleOut(ResourceOut):
    """A schedule. `last_error`: why a snapshot of the last time was not taken. `next_at` null: it is paused."""

    state = serializers.SerializerMethodField()
    volume = NamedOut(allow_null=True)
    selector = serializers.CharField()
    frequency = serializers.ChoiceField(FREQUENCIES)
    at = serializers.SerializerMethodField()
    timezone = serializers.CharField()
    weekday = serializers.SerializerMethodField()
    day = serializers.SerializerMethodField()
    keep = serializers.IntegerField()
    is_paused = serializers.SerializerMethodField()
    next_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(["active", "paused"]))
    def get_state(self, row: SnapshotSchedule) -> str:
        return "paused" if row.next_at is None else "active"

    def get_at(self, row: SnapshotSchedule) -> str:
        return f"{row.at:%H:%M}"

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_weekday(self, row: SnapshotSchedule) -> str | None:
        return row.weekday or None

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_day(self, row: SnapshotSchedule) -> int | None:
        return row.day or None

    def get_current_operation(self, row: SnapshotSchedule) -> UUID | None:
        return None

    def get_is_paused(self, row: SnapshotSchedule) -> bool:
        return row.next_at is None

"""Snapshot schedules of a project. schedule_runs.py takes their snapshots."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import time
from functools import cache
from zoneinfo import available_timezones

from django.db import transaction
from django.db.models import Q, QuerySet

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.db import edit, raise_on_violation
from controlplane.kernel.label_selectors import label_selector
from controlplane.kernel.names import check_labels, check_name
from controlplane.quotas import services as quotas
from controlplane.storage.errors import (
    SnapshotScheduleInvalid,
    SnapshotScheduleNameTaken,
)
from controlplane.storage.models import SnapshotSchedule, Volume
from controlplane.storage.schedule_times import ScheduleTimes
from controlplane.storage.snapshot_sources import pools_with_snapshots
from controlplane.storage.snapshots import require_snapshots

NAME_TAKEN = "storage_snapshot_schedule_name_taken"


@dataclass(frozen=True)
class ScheduleSpec:
    """Content of a schedule. It takes snapshots of the `volume`, or of those that `selector`, of labels, selects."""

    name: str
    times: ScheduleTimes
    keep: int
    volume: Volume | None = None
    selector: str = ""
    is_paused: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@transaction.atomic
def snapshot_schedule_create(actor: Actor, project: Project, spec: ScheduleSpec) -> SnapshotSchedule:
    """Create the schedule.

    Raises:
        SnapshotsUnsupported: its volume cannot have snapshots.
        SnapshotScheduleInvalid, SnapshotScheduleNameTaken, InvalidName, InvalidLabels, QuotaExceeded.
    """
    actor.may_write()
    if spec.volume is not None:
        require_snapshots(spec.volume)
    fields = {"name": check_name(spec.name), "labels": check_labels(spec.labels), **_checked(spec)}
    with raise_on_violation(NAME_TAKEN, SnapshotScheduleNameTaken(field="name", name=spec.name)):
        schedule = SnapshotSchedule.objects.create(project=project, **fields)
    quotas.claim(project.pk, schedule.pk, snapshot_schedules=1)
    record(actor, "snapshot_schedule.create", schedule.pk, project_id=project.pk, name=schedule.name)
    return schedule


@transaction.atomic
def snapshot_schedule_update(actor: Actor, schedule: SnapshotSchedule, spec: ScheduleSpec) -> SnapshotSchedule:
    """Change the schedule, from its next time on. Raises as snapshot_schedule_create."""
    actor.may_write()
    if spec.volume is not None and spec.volume.pk != schedule.volume_id:
        require_snapshots(spec.volume)
    fields = _checked(spec)
    if spec.times == schedule.times and schedule.next_at is not None and not spec.is_paused:
        del fields["next_at"]  # a time that is due stays so
    with raise_on_violation(NAME_TAKEN, SnapshotScheduleNameTaken(field="name", name=spec.name)):
        edit(schedule, name=spec.name, labels=spec.labels, **fields)
    record(actor, "snapshot_schedule.update", schedule.pk, project_id=schedule.project_id, name=schedule.name)
    return schedule


@transaction.atomic
def snapshot_schedule_delete(actor: Actor, schedule: SnapshotSchedule) -> None:
    """Delete the schedule. Its snapshots stay until they are deleted or expire."""
    actor.may_write()
    quotas.release(schedule.pk)
    record(actor, "snapshot_schedule.delete", schedule.pk, project_id=schedule.project_id, name=schedule.name)
    schedule.delete()


def selected_volumes(schedule: SnapshotSchedule) -> QuerySet[Volume]:
    """Return the volumes of the schedule that have content, oldest first; by labels those that can have snapshots."""
    which = Q(pk=schedule.volume_id)
    if schedule.selector:
        which = label_selector(schedule.selector, "labels") & Q(pool__in=pools_with_snapshots())
    rows = Volume.objects.filter(which, project=schedule.project_id, state__in=("available", "in-use"))
    return rows.filter(is_deleting=False).order_by("created_at", "pk")


def spec_of(schedule: SnapshotSchedule) -> ScheduleSpec:
    return ScheduleSpec(
        name=schedule.name,
        times=schedule.times,
        keep=schedule.keep,
        volume=schedule.volume,
        selector=schedule.selector,
        is_paused=schedule.next_at is None,
        labels=schedule.labels,
    )


def schedule_times(*, frequency: str, at: time, timezone: str, weekday: str | None, day: int | None) -> ScheduleTimes:
    """Return the times that the fields describe.

    Raises:
        SnapshotScheduleInvalid: `weekday` or `day` does not go with the frequency, or the time zone is unknown.
    """
    _check_given("weekday", is_given=weekday is not None, frequency=frequency, of="weekly")
    _check_given("day", is_given=day is not None, frequency=frequency, of="monthly")
    if timezone not in _timezones():
        raise _invalid("timezone", Message("write a name of the IANA database, such as Europe/Paris or UTC"))
    if frequency == "hourly" and at.hour:
        raise _invalid("at", Message("an hourly schedule has minutes alone, such as 00:15"))
    return ScheduleTimes(frequency, at, timezone, weekday or "", day or 0)


@cache
def _timezones() -> Collection[str]:
    return frozenset(available_timezones())


def _check_given(name: str, *, is_given: bool, frequency: str, of: str) -> None:
    """Raise SnapshotScheduleInvalid unless exactly schedules of the frequency `of` have the field."""
    if is_given != (frequency == of):
        reason = Message("a schedule has the field {name} if its frequency is {frequency}", name=name, frequency=of)
        raise _invalid(name, reason)


def _checked(spec: ScheduleSpec) -> dict[str, object]:
    if (spec.volume is None) == (spec.selector.strip() == ""):
        raise _invalid("volume", Message("name either a volume or a selector of labels"))
    try:
        label_selector(spec.selector, "labels")
    except ValueError as exc:
        raise _invalid("selector", exc.args[0]) from exc
    return {
        "volume": spec.volume,
        "selector": spec.selector.strip(),
        "frequency": spec.times.frequency,
        "at": spec.times.at,
        "timezone": spec.times.timezone,
        "weekday": spec.times.weekday,
        "day": spec.times.day,
        "keep": spec.keep,
        "next_at": None if spec.is_paused else spec.times.next_after(clock.now()),
    }


def _invalid(name: str, reason: Message) -> SnapshotScheduleInvalid:
    return SnapshotScheduleInvalid(field=name, reason=reason)

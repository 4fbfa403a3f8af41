"""Snapshot schedules."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.columns import ID, LABELS, NAME
from andromede_cli.command import DRY_RUN, LabelsOption, Name, command, group, labels_of
from andromede_cli.completion import names
from andromede_cli.declared_commands import delete_command, list_command, show_command
from andromede_cli.output import Column
from andromede_cli.session import Session

COLUMNS = [
    NAME,
    Column(_("state"), "state"),
    Column(_("volume"), "volume.name"),
    Column(_("selector"), "selector"),
    Column(_("frequency"), "frequency"),
    Column(_("at"), "at"),
    Column(_("time zone"), "timezone"),
    Column(_("keep"), "keep"),
    Column(_("next"), "next_at"),
    LABELS,
    ID,
]
SCHEDULES = "snapshot_schedules.list"
Schedule = Annotated[str, typer.Argument(metavar="SCHEDULE", show_default=False, autocompletion=names(SCHEDULES))]
OfVolume = Annotated[
    str | None, typer.Option("--volume", help=_("Of this volume."), autocompletion=names("volumes.list"))
]
OfLabels = Annotated[str | None, typer.Option("--selector", help=_("Of the volumes with these labels: env=prod."))]
At = Annotated[str | None, typer.Option("--at", help=_("Local time, such as 02:30; hourly: the minute, as 00:15."))]
Weekday = Annotated[str | None, typer.Option("--weekday", help=_("Of a weekly schedule, such as monday."))]
Day = Annotated[int | None, typer.Option("--day", help=_("Of the month, of a monthly schedule: 1 to 28."))]
Zone = Annotated[str | None, typer.Option("--timezone", help=_("Such as Europe/Paris; UTC if not given."))]
Keep = Annotated[int | None, typer.Option("--keep", help=_("Snapshots of each volume to keep; 7 if not given."))]
NewZone = Annotated[str | None, typer.Option("--timezone", help=_("Such as Europe/Paris."))]
NewKeep = Annotated[int | None, typer.Option("--keep", help=_("Snapshots of each volume to keep."))]
Paused = Annotated[bool | None, typer.Option("--paused/--active", help=_("Take no snapshots until it is active."))]


def register(app: typer.Typer) -> None:
    schedules = group(_("Snapshot schedules: snapshots at regular times."))
    list_command(
        schedules,
        _("The snapshot schedules of the project."),
        SCHEDULES,
        COLUMNS,
        "name",
        "volume",
        "labels",
        "created_after",
    )
    show_command(schedules, _("A snapshot schedule."), "snapshot_schedules.get", "SCHEDULE")
    command(schedules, "create", _("Create a snapshot schedule."), DRY_RUN)(snapshot_schedule_create)
    command(schedules, "update", _("Change the schedule, pause it, or let it go on."), DRY_RUN)(
        snapshot_schedule_update
    )
    delete_command(
        schedules,
        _("Delete snapshot schedules; their snapshots stay."),
        "snapshot_schedules.delete",
        "SCHEDULE...",
        _("Delete {names}?"),
    )
    app.add_typer(schedules, name="snapshot-schedule")


def snapshot_schedule_create(
    me: Session,
    name: Name,
    frequency: Annotated[str, typer.Option("--frequency", help=_("hourly, daily, weekly or monthly."))],
    at: Annotated[str, typer.Option("--at", help=_("Local time, such as 02:30; hourly: the minute, as 00:15."))],
    volume: OfVolume = None,
    selector: OfLabels = None,
    weekday: Weekday = None,
    day: Day = None,
    timezone: Zone = None,
    keep: Keep = None,
    paused: Paused = None,
    label: LabelsOption = None,
) -> None:
    schedule = me.client.snapshot_schedules.create(
        name=name,
        frequency=frequency,
        at=at,
        volume=volume,
        selector=selector,
        weekday=weekday,
        day=day,
        timezone=timezone,
        keep=keep,
        is_paused=paused,
        labels=labels_of(label),
        dry_run=me.is_dry_run,
    )
    me.show(schedule)


def snapshot_schedule_update(
    me: Session,
    schedule: Schedule,
    name: Annotated[str | None, typer.Option("--name", help=_("The new name."))] = None,
    frequency: Annotated[str | None, typer.Option("--frequency", help=_("hourly, daily, weekly or monthly."))] = None,
    at: At = None,
    volume: OfVolume = None,
    selector: OfLabels = None,
    weekday: Weekday = None,
    day: Day = None,
    timezone: NewZone = None,
    keep: NewKeep = None,
    paused: Paused = None,
    label: LabelsOption = None,
) -> None:
    changed = me.client.snapshot_schedules.update(
        schedule,
        name=name,
        frequency=frequency,
        at=at,
        volume=volume,
        selector=selector,
        weekday=weekday,
        day=day,
        timezone=timezone,
        keep=keep,
        is_paused=paused,
        labels=labels_of(label, is_patch=True),
        dry_run=me.is_dry_run,
    )
    me.show(changed)

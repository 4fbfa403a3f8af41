"""Snapshots of volumes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from gettext import gettext as _
from typing import Annotated, cast

import typer

from andromede_cli.columns import ID, LABELS, NAME, STATE
from andromede_cli.command import DRY_RUN, WAIT, LabelsOption, Name, Volume, command, group, labels_of
from andromede_cli.completion import names
from andromede_cli.declared_commands import delete_command, list_command, show_command
from andromede_cli.moments import parse_moment
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_sdk import NULL

COLUMNS = [
    NAME,
    STATE,
    Column(_("volume"), "volume.name"),
    Column("GiB", "size_gib"),
    Column(_("taken"), "taken_at"),
    Column(_("expires"), "expires_at"),
    Column(_("consistency"), "consistency", is_wide=True),
    Column(_("group"), "group", is_wide=True),
    Column(_("schedule"), "schedule.name", is_wide=True),
    Column(_("zone"), "zone", is_wide=True),
    LABELS,
    Column(_("classifications"), "classifications", is_wide=True),
    ID,
]
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
Snapshot = Annotated[
    str,
    typer.Argument(
        metavar="SNAPSHOT", help=_("By name or id."), show_default=False, autocompletion=names("snapshots.list")
    ),
]
NewName = Annotated[str | None, typer.Option("--name", help=_("The new name."))]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires",
        help=_("Delete it in 12h, 7d or 4w, or at a moment (RFC 3339). Default: never."),
        show_default=False,
    ),
]
Consistency = Annotated[
    str | None,
    typer.Option(
        "--consistency",
        help=_("crash: as after a power cut; filesystem: file systems are frozen. Default: crash."),
        show_default=False,
    ),
]
NewExpires = Annotated[
    str | None,
    typer.Option("--expires", help=_("Delete it in 12h, 7d or 4w, at a moment (RFC 3339), or never.")),
]
NEVER = "never"


def register(app: typer.Typer) -> None:
    snapshots = group(_("Snapshots of volumes: their content at one moment."))
    filters = ("name", "state", "volume", "group", "zone", "labels", "created_after")
    list_command(snapshots, _("The snapshots of the project."), "snapshots.list", COLUMNS, *filters)
    show_command(snapshots, _("A snapshot."), "snapshots.get", "SNAPSHOT")
    command(snapshots, "create", _("Take a snapshot of a volume, also while a guest uses it."), WAIT, DRY_RUN)(create)
    command(snapshots, "update", _("Change its name, its labels or its expiry."), DRY_RUN)(update)
    question = _("Delete {names}? Volumes made from it stay.")
    delete_command(snapshots, _("Delete snapshots."), "snapshots.delete", "SNAPSHOT...", question, WAIT)
    app.add_typer(snapshots, name="snapshot")


def create(
    me: Session,
    volume: Volume,
    name: Name,
    consistency: Consistency = None,
    expires: Expires = None,
    label: LabelsOption = None,
) -> None:
    answer = me.client.snapshots.create(
        volume=volume,
        name=name,
        consistency=consistency,
        expires_at=parse_expiry(expires),
        labels=labels_of(label),
        dry_run=me.is_dry_run,
    )
    me.finish(answer, lambda: me.client.snapshots.get(answer.id))


def update(
    me: Session, snapshot: Snapshot, name: NewName = None, expires: NewExpires = None, label: LabelsOption = None
) -> None:
    labels = labels_of(label, is_patch=True)
    me.show(
        me.client.snapshots.update(
            snapshot, name=name, expires_at=parse_expiry(expires), labels=labels, dry_run=me.is_dry_run
        )
    )


def parse_expiry(text: str | None) -> datetime | None:
    """Return the moment of the text: a length from now, or a moment, in UTC unless it has an offset.

    None: it is not given. NULL: never.
    """
    if text is None:
        return None
    if text == NEVER:
        return cast("datetime", NULL)
    if length := re.fullmatch(r"([0-9]{1,4})([hdw])", text):
        return datetime.now(UTC) + int(length[1]) * UNITS[length[2]]
    return parse_moment(text, _("{text!r} is not a duration or time. Write 7d, 2026-05-01T12:00:00Z or never."))

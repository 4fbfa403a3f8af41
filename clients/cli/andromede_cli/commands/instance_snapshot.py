"""Snapshots of the disks of an instance at one moment."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.command import DRY_RUN, WAIT, Instance, LabelsOption, command, labels_of
from andromede_cli.commands.snapshots import COLUMNS, Consistency, Expires, parse_expiry
from andromede_cli.completion import names
from andromede_cli.session import Session

NameOption = Annotated[
    str, typer.Option("--name", help=_("Name of the snapshot; of several, the first part of each name."))
]
Disks = Annotated[
    list[str] | None,
    typer.Option(
        "--volume",
        help=_("Take only this disk; repeatable. Without it: all disks."),
        autocompletion=names("volumes.list"),
    ),
]


def register(instances: typer.Typer) -> None:
    help = _("Take snapshots of its disks at one moment: all, or none.")
    command(instances, "snapshot", help, WAIT, DRY_RUN)(snapshot)


def snapshot(
    me: Session,
    instance: Instance,
    name: NameOption,
    consistency: Consistency = None,
    volume: Disks = None,
    expires: Expires = None,
    label: LabelsOption = None,
) -> None:
    answer = me.client.instances.snapshot(
        instance,
        name=name,
        consistency=consistency,
        volumes=volume,
        expires_at=parse_expiry(expires),
        labels=labels_of(label),
        dry_run=me.is_dry_run,
    )
    if me.is_dry_run:
        me.list(answer.snapshots, COLUMNS)
        return
    me.finish(answer)
    me.list(me.client.snapshots.list(group=answer.group), COLUMNS)

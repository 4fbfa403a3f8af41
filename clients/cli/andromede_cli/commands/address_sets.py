"""Address sets: named ranges for rules of security groups."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.columns import CREATED, ID, LABELS, NAME
from andromede_cli.command import DRY_RUN, LabelsOption, Name, command, group, labels_of
from andromede_cli.completion import names
from andromede_cli.declared_commands import delete_command, list_command, show_command
from andromede_cli.output import Column
from andromede_cli.session import Session

COLUMNS = [
    NAME,
    Column(_("ranges"), "cidrs"),
    Column(_("description"), "description"),
    LABELS,
    CREATED,
    ID,
]
SETS = "address_sets.list"
Set = Annotated[str, typer.Argument(metavar="SET", show_default=False, autocompletion=names(SETS))]
Description = Annotated[str | None, typer.Option(help=_("Purpose, for other users."))]


def register(app: typer.Typer) -> None:
    sets = group(_("Address sets: named ranges for rules of security groups."))
    list_command(sets, _("The address sets of the project."), SETS, COLUMNS, "name", "labels", "created_after")
    show_command(sets, _("An address set."), "address_sets.get", "SET")
    command(sets, "create", _("Create an address set."), DRY_RUN)(address_set_create)
    command(sets, "update", _("Change its name, ranges, description or labels."), DRY_RUN)(address_set_update)
    delete_command(sets, _("Delete address sets."), "address_sets.delete", "SET...", _("Delete {names}?"))
    app.add_typer(sets, name="address-set")


def address_set_create(
    me: Session,
    name: Name,
    cidr: Annotated[list[str], typer.Option("--cidr", help=_("Address range; repeatable."))],
    description: Description = None,
    label: LabelsOption = None,
) -> None:
    address_set = me.client.address_sets.create(
        name=name, cidrs=cidr, description=description, labels=labels_of(label), dry_run=me.is_dry_run
    )
    me.show(address_set)


def address_set_update(
    me: Session,
    address_set: Set,
    name: Annotated[str | None, typer.Option("--name", help=_("The new name."))] = None,
    cidr: Annotated[
        list[str] | None, typer.Option("--cidr", help=_("Address range, in place of the former ones; repeatable."))
    ] = None,
    description: Description = None,
    label: LabelsOption = None,
) -> None:
    changed = me.client.address_sets.update(
        address_set,
        name=name,
        cidrs=cidr or None,
        description=description,
        labels=labels_of(label, is_patch=True),
        dry_run=me.is_dry_run,
    )
    me.show(changed)

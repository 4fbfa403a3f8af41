"""Affinity groups: place instances together, or apart."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.columns import CREATED, ID, NAME
from andromede_cli.command import DRY_RUN, Name, command, group
from andromede_cli.declared_commands import (
    LABEL,
    NEW_NAME,
    call_command,
    delete_command,
    given,
    list_command,
    show_command,
)
from andromede_cli.output import Column
from andromede_cli.session import Session


def register(app: typer.Typer) -> None:
    app.add_typer(_affinity_groups(), name="affinity-group")


def _affinity_groups() -> typer.Typer:
    groups = group(_("Affinity groups: place instances together, or apart."))
    columns = [NAME, Column(_("rule"), "rule"), Column(_("strict"), "is_strict"), CREATED, ID]
    list_command(groups, _("The affinity groups of the project."), "affinity_groups.list", columns, "name")
    show_command(groups, _("An affinity group."), "affinity_groups.get", "GROUP")
    command(groups, "create", _("Create an affinity group."), DRY_RUN)(affinity_group_create)
    subject = given("affinity_group", "GROUP", completes="affinity_groups.list")
    help = _("Change its name or labels.")
    call_command(groups, "update", help, "affinity_groups.update", subject, NEW_NAME, LABEL)
    delete_command(groups, _("Delete affinity groups."), "affinity_groups.delete", "GROUP...", _("Delete {names}?"))
    return groups


def affinity_group_create(
    me: Session,
    name: Name,
    rule: Annotated[str, typer.Option(help=_("affinity or anti-affinity."))] = "anti-affinity",
    strict: Annotated[bool, typer.Option("--strict/--wish", help=_("Required, or only preferred."))] = True,
) -> None:
    me.show(me.client.affinity_groups.create(name=name, rule=rule, is_strict=strict, dry_run=me.is_dry_run))

"""Flavors and volume types: the sizes and kinds to choose from."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.command import group
from andromede_cli.declared_commands import list_command
from andromede_cli.output import Column


def register(app: typer.Typer) -> None:
    flavors = group(_("Sizes of instances."))
    sizes = [Column("id", "id"), Column("vCPU", "vcpus"), Column("MiB", "memory_mib"), Column("GiB", "disk_gib")]
    list_command(flavors, _("List flavors."), "flavors.list", sizes)
    app.add_typer(flavors, name="flavor")
    types = group(_("Kinds of volumes."))
    list_command(
        types,
        _("List volume types."),
        "volume_types.list",
        [Column("id", "id"), Column(_("description"), "description")],
    )
    app.add_typer(types, name="volume-type")

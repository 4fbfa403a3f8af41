"""SSH keys for the first boot of instances."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.columns import CREATED, ID, NAME
from andromede_cli.command import DRY_RUN, GivenFile, Name, command, group
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
    app.add_typer(_ssh_keys(), name="ssh-key")


def _ssh_keys() -> typer.Typer:
    keys = group(_("SSH keys for the first boot of instances."))
    columns = [NAME, Column(_("fingerprint"), "fingerprint"), CREATED, ID]
    list_command(keys, _("The SSH keys of the project."), "ssh_keys.list", columns, "name")
    show_command(keys, _("An SSH key."), "ssh_keys.get", "KEY")
    command(keys, "create", _("Add the public half of a key."), DRY_RUN)(ssh_key_create)
    subject = given("ssh_key", "KEY", completes="ssh_keys.list")
    call_command(keys, "update", _("Change its name or labels."), "ssh_keys.update", subject, NEW_NAME, LABEL)
    question = _("Delete {names}? Instances that use it keep it.")
    delete_command(keys, _("Delete SSH keys."), "ssh_keys.delete", "KEY...", question)
    return keys


def ssh_key_create(me: Session, name: Name, file: GivenFile) -> None:
    me.show(me.client.ssh_keys.create(name=name, public_key=file.read_text().strip(), dry_run=me.is_dry_run))

"""Terraform states of the project. Terraform itself writes them."""

from __future__ import annotations

import getpass
import socket
from gettext import gettext as _
from typing import Annotated, Any
from uuid import uuid4

import typer

from andromede_cli.columns import ID, NAME
from andromede_cli.command import DRY_RUN, SURE, command, group, parameter
from andromede_cli.completion import names
from andromede_cli.declared_commands import call_command, delete_command, document, given, list_command, rows
from andromede_cli.output import Column, Format, plain
from andromede_cli.session import Session

STATES = [
    NAME,
    Column(_("version"), "version"),
    Column(_("locked by"), "lock.Who"),
    Column(_("for"), "lock.Operation"),
    Column(_("locked at"), "locked_at"),
    Column(_("lock"), "lock.ID", is_wide=True),
    ID,
]
VERSIONS = [
    Column(_("version"), "number"),
    Column(_("serial"), "serial"),
    Column(_("bytes"), "size_bytes"),
    Column(_("created"), "created_at"),
    Column(_("user"), "user_id", is_wide=True),
    Column(_("credential"), "credential_id", is_wide=True),
]
State = Annotated[
    str,
    typer.Argument(
        metavar="STATE", help=_("By name or id."), show_default=False, autocompletion=names("terraform_states.list")
    ),
]
SUBJECT = parameter("terraform_state", State)
Info = Annotated[str | None, typer.Option("--reason", help=_("Message for others who find it locked."))]
LockId = Annotated[str | None, typer.Option("--lock", help=_("Only the lock with this ID."), show_default=False)]


def register(app: typer.Typer) -> None:
    states = group(_("Terraform states that the project keeps."))
    list_command(states, _("List states and who holds their locks."), "terraform_states.list", STATES)
    call_command(states, "show", _("The state that is in force."), "terraform_states.read", SUBJECT, show=document)
    versions = "terraform_states.version_list"
    call_command(states, "versions", _("The versions that are kept."), versions, SUBJECT, show=rows(VERSIONS))
    call_command(
        states,
        "version",
        _("The state as it was in a version."),
        "terraform_states.version_read",
        SUBJECT,
        given("version", "VERSION"),
        show=document,
    )
    command(states, "lock", _("Keep Terraform from changing a state. Prints the ID of the lock."), DRY_RUN)(lock)
    command(states, "unlock", _("Force-unlock a state."), SURE, DRY_RUN)(unlock)
    question = _("Delete {names}? Terraform loses track of the resources it created.")
    delete_command(states, _("Delete states, with all versions."), "terraform_states.delete", "STATE...", question)
    app.add_typer(states, name="terraform-state")


def lock(me: Session, state: State, reason: Info = None) -> None:
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    lock_info: dict[str, Any] = {"ID": str(uuid4()), "Operation": "andromede", "Info": reason, "Who": who}
    locked = me.client.terraform_states.lock(state, **lock_info, dry_run=me.is_dry_run)
    if me.form in (Format.JSON, Format.YAML):
        me.show(locked)
    elif locked.lock is not None:
        plain(locked.lock.ID)


def unlock(me: Session, state: State, lock: LockId = None) -> None:
    if lock is None:
        question = _("Unlock {name}? If the run with the lock is still active, the state may be corrupted.")
        me.confirm(question.format(name=state))
    me.show(me.client.terraform_states.unlock(state, ID=lock, dry_run=me.is_dry_run))

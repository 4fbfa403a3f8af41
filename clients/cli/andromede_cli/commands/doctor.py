"""Diagnosis of the platform, for operators."""

from __future__ import annotations

from datetime import UTC, datetime
from gettext import gettext as _

import typer

from andromede_cli import output
from andromede_cli.command import command
from andromede_cli.diagnosis import PROBLEM, examine
from andromede_cli.error_reports import Exit
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

COLUMNS = [
    Column(_("level"), "level"),
    Column(_("about"), "subject"),
    Column(_("what"), "what"),
    Column(_("what to do"), "to_do"),
]


def register(app: typer.Typer) -> None:
    help = _("Problems of the platform and what to do; for operators. Exit status 1 if there is one.")
    command(app, "doctor", help)(doctor)


def doctor(me: Session) -> None:
    findings = examine(me.client, datetime.now(UTC))
    output.listed([each.as_document() for each in findings], COLUMNS, form=me.form)
    if not findings:
        print_note(_("The control plane knows of no problem."))
    if any(each.level == PROBLEM for each in findings):
        raise typer.Exit(Exit.REFUSED)

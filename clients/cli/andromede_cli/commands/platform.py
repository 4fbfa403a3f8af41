"""Availability of the control plane, and the meaning of its errors."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.command import group
from andromede_cli.declared_commands import call_command, given


def register(app: typer.Typer) -> None:
    call_command(app, "health", _("Check that the control plane answers."), "health.get")
    problems = group(_("Explain error codes."))
    help = _("Explain an error code, its cause and what to do.")
    call_command(problems, "show", help, "problems.get", given("code", "CODE"))
    app.add_typer(problems, name="problem")

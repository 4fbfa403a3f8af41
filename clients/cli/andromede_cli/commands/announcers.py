"""Announcers of zones' public addresses."""

from __future__ import annotations

from gettext import gettext as _

import typer

from andromede_cli.columns import ID, NAME
from andromede_cli.command import group
from andromede_cli.declared_commands import (
    call_command,
    delete_command,
    given,
    list_command,
    option,
    rows,
    show_command,
)
from andromede_cli.output import Column

COLUMNS = [
    NAME,
    Column(_("zone"), "zone"),
    Column(_("address"), "address"),
    Column(_("problem"), "problem"),
    Column(_("sessions"), "sessions.established"),
    Column(_("of"), "sessions.total"),
    Column(_("routes"), "route_count"),
    Column(_("of"), "document_route_count"),
    Column(_("version"), "applied_version", is_wide=True),
    Column(_("of"), "document_version", is_wide=True),
    Column(_("last seen"), "last_seen_at", is_wide=True),
    ID,
]
INCIDENTS = [Column(_("kind"), "kind"), Column(_("last seen"), "seen_at"), Column(_("ended"), "ended_at")]


def register(app: typer.Typer) -> None:
    announcers = group(_("Announcers: they announce a zone's public addresses to routers; for operators."))
    list_command(announcers, _("List announcers."), "announcers.list", COLUMNS, "name", "zone")
    show_command(announcers, _("An announcer, with its last report."), "announcers.get", "ANNOUNCER")
    name = given("name", "NAME")
    zone = option("zone", "--zone", _("Its zone."))
    address = option("address", "--address", _("HOST:PORT of its service."))
    help = _("Add an announcer. It is called once it has a certificate.")
    call_command(announcers, "create", help, "announcers.create", name, zone, address)
    question = _("Delete the announcers {names}?")
    delete_command(announcers, _("Delete announcers."), "announcers.delete", "ANNOUNCER", question)
    announcer = given("announcer", "ANNOUNCER", completes="announcers.list")
    help = _("List the incidents of an announcer.")
    call_command(announcers, "incidents", help, "announcers.incident_list", announcer, show=rows(INCIDENTS))
    app.add_typer(announcers, name="announcer")

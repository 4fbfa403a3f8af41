"""Events of the past and present."""

from __future__ import annotations

from collections.abc import Iterator
from gettext import gettext as _
from itertools import islice
from typing import Annotated, Any

import typer

from andromede_cli import output
from andromede_cli.command import command, group
from andromede_cli.declared_commands import LimitOption, ResourceOption
from andromede_cli.output import Column
from andromede_cli.session import Session
from andromede_sdk.model import Model

EVENTS = [
    Column(_("when"), "created_at"),
    Column(_("kind"), "kind"),
    Column(_("name"), "resource.name"),
    Column(_("data"), "data"),
    Column(_("resource"), "resource.id", is_wide=True),
    Column(_("operation"), "operation", is_wide=True),
    Column(_("request"), "request_id", is_wide=True),
    Column(_("cursor"), "cursor", is_wide=True),
]
After = Annotated[
    str | None,
    typer.Option("--after", help=_("Start after this cursor (see -o wide); for list also: now."), show_default=False),
]
Kind = Annotated[
    str | None,
    typer.Option("--kind", help=_("Filter by kinds, such as instance.*,operation.failed."), show_default=False),
]


def register(app: typer.Typer) -> None:
    events = group(_("Events: what has happened."))
    command(events, "list", _("List events, the oldest first."))(event_list)
    command(events, "follow", _("Follow events live until Ctrl-C."))(follow)
    app.add_typer(events, name="event")


def event_list(
    me: Session,
    after: After = None,
    kind: Kind = None,
    resource: ResourceOption = None,
    limit: LimitOption = None,
) -> None:
    query = {"project": me.profile.project or None, "kind": kind, "resource": resource}
    me.list(islice(_all(me, after, query), limit), EVENTS)


def _all(me: Session, after: str | None, query: dict[str, Any]) -> Iterator[Model]:
    while True:
        page = me.client.events.list(after=after, **query)
        yield from page.items
        after = page.cursor
        if not page.has_more:
            return


def follow(
    me: Session,
    after: After = None,
    kind: Kind = None,
    resource: ResourceOption = None,
) -> None:
    """Follow events; a lost connection is made again, without a gap in the events."""
    project = me.profile.project or None
    try:
        for event in me.client.events.stream(after=after, project=project, kind=kind, resource=resource):
            output.line(event, EVENTS, form=me.form)
    except KeyboardInterrupt:
        return

"""The question whether one end reaches another."""

from __future__ import annotations

from gettext import gettext as _
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

import typer

from andromede_cli import output
from andromede_cli.command import command
from andromede_cli.completion import names
from andromede_cli.error_reports import Exit
from andromede_cli.output import Column, Format
from andromede_cli.session import Session

if TYPE_CHECKING:
    from andromede_sdk.models import ReachabilityEndInput

OUTSIDE, PORT = "outside", "port:"
STEPS = [Column(_("outcome"), "outcome"), Column(_("step"), "kind"), Column(_("reason"), "text")]
ENDS = _("An instance, port:NAME, an IP address, or outside.")
From = Annotated[str, typer.Option("--from", help=ENDS, autocompletion=names("instances.list"))]
To = Annotated[str, typer.Option("--to", help=ENDS, autocompletion=names("instances.list"))]


def register(app: typer.Typer) -> None:
    help = _("Say if traffic reaches another end, and what lets it pass or stops it. Exit status 1 unless it does.")
    command(app, "reachability", help)(reachability)


def reachability(
    me: Session,
    source: From,
    target: To,
    protocol: Annotated[str | None, typer.Option(help=_("any, tcp, udp or icmp. With --port: tcp."))] = None,
    port: Annotated[int | None, typer.Option("--port", help=_("Port of tcp or udp."), min=1, max=65535)] = None,
    family: Annotated[str | None, typer.Option(help=_("ipv4 or ipv6."))] = None,
) -> None:
    answer = me.client.reachability.check(
        source=_end(source),
        target=_end(target),
        protocol=protocol or ("any" if port is None else "tcp"),
        port=port,
        family=family,
    )
    if me.form in (Format.JSON, Format.YAML):
        me.show(answer)
    elif me.form is Format.NAME:
        output.plain(answer.verdict)
    else:
        output.plain(answer.verdict)
        output.listed([step.raw for step in answer.steps], STEPS, form=me.form)
        for each in answer.next_steps:
            output.plain(f"- {each}")
    if answer.verdict != "allowed":
        raise typer.Exit(Exit.REFUSED)


def _end(text: str) -> ReachabilityEndInput:
    """Return the end as the API names it."""
    if text == OUTSIDE:
        return {"outside": True}
    if text.startswith(PORT):
        return {"port": text.removeprefix(PORT)}
    try:
        return {"address": str(ip_address(text))}
    except ValueError:
        return {"instance": text}

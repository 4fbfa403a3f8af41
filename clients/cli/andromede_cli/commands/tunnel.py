"""Tunnels to TCP ports of guests, through the control plane."""

from __future__ import annotations

from functools import partial
from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.command import Instance, command
from andromede_cli.commands.console import place_of
from andromede_cli.error_reports import Misuse
from andromede_cli.session import Session
from andromede_cli.terminal import print_note

SSH_PORT = 22
Port = Annotated[int, typer.Option("--port", help=_("TCP port of the guest."), min=1, max=65535)]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="ADDRESS:PORT", help=_("Where programs here connect; port 0: a free one.")),
]
Stdio = Annotated[bool, typer.Option("--stdio", help=_("Carry the standard input and output, as for ProxyCommand."))]
Network = Annotated[str | None, typer.Option("--network", help=_("Network whose address to use."))]


def register(instances: typer.Typer) -> None:
    command(instances, "tunnel", _("Open a tunnel to a TCP port of the guest."))(tunnel)


def tunnel(
    me: Session,
    name: Instance,
    port: Port = SSH_PORT,
    listen: Listen = None,
    stdio: Stdio = False,
    network: Network = None,
) -> None:
    from andromede_cli import tunnels

    if stdio is (listen is not None):
        raise Misuse(_("Pass either --stdio or --listen 127.0.0.1:PORT."))
    if listen is not None:
        _listen(me, name, port, network, place_of(listen))
        return
    with tunnels.opened(me, name, tcp_port=port, network=network) as opened:
        tunnels.carry_standard_streams(opened)


def _listen(me: Session, name: str, port: int, network: str | None, listen_address: tuple[str, int]) -> None:
    from andromede_cli import consoles, tunnels

    me.client.instances.tunnel_open(
        name, tcp_port=port, network=network, dry_run=True
    )  # report errors before listening

    def announce_address(host: str, local_port: int) -> None:
        words = _("TCP port {port} of {name} is at {host}:{local_port}. Ctrl-C ends it.")
        print_note(words.format(port=port, name=name, host=host, local_port=local_port))

    opening = partial(tunnels.opened, me, name, tcp_port=port, network=network)
    consoles.serve(opening, listen_address, announce_address, carry=tunnels.carry_socket)

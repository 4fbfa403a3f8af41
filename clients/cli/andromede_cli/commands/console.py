"""Interactive consoles: the serial one in this terminal, the display for a VNC viewer."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from gettext import gettext as _
from ipaddress import ip_address
from typing import Annotated

import typer

from andromede_cli.command import Instance, command
from andromede_cli.error_reports import Misuse
from andromede_cli.session import Session
from andromede_cli.terminal import print_note


class Kind(StrEnum):
    SERIAL = "serial"
    VNC = "vnc"


KindOption = Annotated[Kind, typer.Option("--kind", help=_("The serial console, or the screen."))]
PLACE = _("Where a viewer of VNC finds the screen; port 0: a free one.")
Listen = Annotated[str, typer.Option("--listen", metavar="ADDRESS:PORT", help=PLACE)]


def register(instances: typer.Typer) -> None:
    command(instances, "console", _("Open a console of the guest."))(console)


def console(me: Session, name: Instance, kind: KindOption = Kind.SERIAL, listen: Listen = "127.0.0.1:5900") -> None:
    from andromede_cli import consoles

    if kind is Kind.VNC:
        _screen(me, name, place_of(listen))
        return
    with consoles.opened(me, name, kind.value) as guest:
        if sys.stdin.isatty():
            print_note(_("The serial console of {name}. Ctrl+] leaves it.").format(name=name))
        consoles.converse(guest)


def place_of(text: str) -> tuple[str, int]:
    """Parse the address. Raises Misuse if it is invalid or not local: viewers need no password there."""
    host, _colon, port = text.rpartition(":")
    try:
        address = str(ip_address(host.strip("[]"))), int(port)
        is_own = ip_address(address[0]).is_loopback and 0 <= address[1] < 2**16
    except ValueError:
        is_own = False
    if not is_own:
        raise Misuse(_("{text!r} is not a loopback address such as 127.0.0.1:5900.").format(text=text))
    return address


def _screen(me: Session, name: str, listen_address: tuple[str, int]) -> None:
    from andromede_cli import consoles

    me.client.instances.console_open(name, kind=Kind.VNC, dry_run=True)  # report errors before listening

    def announce_address(host: str, port: int) -> None:
        words = _("The screen of {name} is at {host}:{port}, for a viewer of VNC. Ctrl-C ends it.")
        print_note(words.format(name=name, host=host, port=port))

    opening = partial(consoles.opened, me, name, Kind.VNC.value)
    consoles.serve(opening, listen_address, announce_address, carry=consoles.carry_display)

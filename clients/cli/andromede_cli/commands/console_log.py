"""Console log: the output of a guest on its serial console."""

from __future__ import annotations

import sys
import time
from gettext import gettext as _
from typing import Annotated

import typer

from andromede_cli.command import Instance, command
from andromede_cli.session import Session
from andromede_cli.terminal import harmless, print_note

PAUSE_S = 1.0
ANCHOR_CHARS = 2000
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help=_("Keep following until Ctrl-C."))]
Raw = Annotated[
    bool, typer.Option("--raw", help=_("Pass terminal control sequences through; only for guests that you trust."))
]


def register(instances: typer.Typer) -> None:
    command(instances, "console-log", _("Follow the serial console log of the guest."))(console_log)


def console_log(me: Session, name: Instance, follow: Follow = True, raw: Raw = False) -> None:
    if follow and sys.stderr.isatty():
        print_note(_("Serial console output of {name}. Ctrl-C ends it.").format(name=name))
    text = me.client.instances.console_log(name)
    _write(text, is_raw=raw)
    try:
        while follow:
            time.sleep(PAUSE_S)
            now = me.client.instances.console_log(name)
            _write(added(text, now), is_raw=raw)
            text = now
    except KeyboardInterrupt:
        sys.stdout.write("\n")


def added(before: str, now: str) -> str:
    """Return the new part of the log.

    The log is only the end of the output, so its beginning moves; after a reboot the log may contain nothing of the
    former one.
    """
    anchor = before[-ANCHOR_CHARS:]
    index = now.rfind(anchor) if anchor else -1
    return now if index < 0 else now[index + len(anchor) :]


def _write(text: str, *, is_raw: bool) -> None:
    if text:
        sys.stdout.write(text if is_raw else harmless(text.replace("\r\n", "\n").replace("\r", "\n")))
        sys.stdout.flush()

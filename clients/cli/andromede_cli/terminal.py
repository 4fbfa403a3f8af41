"""Write to the terminal.

Names, console logs and details are written by others: none of them may control the terminal or imitate other output.
"""

from __future__ import annotations

import getpass
import re
import sys
from gettext import gettext as _
from typing import TYPE_CHECKING

from andromede_cli.error_reports import Misuse

if TYPE_CHECKING:
    from rich.console import Console

# Control characters but the line feed and the tab, and the marks that turn the direction of writing.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    return STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def console(*, error: bool = False) -> Console:
    """Return the console; in a pipe it has no colours and no width."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    is_terminal = stream.isatty()
    width = None if is_terminal else 100_000
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=not is_terminal, width=width)


def print_note(line: str) -> None:
    """Print a note, which is no part of the result."""
    from rich.text import Text

    console(error=True).print(Text(harmless(line)), soft_wrap=True)


def print_error(line: str, *, is_first: bool) -> None:
    from rich.text import Text

    text = Text(harmless(line))
    if is_first:
        text = Text.assemble((_("error: "), "bold red"), text)
    console(error=True).print(text, soft_wrap=True)


def ask_secret(prompt: str) -> str:
    """Read a secret, without echo on a terminal, else a line of standard input.

    It never comes from the command line, which other users can see. Raises Misuse: there is none.
    """
    given = (getpass.getpass(f"{prompt} ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not given:
        raise Misuse(_("{prompt} no input. Type it, or pass it on standard input.").format(prompt=prompt))
    return given


def ask_new_password() -> str:
    """Read a new password, twice on a terminal. Raises Misuse: the two differ."""
    password = ask_secret(_("New password:"))
    if sys.stdin.isatty() and ask_secret(_("Repeat the password:")) != password:
        raise Misuse(_("The two passwords differ."))
    return password

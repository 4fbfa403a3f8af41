"""Requests to BIRD over its control socket.

Replies are lines of `CODE-text` or ` text` (of the same code); the last one is `CODE text` (BIRD's doc/reply_codes).
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agents.announcer.bird_config import PROTOCOLS

TIMEOUT_S = 10.0
LINE = re.compile(r"([0-9]{4})([ -])(.*)")
CONFIGURED = frozenset({3, 4, 5})  # done, in progress, queued
PROTOCOL, ROUTE_COUNT = 1002, 14
ERRORS = 8000  # and above
COUNT = re.compile(r"([0-9]+) of [0-9]+ routes")


class BirdSilent(Exception):
    """BIRD does not run, or does not answer."""


class BirdRefused(Exception):
    """BIRD does not accept its configuration, so it goes on with the one before."""


@dataclass(frozen=True, slots=True)
class BirdState:
    """State that BIRD reports. `version`: of the routes that it has; None: of two documents. `routes`: their number."""

    version: int | None
    routes: int
    sessions: int
    established: int


@dataclass(frozen=True, slots=True)
class Bird:
    """BIRD behind its control socket."""

    control: Path

    def configure(self) -> None:
        """Have BIRD read its configuration.

        Raises:
            BirdSilent, BirdRefused.
        """
        if not CONFIGURED & {code for code, _ in self.command("configure")}:
            raise BirdRefused

    def state(self) -> BirdState:
        """Return what BIRD reports. Raises BirdSilent."""
        established = [
            "Established" in text.split()[4:]
            for code, text in self.command("show protocols")
            if code == PROTOCOL and text.split()[1:2] == ["BGP"]
        ]
        versions = {self._version(name) for name in PROTOCOLS.values()}
        routes = sum(self._routes(name) for name in PROTOCOLS.values())
        return BirdState(versions.pop() if len(versions) == 1 else None, routes, len(established), sum(established))

    def command(self, command: str) -> list[tuple[int, str]]:
        """Return the lines of the reply, with the codes of BIRD's control protocol. Raises BirdSilent."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT_S)
                connection.connect(str(self.control))
                with connection.makefile("rw", encoding="utf-8", errors="replace") as file:
                    list(_reply(iter(file.readline, "")))  # the greeting
                    file.write(f"{command}\n")
                    file.flush()
                    return list(_reply(iter(file.readline, "")))
        except OSError as exc:
            raise BirdSilent(str(exc)) from exc

    def _version(self, protocol: str) -> int | None:
        """Return the version in the protocol's description; 0 without the protocol."""
        lines = self.command(f"show protocols all {protocol}")
        if any(code >= ERRORS for code, _ in lines):
            return 0
        for _, text in lines:
            name, _, value = text.strip().partition(":")
            if name == "Description":
                return int(value) if value.strip().isdecimal() else None
        return None

    def _routes(self, protocol: str) -> int:
        counts = (COUNT.match(text) for code, text in self.command(f"show route count protocol {protocol}"))
        return sum(int(match[1]) for match in counts if match is not None)


def _reply(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Return the lines of one reply with their codes. Raises BirdSilent: it is cut off."""
    code = 0
    for line in lines:
        match = LINE.fullmatch(line.rstrip("\n"))
        code = int(match[1]) if match is not None else code
        yield code, match[3] if match is not None else line.strip()
        if match is not None and match[2] == " ":
            return
    raise BirdSilent("the connection ended within a reply")

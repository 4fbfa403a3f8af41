"""The only reader of the environment. A missing or malformed variable stops the process at its start."""

import os
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from telemetry.address import parse_address

PREFIX = "ANDROMEDE_"


def text(name: str, default: str | None = None) -> str:
    value = os.environ.get(PREFIX + name, default)
    if value is None:
        raise ImproperlyConfigured(f"Set {PREFIX}{name} in the environment.")
    return value


def secret(name: str, default: str | None = None) -> str:
    """Return the value of NAME, or the content of the file in NAME_FILE."""
    file = os.environ.get(f"{PREFIX}{name}_FILE")
    if file is None:
        return text(name, default)
    try:
        return Path(file).read_text().strip()
    except OSError as exc:
        raise ImproperlyConfigured(f"{PREFIX}{name}_FILE: cannot read {file}: {exc.strerror}.") from exc


def sudo_user() -> str:
    """Return the account that has called sudo (sudo(8)), or an empty text."""
    return os.environ.get("SUDO_USER", "")


def set_variable(name: str, value: str) -> None:
    """Set a variable for a library that reads it when it is imported."""
    os.environ[name] = value


def integer(name: str, default: int, *, minimum: int | None = None) -> int:
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError as exc:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be a whole number, not {value!r}.") from exc
    if minimum is not None and number < minimum:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be {minimum} or more, not {value}.")
    return number


def boolean(name: str, default: bool) -> bool:
    value = text(name, "true" if default else "false").lower()
    if value not in ("true", "false"):
        raise ImproperlyConfigured(f"{PREFIX}{name} must be true or false, not {value!r}.")
    return value == "true"


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def addresses(name: str) -> dict[str, str]:
    """Parse ADDRESS:PORT, or several as NAME=ADDRESS:PORT separated by commas; returns them by name, which is empty for
    the first.
    """
    listeners = {}
    for word in words(name, ""):
        own, _, listen = word.rpartition("=")
        try:
            parse_address(listen)
        except ValueError as exc:
            raise ImproperlyConfigured(f"{PREFIX}{name}: {exc}.") from exc
        listeners[own] = listen
    return listeners


def words(name: str, default: str) -> list[str]:
    """Parse a comma-separated list."""
    return [word for word in (part.strip() for part in text(name, default).split(",")) if word]


def networks(name: str, default: str) -> list[IPv4Network | IPv6Network]:
    """Parse a comma-separated list of networks and addresses."""
    try:
        return [ip_network(word) for word in words(name, default)]
    except ValueError as exc:
        raise ImproperlyConfigured(f"{PREFIX}{name} must name networks: {exc}.") from exc


def path(name: str, default: Path) -> Path:
    return Path(text(name, str(default))).resolve()

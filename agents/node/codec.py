"""Convert frozen dataclasses to JSON text and back, for the state store; equal values give equal texts.

The agent may have been upgraded between the two, or be back at the previous release. So a field that a later release
added is left out while it has its default (ADDED_LATER), and one that this release does not know is ignored.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints
from uuid import UUID

T = TypeVar("T")
ADDED_LATER = {"is_added_later": True}  # metadata of a field with a default
OF_EITHER_FAMILY: dict[Any, Callable[[str], Any]] = {
    IPv4Address | IPv6Address: ip_address,
    IPv4Network | IPv6Network: ip_network,
}


def dumps(value: object) -> str:
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def loads(kind: type[T], text: str) -> T:
    """Return the value that `dumps` turned into `text`; ValueError or TypeError when the text has another shape."""
    return _typed(kind, json.loads(text))  # type: ignore[no-any-return]


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        pairs = [(field, getattr(value, field.name)) for field in fields(value)]
        return {
            field.name: _plain(part)
            for field, part in pairs
            if not (field.metadata.get("is_added_later") and part == field.default)
        }
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID | IPv4Address | IPv6Address | IPv4Network | IPv6Network | Path):
        return str(value)
    return value


def _typed(kind: Any, plain: Any) -> Any:
    if is_dataclass(kind):
        hints = _hints(cast(type, kind))
        values = {name: _typed(hints[name], item) for name, item in plain.items() if name in hints}
        return cast(Callable[..., Any], kind)(**values)
    if get_origin(kind) is tuple:
        return tuple(_typed(get_args(kind)[0], item) for item in plain)
    if kind in OF_EITHER_FAMILY:
        return OF_EITHER_FAMILY[kind](plain)
    if get_origin(kind) is UnionType:  # of a type and None
        return None if plain is None else _typed(get_args(kind)[0], plain)
    if kind is bytes:
        return base64.b64decode(plain)
    return kind(plain)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)

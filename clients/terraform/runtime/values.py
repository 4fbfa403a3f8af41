"""Values from Terraform: str, int, float, bool, list, dict, None, and UNKNOWN."""

import json
from typing import Any, Final

import msgpack

from clients.terraform.runtime.protocol import tfplugin6_pb2 as pb

Value = Any
Values = dict[str, Any]


class Unknown:
    """A value that is known only after another resource was applied."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
_ENCODED_UNKNOWN = msgpack.ExtType(0, b"\0")


def decode(message: pb.DynamicValue) -> Value:
    """Decode a value. Unknown values are extension 0, or 12 with refinements, which are not used here."""
    if message.msgpack:
        return msgpack.unpackb(message.msgpack, ext_hook=lambda code, data: UNKNOWN, strict_map_key=False)
    return json.loads(message.json) if message.json else None


def encode(value: Value) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=_extension))


def _extension(value: object) -> msgpack.ExtType:
    if isinstance(value, Unknown):
        return _ENCODED_UNKNOWN
    raise TypeError(f"{type(value).__name__} is no value of Terraform's")


def is_known(value: Value) -> bool:
    """Return whether every part of the value is known."""
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    if isinstance(value, list):
        return all(map(is_known, value))
    return value is not UNKNOWN


def without_unknown(value: Value) -> Value:
    """Replace unknown values by null, since states have none."""
    if isinstance(value, dict):
        return {name: without_unknown(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_unknown(item) for item in value]
    return None if value is UNKNOWN else value

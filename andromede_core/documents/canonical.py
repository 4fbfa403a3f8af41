"""Canonical JSON (RFC 8785, JSON Canonicalization Scheme): one text per JSON value.

Both sides of a signature or a digest see the same bytes. Standard library only: nodes and auditors run this too.
"""

import hashlib
import json
import math
from collections.abc import Mapping

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import decoded


def dumps(value: object) -> bytes:
    """Return the canonical UTF-8 bytes: keys in order, no white space.

    Raises:
        ValueError: a key that is no text, a number that RFC 8785 does not know or that has no short decimal form, or
            a value that JSON does not know.
    """
    return json.dumps(
        _plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=False
    ).encode()


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical bytes, in lower-case hex."""
    return hashlib.sha256(dumps(value)).hexdigest()


def loads(text: bytes) -> object:
    """Parse canonical bytes.

    Raises:
        ValueError: no JSON, or any other bytes than `dumps` gives for the value.
    """
    value = decoded(text)
    if dumps(value) != text:
        raise ValueError(Message("this JSON is not in its canonical form"))
    return value


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(Message("a key of a JSON object is a text"))
        return {key: _plain(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise ValueError(Message("{kind} is not a JSON value", kind=type(value).__name__))


def _number(value: int | float) -> int | float:
    """Write a number; a float only if Python and RFC 8785 write it alike. Whole floats become whole numbers."""
    if isinstance(value, int):
        if abs(value) >= 2**53:
            raise ValueError(Message("a whole number beyond 2**53 is not the same everywhere: write it as a text"))
        return value
    if not is_plain(value):
        raise ValueError(Message("{value!r} has no plain decimal form", value=value))
    return int(value) if value.is_integer() else value


def is_plain(value: float) -> bool:
    """Tell if Python and RFC 8785 write the number alike, without an exponent."""
    return math.isfinite(value) and (value == 0 or 1e-4 <= abs(value) < 1e15)

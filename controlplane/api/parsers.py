"""JSON, taken strictly (RFC 8259, I-JSON): what two readers could understand differently is refused."""

import json
import re
from typing import Any

from rest_framework.parsers import BaseParser

from controlplane.api.errors import BodyMalformed
from controlplane.kernel.errors import BodyTooLarge
from controlplane.kernel.reasons import Reason

BODY_MAX_BYTES = 1024 * 1024
DEPTH_MAX = 16
# What no text may have anywhere: NUL and its kin, DEL and halves of surrogate pairs. Fields forbid more.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """
        Raises:
            BodyTooLarge, BodyMalformed.
        """
        raw = stream.read(BODY_MAX_BYTES + 1)
        if len(raw) > BODY_MAX_BYTES:
            raise BodyTooLarge(limit_bytes=BODY_MAX_BYTES)
        value = _decoded(raw)
        _check(value, pointer="", depth=0)
        return value


def escaped(name: str) -> str:
    """One part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode(), object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as exc:
        raise BodyMalformed(reason=Reason("it is not UTF-8.")) from exc
    except json.JSONDecodeError as exc:
        raise BodyMalformed(
            reason=Reason("it is no JSON from line {line}, column {column} on.", line=exc.lineno, column=exc.colno)
        ) from exc
    except RecursionError as exc:
        raise _too_deep() from exc
    except ValueError as exc:
        raise BodyMalformed(reason=Reason("it has a number that is too long.")) from exc


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BodyMalformed(
            field=escaped(twice[:80]), reason=Reason("the member {name!r} is there twice.", name=twice[:80])
        )
    return members


def _no_constant(text: str) -> Any:
    raise BodyMalformed(reason=Reason("{text} is no JSON number.", text=text))


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BodyMalformed(reason=Reason("it has a number that is too large."))
    return number


def _too_deep() -> BodyMalformed:
    return BodyMalformed(reason=Reason("it is nested more than {limit} levels deep.", limit=DEPTH_MAX))


def _check(value: Any, *, pointer: str, depth: int) -> None:
    """Raises BodyMalformed for a forbidden character, naming its place, and for too much depth."""
    if isinstance(value, str):
        _check_text(value, pointer)
    elif isinstance(value, dict | list):
        if depth == DEPTH_MAX:
            raise _too_deep()
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for name, member in members:
            if isinstance(name, str):
                _check_text(name, pointer)
            _check(member, pointer=f"{pointer}/{escaped(str(name)[:80])}", depth=depth + 1)


def _check_text(text: str, pointer: str) -> None:
    if FORBIDDEN.search(text):
        raise BodyMalformed(
            field=pointer.removeprefix("/") or None, reason=Reason("a text in it has a control character.")
        )

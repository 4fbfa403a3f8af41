"""Strict JSON parser (RFC 8259, I-JSON): rejects documents that two parsers could read differently."""

import json
import re
from itertools import islice
from typing import Any

from rest_framework.parsers import BaseParser

from andromede_core.documents.messages import Message
from controlplane.api.errors import BodyMalformed
from controlplane.kernel.errors import BodyTooLarge

BODY_MAX_BYTES = 1024 * 1024
# Bytes do not limit the work that a body causes, so members and values have maxima too: unauthenticated clients send
# bodies as well.
DEPTH_MAX = 16
MEMBERS_MAX = 1000  # of one object
VALUES_MAX = 20_000  # members and list elements of the whole document; 1000 signed facts have some 16 000
# Characters that no text may contain: NUL and other control characters, DEL and surrogates. Fields forbid more.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# A text (perhaps without its end), a comma or an opening bracket. A value has at most one of each, and a text more for
# its name. Possessive, so that each character is read once.
TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)
TOKENS_MAX = 4 * VALUES_MAX
NAMED_MAX = 80  # characters of a name in a message
# Names on the path to a value, the last one first; none for the document itself.
Place = tuple["Place", str] | None


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Parse a body.

        Raises:
            BodyTooLarge, BodyMalformed
        """
        raw = stream.read(BODY_MAX_BYTES + 1)
        if len(raw) > BODY_MAX_BYTES:
            raise BodyTooLarge(limit_bytes=BODY_MAX_BYTES)
        value = _decoded(raw)
        _Check().check(value)
        return value


def escaped(name: str) -> str:
    """Escape one part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _refuse_many(raw: bytes) -> None:
    """Raise BodyMalformed for a document with more than VALUES_MAX values, before it is parsed."""
    if len(raw) > TOKENS_MAX and sum(1 for _ in islice(TOKENS.finditer(raw), TOKENS_MAX + 1)) > TOKENS_MAX:
        raise _too_many()


def _decoded(raw: bytes) -> Any:
    _refuse_many(raw)
    try:
        return json.loads(raw.decode(), object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as exc:
        raise BodyMalformed(reason=Message("it is not UTF-8.")) from exc
    except json.JSONDecodeError as exc:
        raise BodyMalformed(
            reason=Message(
                "it is not valid JSON from line {line}, column {column} on.", line=exc.lineno, column=exc.colno
            )
        ) from exc
    except RecursionError as exc:
        raise _too_deep() from exc
    except ValueError as exc:
        raise BodyMalformed(reason=Message("it has a number that is too long.")) from exc


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build one object from its members in their order."""
    if len(pairs) > MEMBERS_MAX:
        first = pairs[0][0][:NAMED_MAX]
        reason = Message(
            "the object with the member {name!r} has more than {limit} members.", name=first, limit=MEMBERS_MAX
        )
        raise BodyMalformed(field=escaped(first), reason=reason)
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _reject_duplicates(name[:NAMED_MAX])
        members[name] = value
    return members


def _reject_duplicates(name: str) -> BodyMalformed:
    return BodyMalformed(field=escaped(name), reason=Message("the member {name!r} is repeated.", name=name))


def _no_constant(text: str) -> Any:
    raise BodyMalformed(reason=Message("{text} is not a JSON number.", text=text))


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BodyMalformed(reason=Message("it has a number that is too large."))
    return number


def _too_many() -> BodyMalformed:
    return BodyMalformed(reason=Message("it has more than {limit} values.", limit=VALUES_MAX))


def _too_deep() -> BodyMalformed:
    return BodyMalformed(reason=Message("it is nested more than {limit} levels deep.", limit=DEPTH_MAX))


class _Check:
    """Walk through a parsed document once; raises BodyMalformed for a forbidden character, naming its location, for too
    much depth and for too many values.
    """

    def __init__(self) -> None:
        self.values = 0

    def check(self, value: Any, *, place: Place = None, depth: int = 0) -> None:
        if isinstance(value, str):
            _check_text(value, place)
        elif isinstance(value, dict | list):
            if depth == DEPTH_MAX:
                raise _too_deep()
            self.values += len(value)
            if self.values > VALUES_MAX:
                raise _too_many()
            self._check_inside(value, place, depth)

    def _check_inside(self, value: dict[str, Any] | list[Any], place: Place, depth: int) -> None:
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for name, member in members:
            if isinstance(name, str):
                _check_text(name, place)
            if isinstance(member, str | dict | list):
                self.check(member, place=(place, str(name)), depth=depth + 1)


def _check_text(text: str, place: Place) -> None:
    if FORBIDDEN.search(text):
        raise BodyMalformed(field=_pointer(place), reason=Message("a text in it has a control character."))


def _pointer(place: Place) -> str | None:
    """Return a JSON pointer without its first slash."""
    names: list[str] = []
    while place is not None:
        place, name = place
        names.insert(0, escaped(name[:NAMED_MAX]))
    return "/".join(names) or None

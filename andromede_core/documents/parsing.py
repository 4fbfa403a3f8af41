"""Strict parsing of JSON documents: errors name the place in the document. Standard library only."""

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NoReturn

from andromede_core.documents.messages import Message

# datetime.fromisoformat accepts other forms too, which differ between Python versions.
RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Malformed(ValueError):
    """A document that does not parse.

    `place` is where in the document, such as zones[3].certifications[0].valid_to; `problem` ends a sentence.
    """

    def __init__(self, place: str, problem: Message) -> None:
        self.place, self.problem = place, problem
        super().__init__(Message("{place}: {problem}.", place=place, problem=problem))


def decoded(text: bytes) -> object:
    """Parse UTF-8 bytes as JSON.

    Raises:
        ValueError: no JSON, not finite, nested too deeply, or with a repeated key, whose value readers
            might read differently
    """
    try:
        value: object = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_refuse_constant)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def refuse(at: str, problem: Message) -> NoReturn:
    raise Malformed(at, problem)


def as_object(
    value: object, at: str, *, required: Collection[str] = (), optional: Collection[str] | None = ()
) -> dict[str, object]:
    """Check that the value is an object with these keys. `optional` None: any other keys are fine."""
    if not isinstance(value, dict):
        refuse(at, Message("must be an object"))
    for key in required:
        if key not in value:
            refuse(at, Message("{key!r} is missing", key=key))
    for key in value:
        if optional is not None and key not in required and key not in optional:
            refuse(at, Message("unknown key {key!r}", key=key))
    return value


def as_list(value: object, at: str) -> list[object]:
    if not isinstance(value, list):
        refuse(at, Message("must be a list"))
    return value


def as_slug(value: object, at: str) -> str:
    if not isinstance(value, str) or not SLUG.fullmatch(value):
        refuse(at, Message("must be 1 to 63 lower-case letters, digits and inner hyphens"))
    return value


def as_text(value: object, at: str, *, limit: int = 200) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= limit or not value.isprintable():
        refuse(at, Message("must be a text of 1 to {limit} printable characters", limit=limit))
    return value


def as_choice(value: object, at: str, *, among: Collection[str]) -> str:
    if not isinstance(value, str) or value not in among:
        refuse(at, Message("must be one of {known}", known=", ".join(among)))
    return value


def as_count(value: object, at: str, *, minimum: int, maximum: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        refuse(at, Message("must be a whole number from {minimum} to {maximum}", minimum=minimum, maximum=maximum))
    return value


def as_bool(value: object, at: str) -> bool:
    if not isinstance(value, bool):
        refuse(at, Message("must be true or false"))
    return value


def as_instant(value: object, at: str) -> datetime:
    """Parse a moment. A date without a time or a time without a zone is refused as ambiguous."""
    moment = instant(value)
    if moment is None:
        refuse(at, Message("must be a moment with its time zone, such as 2027-01-31T00:00:00Z"))
    return moment


def instant(value: object) -> datetime | None:
    """Return the moment (UTC) that an RFC 3339 text states, or None when the text is not RFC 3339."""
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value.upper())
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def as_rfc3339(moment: datetime) -> str:
    """Format as 2027-01-31T00:00:00Z, with a fraction of a second only where there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

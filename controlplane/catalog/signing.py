"""Signing of officers' statements without a database, and parsing of files with signed or unsigned ones."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from andromede_core.documents import signed
from andromede_core.documents.canonical import dumps
from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_instant, as_object, as_rfc3339, refuse
from andromede_core.documents.signed import BadDocument, Signed
from andromede_core.facts import statements
from andromede_core.facts.attributes import ABOUT
from andromede_core.facts.catalogue import review_days
from andromede_core.facts.statements import FIELDS, Statement
from andromede_core.facts.world import shifted
from controlplane.catalog.bitemporal import with_remainders
from controlplane.catalog.signing_keys import Officer

REVIEW_DAYS = 365  # of attributes that have no usual time of their own
REQUIRED = ("subject_kind", "subject_id", "attribute", "value", "valid_from")


def parse_file(text: bytes) -> list[object]:
    """Return the entries of a file: {"facts": […]} as the API accepts them, {"items": […]} as it answers, a list, a
    single one, or one per line.

    Raises:
        Malformed: no JSON.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return [_line(line, n) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if isinstance(body, dict):
        listed = body.get("facts", body.get("items"))
        return listed if isinstance(listed, list) else [body]
    return body if isinstance(body, list) else [body]


def _line(line: bytes, number: int) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as exc:
        refuse(f"line {number}", Message("is not JSON: {error}", error=exc))


def read_signed(entries: Iterable[object]) -> list[Signed]:
    """Parse signed statements; the signatures are not checked.

    Raises:
        Malformed: an entry is no signed statement.
    """
    return [_signed(entry, f"facts[{n}]") for n, entry in enumerate(entries)]


def _signed(entry: object, at: str) -> Signed:
    try:
        return signed.read(dumps(entry))
    except (BadDocument, ValueError) as exc:
        refuse(at, Message("is not a signed statement: {error}", error=exc))


def parse_statements(entries: Iterable[object]) -> list[Statement]:
    """Return the statements of an export, or of a response of GET /v1/facts.

    Raises:
        Malformed
    """
    return [_parse_statement(entry, f"known[{n}]") for n, entry in enumerate(entries)]


def _parse_statement(entry: object, at: str) -> Statement:
    body = as_object(entry, at, optional=None)
    payload = body.get("p", {name: body[name] for name in FIELDS if name in body})
    return statements.parse(payload, at)


def read_unsigned(entries: Iterable[object], *, author: str, now: datetime) -> list[Statement]:
    """Parse statements to sign.

    Defaults: no end, attested now, the usual review date, self-declared, and no source document. A signed statement is
    accepted, to be signed again.

    Raises:
        Malformed: with the entry and the field.
    """
    return [_unsigned(entry, f"facts[{n}]", author=author, now=now) for n, entry in enumerate(entries)]


def _unsigned(entry: object, at: str, *, author: str, now: datetime) -> Statement:
    body = as_object(entry, at, optional=None)
    if "p" in body:
        return statements.parse({**as_object(body["p"], f"{at}.p", optional=None), "author": author}, at)
    as_object(body, at, required=REQUIRED, optional=FIELDS)
    attested_at = as_instant(body["attested_at"], f"{at}.attested_at") if "attested_at" in body else now
    usual: Mapping[str, object] = {
        "valid_to": None,
        "attested_at": as_rfc3339(attested_at),
        "review_by": as_rfc3339(shifted(attested_at, timedelta(days=_review_days(body)))),
        "assertion": "self_declared",
        "evidence_sha256": "",
    }
    return statements.parse({**usual, **body, "author": author}, at)


def _review_days(body: Mapping[str, object]) -> int:
    kind, attribute = body["subject_kind"], body["attribute"]
    if not isinstance(kind, str) or kind not in ABOUT or not isinstance(attribute, str):
        return REVIEW_DAYS
    return review_days(kind, attribute) or REVIEW_DAYS


def agree_all(documents: Iterable[Signed], officer: Officer) -> dict[str, object]:
    """Return the body of POST /v1/facts: statements that another officer has signed, each followed by this officer's
    agreement.
    """
    return {"facts": [each.envelope() for document in documents for each in (document, officer.agreed(document))]}


def sign_all(new: list[Statement], current: list[Statement], officer: Officer) -> dict[str, object]:
    """Return the body of POST /v1/facts: the new statements, and the remaining parts of those that they supersede."""
    return {"facts": [officer.signed(statement).envelope() for statement in with_remainders(new, current)]}

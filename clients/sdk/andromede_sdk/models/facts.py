# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Fact(Model):
    """A statement as it was signed, and when it counted: from `stated_at` until `superseded_at`.

    `delivered_by` operator: a measure that the operator declares and the platform does not enforce; platform: a measure
    that the platform enforces; null: the fact is about a place, a party or a document, and not about a measure."""

    id: str
    subject_kind: str  # zone, party, set, scheme_class, region, node, pool
    subject_id: str
    attribute: str
    value: Any
    valid_from: datetime
    valid_to: datetime | None
    attested_at: datetime
    review_by: datetime
    assertion: str  # self_declared, third_party, certificate, measured
    evidence_sha256: str
    author: str
    key_id: str
    signature: str
    stated_at: datetime
    superseded_at: datetime | None
    delivered_by: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class FactsStated(Model):
    """Result of recorded facts.

    `epoch`: the facts epoch from which they count. `unchanged`: the number that were recorded already."""

    epoch: int
    stated: list[Fact]
    superseded: int
    unchanged: int


class SignedFactInput(TypedDict):
    """A signed fact.

    `p`: the statement; `kid`: the id of the officer's key; `sig`: its signature over `andromede/fact/v1`, a line feed
    and the canonical JSON (RFC 8785) of `p`."""

    p: dict[str, Any]
    kid: str
    sig: str

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry(Model):
    """Entry of the tree, with hashes in hex.

    `prev` is the leaf of the previous record of its stream, and empty for the first."""

    content: str
    prev: str
    seq: int
    stream: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof(Model):
    """Inclusion proof (RFC 6962 §2.1.1): hashes in base64, from the leaf up to the root of the log checkpoint.

    The leaf is SHA-256(0x00 ‖ canonical JSON of `entry`); `entry.content` is SHA-256("andromede/record/v1" line feed ‖
    salt ‖ document)."""

    leaf_index: int
    leaf_hash: str
    entry: Entry
    hashes: list[str]
    checkpoint: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Record(Model):
    """A record of the evidence log.

    `document` and `salt` (base64) are null after erasure; `leaf_index` is null until the record is in the tree."""

    id: str
    kind: str  # decision, permit, cosignature, receipt, copy, fact, policy_version, policy_proposal, exemption,
    resource: str | None
    created_at: datetime
    document: str | None
    salt: str | None
    leaf_index: int | None

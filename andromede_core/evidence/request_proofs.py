"""Requests that were recorded, as the evidence log covers them: many at a time. Standard library only.

    document = canonical JSON of what was recorded of one request
    leaf     = SHA-256(0x00 ‖ "andromede/audit/v1\\n" ‖ salt ‖ document)
    root     = of the tree (RFC 6962) over the leaves of one batch, in the order of their completion

A record of the kind `audit` has the root, how many leaves there are, and when the first and the last were completed. An
export of requests has for each of them salt, place and proof, so that it can be checked alone, against an export of
evidence. Without the salts the log reveals nothing about requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from andromede_core.documents.canonical import dumps
from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_count, as_instant, as_list, as_object, as_text, decoded, refuse
from andromede_core.evidence import merkle
from andromede_core.evidence.merkle import Range, Subtree
from andromede_core.evidence.signed_notes import decode, encode

KIND = "audit"
DOMAIN = b"andromede/audit/v1\n"
BATCH_MAX = 1000
MAX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Batch:
    """The log's record of one batch of requests."""

    count: int
    first: datetime
    last: datetime
    root: bytes


@dataclass(frozen=True, slots=True)
class Covered:
    """The proof position of a request: the id of the record, its number in its stream, and the place in the batch."""

    record: str
    seq: int
    index: int
    count: int
    proof: tuple[bytes, ...]

    def as_document(self) -> dict[str, object]:
        return {
            "record": self.record,
            "seq": self.seq,
            "index": self.index,
            "count": self.count,
            "proof": [encode(each) for each in self.proof],
        }


@dataclass(frozen=True, slots=True)
class ExportedRequest:
    """A request as it is exported. `covered` None: no batch covered it yet."""

    document: Mapping[str, object]
    salt: bytes
    covered: Covered | None

    def as_bytes(self) -> bytes:
        evidence = self.covered.as_document() if self.covered is not None else None
        return dumps({"request": self.document, "salt": self.salt.hex(), "evidence": evidence})


def leaf(salt: bytes, document: Mapping[str, object]) -> bytes:
    return merkle.hash_leaf(DOMAIN + salt + dumps(document))


def tree(leaves: Sequence[bytes]) -> Mapping[Subtree, bytes]:
    return dict(merkle.extend(0, [], leaves))


def root(subtrees: Mapping[Subtree, bytes], count: int) -> bytes:
    return merkle.root(count, subtrees.__getitem__)


def proof(subtrees: Mapping[Subtree, bytes], index: int, count: int) -> tuple[bytes, ...]:
    path: list[Range] = merkle.inclusion_path(index, count)
    return tuple(merkle.prove(path, subtrees.__getitem__))


def read_batch(body: Mapping[str, object], at: datetime) -> Batch:
    """Parse the batch in a record of the log that was appended at `at`.

    Raises:
        ValueError: the record has no batch, or its requests were completed later.
    """
    read = as_object(body, "audit", required=("count", "first", "last", "root"))
    batch = Batch(
        count=as_count(read["count"], "count", minimum=1, maximum=BATCH_MAX),
        first=as_instant(read["first"], "first"),
        last=as_instant(read["last"], "last"),
        root=bytes.fromhex(as_text(read["root"], "root")),
    )
    if len(batch.root) != merkle.HASH_BYTES or not batch.first <= batch.last <= at:
        refuse("audit", Message("does not hold together"))
    return batch


def read_line(raw: bytes) -> ExportedRequest:
    """Parse an exported request. Raises ValueError."""
    body = as_object(decoded(raw), "line", required=("request", "salt", "evidence"))
    evidence = body["evidence"]
    return ExportedRequest(
        document=as_object(body["request"], "request", optional=None),
        salt=bytes.fromhex(as_text(body["salt"], "salt")),
        covered=None if evidence is None else _covered(evidence),
    )


def is_covered(request: ExportedRequest, covered: Covered, batch: Batch) -> bool:
    """Check that the batch has this request, unchanged, at the position that its line names."""
    return covered.count == batch.count and merkle.is_included(
        leaf(request.salt, request.document),
        index=covered.index,
        size=batch.count,
        proof=covered.proof,
        root=batch.root,
    )


def _covered(value: object) -> Covered:
    read = as_object(value, "evidence", required=("record", "seq", "index", "count", "proof"))
    return Covered(
        record=as_text(read["record"], "record"),
        seq=as_count(read["seq"], "seq", minimum=1, maximum=MAX),
        index=as_count(read["index"], "index", minimum=0, maximum=BATCH_MAX - 1),
        count=as_count(read["count"], "count", minimum=1, maximum=BATCH_MAX),
        proof=tuple(decode(as_text(each, "proof")) for each in as_list(read["proof"], "proof")),
    )

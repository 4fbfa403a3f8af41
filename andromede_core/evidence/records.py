"""What a leaf of the evidence log is made of. Standard library only.

    document = canonical JSON {at, document, id, kind, organization, project, resource}
    content  = SHA-256("andromede/record/v1\\n" ‖ salt ‖ document)
    entry    = canonical JSON {content, prev, seq, stream}
    leaf     = SHA-256(0x00 ‖ entry)

The salt (16 random bytes) keeps what is in a record from being guessed by those who see leaves alone, and lets a record
be erased: without salt and document its content hash says nothing, and the tree stays as it is.

Each record belongs to one stream: its organization's, `platform` for what concerns everybody, or `operator` otherwise.
In a stream, records are numbered from 1 without a gap and each names the leaf before it: a record that is left out
of an export, or of which two versions are shown, does not fit between its neighbours.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from andromede_core.documents.canonical import dumps
from andromede_core.documents.parsing import as_rfc3339
from andromede_core.evidence.merkle import hash_leaf

SALT_BYTES = 16
DOMAIN = b"andromede/record/v1\n"
PLATFORM, OPERATOR = "platform", "operator"
# Kinds that concern everybody when no organization is named: without them, nobody could recompute a decision, or know
# that what is not there was erased, or how far the platform's stream went.
OF_ALL = frozenset({"fact", "policy_version", "node", "trust", "erasure", "mark"})


@dataclass(frozen=True, slots=True)
class Entry:
    """`content` and `prev` are hashes; `prev` is the leaf of the stream's record before, empty for the first."""

    stream: str
    seq: int
    prev: bytes
    content: bytes

    def as_document(self) -> dict[str, object]:
        return {"content": self.content.hex(), "prev": self.prev.hex(), "seq": self.seq, "stream": self.stream}

    @property
    def leaf(self) -> bytes:
        return hash_leaf(dumps(self.as_document()))


def stream_of(kind: str, organization: str | None) -> str:
    return organization or (PLATFORM if kind in OF_ALL else OPERATOR)


def content_hash(salt: bytes, document: bytes) -> bytes:
    return hashlib.sha256(DOMAIN + salt + document).digest()


def envelope(
    kind: str, document: Mapping[str, object], *, record_id: str, at: datetime, owners: Mapping[str, str | None]
) -> bytes:
    """The bytes that are hashed and kept. `owners`: organization, project, resource.

    Raises:
        ValueError: a value that canonical JSON does not know.
    """
    return dumps({"at": as_rfc3339(at), "document": document, "id": record_id, "kind": kind, **owners})

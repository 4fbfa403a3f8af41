"""Records of the evidence log: how a leaf is computed. Standard library only.

    document = canonical JSON {at, document, id, kind, organization, project, resource}
    content  = SHA-256("andromede/record/v1\\n" ‖ salt ‖ document)
    entry    = canonical JSON {content, prev, seq, stream}
    leaf     = SHA-256(0x00 ‖ entry)

The salt (16 random bytes) keeps readers of leaves alone from guessing the contents of a record, and lets a record be
erased: without salt and document its content hash reveals nothing, and the tree stays as it is.

Each record belongs to one stream: its organization's, `platform` for records that concern everyone, or `operator`
otherwise. Records of a stream are numbered from 1 without a gap and each names the leaf before it: a record that is
left out of an export, or that exists in two versions, does not fit between its neighbours.
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
# Kinds that concern every organization when none is named: they are needed to recompute decisions, to prove that
# missing records were erased, and to know the end of the platform's stream.
OF_ALL = frozenset({"fact", "policy_version", "node", "trust", "erasure", "mark"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A record's place in its stream.

    `content` and `prev` are hashes; `prev` is the leaf of the stream's record before, empty for the first.
    """

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
    """Return the bytes that are hashed and kept. `owners`: organization, project, resource.

    Raises:
        ValueError: a value that canonical JSON does not know.
    """
    return dumps({"at": as_rfc3339(at), "document": document, "id": record_id, "kind": kind, **owners})

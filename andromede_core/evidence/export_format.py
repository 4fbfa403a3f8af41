"""The forms of an export: its manifest, and its files of one JSON document per line. Standard library only.

    checkpoints.ndjson   checkpoints with their witnesses' lines, oldest first, each with the proof that it goes on from
                         the one before
    platform.ndjson      the records that concern every organization, from the first on
    earlier.ndjson       the organization's records from before that others rest on
    records.ndjson       the organization's records of the time in question, without a gap, between their neighbours
    later.ndjson         the organization's erasures and marks from after that

Every document is canonical JSON and has one form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from andromede_core.documents.canonical import dumps, loads
from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import as_count, as_instant, as_list, as_object, as_rfc3339, as_text, refuse
from andromede_core.documents.signed import Signed
from andromede_core.documents.signed import read as read_signed
from andromede_core.evidence.archive import Listed
from andromede_core.evidence.records import Entry
from andromede_core.evidence.signed_notes import Key, decode, encode, parse_key

KIND = "export"  # of the signed manifest
SCHEMA = "andromede.evidence.export/1"
CHECKPOINTS, PLATFORM_RECORDS = "checkpoints.ndjson", "platform.ndjson"
EARLIER_RECORDS, OWN_RECORDS, LATER_RECORDS = "earlier.ndjson", "records.ndjson", "later.ndjson"
VERIFIER = "verify.py"
MAX = 2**53 - 1
OWNERS = ("organization", "project", "resource")


class Span(NamedTuple):
    """The exported part of a stream.

    It holds the records of the period, from `first` to `last` (before `first`: there are none), of `total` that the
    newest checkpoint covers.
    """

    first: int
    last: int
    total: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The first document of an export. `size`: of the newest checkpoint, which all proofs lead to."""

    organization: str
    name: str
    start: datetime
    end: datetime
    log: Key
    witnesses: tuple[Key, ...]
    size: int
    own: Span
    platform: Span
    files: tuple[Listed, ...]

    def payload(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "organization": self.organization,
            "name": self.name,
            "from": as_rfc3339(self.start),
            "to": as_rfc3339(self.end),
            "log": str(self.log),
            "witnesses": [str(key) for key in self.witnesses],
            "size": self.size,
            "own": self.own._asdict(),
            "platform": self.platform._asdict(),
            "files": [{"name": each.name, "size": each.size, "sha256": each.sha256} for each in self.files],
        }


def read_manifest(raw: bytes) -> tuple[Manifest, Signed]:
    """Parse the manifest; the signature is not checked yet.

    Raises:
        ValueError: not a manifest.
    """
    signed = read_signed(raw.removesuffix(b"\n"))
    names = ("schema", "organization", "name", "from", "to", "log", "witnesses", "size", "own", "platform", "files")
    body = as_object(signed.payload, "manifest", required=names)
    if body["schema"] != SCHEMA:
        refuse("manifest.schema", Message("must be {schema}", schema=SCHEMA))
    if signed.document() + b"\n" != raw or signed.key_id != body["log"]:
        refuse("manifest", Message("is not in its one form"))
    witnesses = as_list(body["witnesses"], "manifest.witnesses")
    manifest = Manifest(
        organization=as_text(body["organization"], "manifest.organization"),
        name=as_text(body["name"], "manifest.name"),
        start=as_instant(body["from"], "manifest.from"),
        end=as_instant(body["to"], "manifest.to"),
        log=parse_key(as_text(body["log"], "manifest.log")),
        witnesses=tuple(parse_key(as_text(each, "manifest.witnesses")) for each in witnesses),
        size=as_count(body["size"], "manifest.size", minimum=0, maximum=MAX),
        own=_span(body["own"], "manifest.own"),
        platform=_span(body["platform"], "manifest.platform"),
        files=tuple(_listed(each) for each in as_list(body["files"], "manifest.files")),
    )
    return manifest, signed


def _span(value: object, at: str) -> Span:
    body = as_object(value, at, required=Span._fields)
    return Span(*(as_count(body[name], f"{at}.{name}", minimum=0, maximum=MAX) for name in Span._fields))


def _listed(value: object) -> Listed:
    at = "manifest.files"
    body = as_object(value, at, required=("name", "size", "sha256"))
    size = as_count(body["size"], f"{at}.size", minimum=0, maximum=MAX)
    return Listed(as_text(body["name"], f"{at}.name", limit=100), size, as_text(body["sha256"], f"{at}.sha256"))


@dataclass(frozen=True, slots=True)
class ExportedRecord:
    """A line of an export: one record with its proof.

    An erased record has no `salt` and no `document` (None). `proof` leads from its leaf to the newest checkpoint.
    """

    index: int
    entry: Entry
    salt: bytes | None
    document: bytes | None
    proof: tuple[bytes, ...]

    def as_bytes(self) -> bytes:
        return dumps(
            {
                "index": self.index,
                "entry": self.entry.as_document(),
                "salt": self.salt.hex() if self.salt is not None else None,
                "document": self.document.decode() if self.document is not None else None,
                "proof": [encode(value) for value in self.proof],
            }
        )


def read_line(raw: bytes) -> ExportedRecord:
    """Parse a line of records. Raises ValueError: not a record in its one form."""
    body = as_object(loads(raw), "record", required=("index", "entry", "salt", "document", "proof"))
    entry = as_object(body["entry"], "entry", required=("content", "prev", "seq", "stream"))
    salt, document = body["salt"], body["document"]
    record = ExportedRecord(
        index=as_count(body["index"], "index", minimum=0, maximum=MAX),
        entry=Entry(
            stream=as_text(entry["stream"], "entry.stream"),
            seq=as_count(entry["seq"], "entry.seq", minimum=1, maximum=MAX),
            prev=bytes.fromhex(entry["prev"])
            if isinstance(entry["prev"], str)
            else refuse("prev", Message("must be hex")),
            content=bytes.fromhex(as_text(entry["content"], "entry.content")),
        ),
        salt=None if salt is None else bytes.fromhex(as_text(salt, "salt")),
        document=document.encode() if isinstance(document, str) else None,
        proof=tuple(decode(as_text(each, "proof")) for each in as_list(body["proof"], "proof")),
    )
    if record.as_bytes() != raw:
        refuse("record", Message("is not in its one form"))
    return record


@dataclass(frozen=True, slots=True)
class Envelope:
    """The decoded document of a record."""

    id: str
    kind: str
    at: datetime
    owners: Mapping[str, str | None]
    body: Mapping[str, object]


def read_envelope(document: bytes) -> Envelope:
    """Parse the document of a record. Raises ValueError: not a document in its one form."""
    read = as_object(loads(document), "document", required=("at", "document", "id", "kind", *OWNERS))
    return Envelope(
        id=as_text(read["id"], "id"),
        kind=as_text(read["kind"], "kind"),
        at=as_instant(read["at"], "at"),
        owners={name: None if read[name] is None else as_text(read[name], name) for name in OWNERS},
        body=as_object(read["document"], "document", optional=None),
    )


def checkpoint_line(note: str, proof: tuple[bytes, ...]) -> bytes:
    return dumps({"note": note, "proof": [encode(value) for value in proof]})


def read_checkpoint_line(raw: bytes) -> tuple[str, tuple[bytes, ...]]:
    """Parse a line of checkpoints.ndjson. Raises ValueError."""
    body = as_object(loads(raw), "checkpoint", required=("note", "proof"))
    note = body["note"]
    if not isinstance(note, str):
        refuse("checkpoint.note", Message("must be a text"))
    return note, tuple(decode(as_text(each, "proof")) for each in as_list(body["proof"], "checkpoint.proof"))

"""The evidence log: append records in the transaction of the action, assign positions, sign log checkpoints.

A committed row is evidence; the rest may come later and in any process. Positions are assigned under one advisory lock
and in one transaction per batch, so that a sequencer may crash or run twice at any moment.
"""

import secrets
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from andromede_core.evidence import merkle
from andromede_core.evidence.checkpoints import TreeHead
from andromede_core.evidence.records import SALT_BYTES, Entry, content_hash, envelope, stream_of
from controlplane.audit import log_key, proofs
from controlplane.audit.errors import NotSequenced, RecordNotFound
from controlplane.audit.models import Checkpoint, EvidenceRecord, Kind, MerkleNode
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.kernel.multi_insert import insert
from controlplane.kernel.names import as_uuid

BATCH = 1000  # rows per transaction: more keep the lock longer, fewer commit more often
BATCHES_MAX = 20  # per call of sequence(), so that it ends

# The member of a document by which its record is found.
SUBJECTS: Mapping[str, str] = {
    Kind.DECISION: "decision",
    Kind.PERMIT: "jti",
    Kind.COSIGNATURE: "jti",
    Kind.RECEIPT: "jti",
}

HEADS = """
SELECT stream, head.stream_seq, head.leaf_hash FROM unnest(%s::text[]) AS stream, LATERAL (
    SELECT stream_seq, leaf_hash FROM audit_evidencerecord AS record
    WHERE record.stream = stream.stream AND stream_seq IS NOT NULL ORDER BY stream_seq DESC LIMIT 1
) AS head
"""
PLACE = """
UPDATE audit_evidencerecord AS record SET leaf_index = place.index, stream_seq = place.seq, leaf_hash = place.leaf
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bytea[]) AS place (id, index, seq, leaf)
WHERE record.id = place.id AND record.leaf_index IS NULL
"""

Unplaced = tuple[UUID, str, bytes]  # id, stream, content hash
RecordPosition = tuple[UUID, int, int, bytes]  # id, leaf index, number in its stream, leaf hash


def append(
    kind: str,
    document: Mapping[str, object],
    *,
    organization_id: UUID | None = None,
    project_id: UUID | None = None,
    resource_id: UUID | None = None,
) -> EvidenceRecord:
    """Append a record with one INSERT in the caller's transaction; a rollback also removes the record.

    `document` is JSON without secrets; docs/explanation/evidence.md has its form for each kind.

    Raises:
        ValueError: a value that canonical JSON does not know.
    """
    owners = {"organization_id": organization_id, "project_id": project_id, "resource_id": resource_id}
    record = build_record(kind, document, **owners)
    insert(record)
    return record


def build_record(
    kind: str,
    document: Mapping[str, object],
    *,
    organization_id: UUID | None = None,
    project_id: UUID | None = None,
    resource_id: UUID | None = None,
) -> EvidenceRecord:
    """Return the record without writing it: the caller inserts it with the action."""
    record_id, at, salt = new_id(), clock.now(), secrets.token_bytes(SALT_BYTES)
    owners = {
        "organization": _text(organization_id),
        "project": _text(project_id),
        "resource": _text(resource_id),
    }
    text = envelope(kind, document, record_id=str(record_id), at=at, owners=owners)
    return EvidenceRecord(
        id=record_id,
        created_at=at,
        updated_at=at,
        kind=kind,
        organization_id=organization_id,
        project_id=project_id,
        resource_id=resource_id,
        subject_id=_subject(kind, document),
        stream=stream_of(kind, owners["organization"]),
        document=text.decode(),
        salt=salt,
        content_hash=content_hash(salt, text),
    )


def sequence() -> int:
    """Assign positions to committed records without one, in the order of their ids, and extend the tree.

    Returns the number of records; the remaining ones wait for the next call. Concurrent calls run one after the other.
    """
    total = 0
    for _ in range(BATCHES_MAX):
        count = _sequence_batch()
        total += count
        if count < BATCH:
            break
    return total


def checkpoint() -> Checkpoint | None:
    """Sign the present tree, unless it has not grown since the last checkpoint.

    Raises:
        LogKeyMissing
    """
    key = log_key.load()
    with transaction.atomic():
        _lock()
        size = proofs.tree_size()
        signed: int = Checkpoint.objects.aggregate(size=Max("tree_size"))["size"] or 0
        if size == signed:
            return None
        head = TreeHead(settings.LOG_ORIGIN, size, proofs.root(size))
        return Checkpoint.objects.create(tree_size=size, root_hash=head.root, note=str(key.sign_note(str(head))))


@transaction.atomic
def erase_record(record_id: UUID, *, reason: str) -> None:
    """Erase the contents of a record, as a law may demand; its existence and time stay provable. Idempotent.

    Raises:
        RecordNotFound
        NotSequenced: many records precede it, so that it has no number yet by which the erasure could refer to it.
    """
    sequence()
    record = EvidenceRecord.objects.select_for_update().filter(pk=record_id).first()
    if record is None:
        raise RecordNotFound(name=str(record_id))
    if record.document is None:
        return
    if record.stream_seq is None:
        raise NotSequenced
    numbers = [[record.stream_seq, record.stream_seq]]
    append(
        Kind.ERASURE,
        {"record": str(record_id), "reason": reason, "stream": record.stream, "records": numbers},
        organization_id=record.organization_id,
        project_id=record.project_id,
        resource_id=record.resource_id,
    )
    EvidenceRecord.objects.filter(pk=record_id).update(document=None, salt=None)


def _subject(kind: str, document: Mapping[str, object]) -> UUID | None:
    name = SUBJECTS.get(kind)
    inner = document.get("p", document)
    value = inner.get(name) if name and isinstance(inner, Mapping) else None
    return as_uuid(value) if isinstance(value, str) else None


def _sequence_batch() -> int:
    with transaction.atomic():
        _lock()
        waiting = EvidenceRecord.objects.filter(leaf_index=None).order_by("pk")
        rows: list[Unplaced] = [
            (pk, stream, bytes(content))
            for pk, stream, content in waiting.values_list("pk", "stream", "content_hash")[:BATCH]
        ]
        if rows:
            size = proofs.tree_size()
            places = _places(rows, size)
            _write_places(places)
            _extend_tree(size, [leaf for _, _, _, leaf in places])
    return len(rows)


def _places(rows: Sequence[Unplaced], size: int) -> list[RecordPosition]:
    with connection.cursor() as cursor:
        cursor.execute(HEADS, [list({stream for _, stream, _ in rows})])
        heads = {stream: (seq, bytes(leaf)) for stream, seq, leaf in cursor.fetchall()}
    places = []
    for index, (pk, stream, content) in enumerate(rows, start=size):
        seq, prev = heads.get(stream, (0, b""))
        leaf = Entry(stream, seq + 1, prev, content).leaf
        heads[stream] = (seq + 1, leaf)
        places.append((pk, index, seq + 1, leaf))
    return places


def _write_places(places: Sequence[RecordPosition]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(PLACE, [list(column) for column in zip(*places, strict=True)])
        assert cursor.rowcount == len(places), "a record got its place from somebody without the lock"


def _extend_tree(size: int, leaves: Sequence[bytes]) -> None:
    grown = merkle.extend(size, proofs.peaks(size), leaves)
    MerkleNode.objects.bulk_create(
        (MerkleNode(level=subtree.level, position=subtree.position, hash=value) for subtree, value in grown),
        batch_size=BATCH,
    )


def _lock() -> None:
    """Lock the log until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('evidence log', 0))")


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None

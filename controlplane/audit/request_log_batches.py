"""Batches of requests in the evidence log: every minute, one record per organization covers the completed requests.

A record per request would double the cost of every write, and the log would show for ten years who was where.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.evidence import request_proofs
from andromede_core.evidence.merkle import Subtree
from andromede_core.evidence.request_proofs import BATCH_MAX, Covered, ExportedRequest
from controlplane.audit import evidence_log
from controlplane.audit.models import EvidenceRecord, Kind, RequestRecord
from controlplane.kernel import clock

# Delay until the statement that completes a record is visible.
SETTLED = timedelta(seconds=5)
ROUNDS_MAX = 60  # per call, so that it ends: 1,000 requests per second can follow one another
COVER = """
UPDATE audit_requestrecord AS request SET evidence_id = %s, position = place.position - 1
FROM unnest(%s::uuid[]) WITH ORDINALITY AS place (id, position) WHERE request.id = place.id
"""


def cover_requests() -> int:
    """Append records for the completed requests that are not covered.

    Returns the number of requests; concurrent calls run one after the other.
    """
    total = 0
    for _ in range(ROUNDS_MAX):
        count = _cover_some()
        total += count
        if count < BATCH_MAX:
            break
    return total


def delete_expired() -> int:
    """Delete expired request records; the log keeps their number. Returns the number of deleted records."""
    before = clock.now() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    old = RequestRecord.objects.filter(completed_at__lt=before)
    whole = EvidenceRecord.objects.filter(kind=Kind.AUDIT, created_at__lt=before).values("pk")
    count, _ = old.filter(evidence_id__in=whole).delete()
    return count


# In the order of the columns of an export as a table.
NAMES = [
    "id",
    "opened_at",
    "completed_at",
    "actor",
    "credential",
    "organization",
    "project",
    "address",
    "request_id",
    "verb",
    "method",
    "path",
    "is_dry_run",
    "outcome",
    "status",
    "error_code",
    "operation",
    "resources",
    "duration_ms",
]


def document(record: RequestRecord) -> dict[str, object]:
    """Return the part of a request that the log covers and an export contains.

    Its form never changes: otherwise it would not match its leaf.
    """
    return {
        "id": str(record.pk),
        "opened_at": as_rfc3339(record.opened_at),
        "completed_at": as_rfc3339(record.completed_at) if record.completed_at is not None else None,
        "actor": _text(record.user_id),
        "credential": _text(record.credential_id),
        "organization": _text(record.organization_id),
        "project": _text(record.project_id),
        "address": record.address,
        "request_id": record.request_id,
        "verb": record.verb,
        "method": record.method,
        "path": record.path,
        "is_dry_run": record.is_dry_run,
        "outcome": record.outcome,
        "status": record.status,
        "error_code": record.error_code,
        "operation": _text(record.operation_id),
        "resources": [str(each) for each in record.resource_ids],
        "duration_ms": record.duration_ms,
    }


def exported_requests(records: Sequence[RequestRecord]) -> list[ExportedRequest]:
    """Return the requests for an export, with their proofs."""
    ids = {record.evidence_id for record in records if record.evidence_id is not None}
    numbers = dict(EvidenceRecord.objects.filter(pk__in=ids).values_list("pk", "stream_seq"))
    whole = _batches(evidence_id for evidence_id, seq in numbers.items() if seq is not None)
    trees = {key: (request_proofs.tree(leaves), len(leaves)) for key, leaves in whole.items()}
    return [ExportedRequest(document(each), bytes(each.salt), _covered(each, trees, numbers)) for each in records]


def _covered(
    record: RequestRecord, trees: Mapping[UUID, tuple[Mapping[Subtree, bytes], int]], numbers: Mapping[UUID, int | None]
) -> Covered | None:
    """Return the covering record; None: the log has not assigned a position to its batch yet, or no batch has the
    request.
    """
    if record.evidence_id is None or record.evidence_id not in trees or record.position is None:
        return None
    (subtrees, count), seq = trees[record.evidence_id], numbers[record.evidence_id]
    assert seq is not None
    proof = request_proofs.proof(subtrees, record.position, count)
    return Covered(str(record.evidence_id), seq, record.position, count, proof)


def _batches(ids: Iterable[UUID]) -> dict[UUID, list[bytes]]:
    rows = RequestRecord.objects.filter(evidence_id__in=list(ids)).order_by("evidence_id", "position")
    return {
        key: [_leaf(row) for row in of_one] for key, of_one in groupby(rows, key=lambda row: row.evidence_id) if key
    }


def _leaf(record: RequestRecord) -> bytes:
    return request_proofs.leaf(bytes(record.salt), document(record))


@transaction.atomic
def _cover_some() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('audit batches', 0))")
    completed = RequestRecord.objects.filter(completed_at__lt=clock.now() - SETTLED, evidence_id=None)
    uncovered = sorted(
        completed.order_by("completed_at")[:BATCH_MAX],
        key=lambda row: (str(row.organization_id or ""), row.completed_at, row.pk),
    )
    for organization_id, rows in groupby(uncovered, key=lambda row: row.organization_id):
        _cover(organization_id, list(rows))
    return len(uncovered)


def _cover(organization_id: UUID | None, rows: Sequence[RequestRecord]) -> None:
    subtrees = request_proofs.tree([_leaf(row) for row in rows])
    first, last = rows[0].completed_at, rows[-1].completed_at
    assert first is not None
    assert last is not None
    payload = {
        "count": len(rows),
        "first": as_rfc3339(first),
        "last": as_rfc3339(last),
        "root": request_proofs.root(subtrees, len(rows)).hex(),
    }
    record = evidence_log.append(Kind.AUDIT, payload, organization_id=organization_id)
    with connection.cursor() as cursor:
        cursor.execute(COVER, [record.pk, [row.pk for row in rows]])


def _text(id_: UUID | None) -> str | None:
    return str(id_) if id_ else None

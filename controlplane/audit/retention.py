"""Retention of the contents of evidence records. The existence and time of a record are kept for ever."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.evidence.records import OF_ALL, OPERATOR, PLATFORM
from controlplane.audit import evidence_log, selectors
from controlplane.audit.models import EvidenceRecord, Kind
from controlplane.audit.residency import SNAPSHOT
from controlplane.kernel import clock
from controlplane.kernel.ids import first_id
from controlplane.kernel.names import as_uuid

log = logging.getLogger(__name__)

LEAST = timedelta(days=180)
BATCH = 200  # resources per transaction
# Present decisions depend on facts, policies and keys of any age; erasures show which contents are missing.
SPARED = [*sorted(OF_ALL), Kind.ERASURE.value]

OLD = """
old.id < %(first)s AND old.created_at < %(before)s AND old.document IS NOT NULL AND old.leaf_index IS NOT NULL
AND old.kind <> ALL(%(spared)s)
"""
# None of their records is recent, and no receipt of another resource depends on their permits.
RESOURCES = f"""
SELECT DISTINCT old.resource_id FROM audit_evidencerecord AS old
WHERE {OLD} AND old.resource_id IS NOT NULL
AND NOT EXISTS (
    SELECT FROM audit_evidencerecord AS young
    WHERE young.resource_id = old.resource_id AND young.created_at >= %(before)s AND young.kind <> ALL(%(spared)s)
)
AND NOT EXISTS (
    SELECT FROM audit_evidencerecord AS permit JOIN audit_evidencerecord AS receipt USING (subject_id)
    WHERE permit.resource_id = old.resource_id AND permit.kind = 'permit' AND receipt.kind = 'receipt'
    AND receipt.resource_id <> old.resource_id AND receipt.document IS NOT NULL
)
"""
GONE = f"""
SELECT old.id, old.stream, old.stream_seq FROM audit_evidencerecord AS old
WHERE {OLD} AND (old.resource_id = ANY(%(resources)s) OR %(is_of_none)s AND old.resource_id IS NULL)
FOR UPDATE
"""


def limit() -> datetime:
    """Return the time before which contents may be erased."""
    return clock.now() - max(timedelta(days=settings.EVIDENCE_RETENTION_DAYS), LEAST)


def erase_old() -> int:
    """Erase the contents of old records, and record the erasures in each stream. Returns their number.

    Records about one resource are erased together: when none is recent, when the resource has no location any more
    (otherwise its location could not be proven), and when no kept record depends on them. Other records are erased by
    their own age.
    """
    before = limit()
    count = _erase((), before, is_of_none=True)
    gone = [resource for resource in _resources(before) if not _is_somewhere(resource)]
    for start in range(0, len(gone), BATCH):
        count += _erase(gone[start : start + BATCH], before)
    if count:
        log.info("content of %d evidence records from before %s erased", count, before)
    return count


def _about(before: datetime) -> dict[str, Any]:
    # Ids begin with their time, so that the primary key finds old records.
    return {"first": first_id(before), "before": before, "spared": SPARED}


def _resources(before: datetime) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(RESOURCES, _about(before))
        return [resource for (resource,) in cursor.fetchall()]


def _is_somewhere(resource: UUID) -> bool:
    """Tell if the resource has a location by its receipts, opened and not closed, or is a snapshot not erased yet."""
    intervals = selectors.residency_of(resource).intervals
    lasting = [interval for interval in intervals if interval.end is None]
    return any(interval.state == "proven" or interval.role == SNAPSHOT for interval in lasting)


@transaction.atomic
def _erase(resources: Sequence[UUID], before: datetime, *, is_of_none: bool = False) -> int:
    """Erase records, after writing the erasures: the database rejects an erasure that no record names."""
    with connection.cursor() as cursor:
        cursor.execute(GONE, {**_about(before), "resources": list(resources), "is_of_none": is_of_none})
        gone = cursor.fetchall()
    numbers = defaultdict(list)
    for _, stream, seq in gone:
        numbers[stream].append(seq)
    for stream, of_stream in numbers.items():
        document = {
            "reason": "retention",
            "before": as_rfc3339(before),
            "stream": stream,
            "records": _ranges(of_stream),
        }
        evidence_log.append(Kind.ERASURE, document, organization_id=_organization(stream))
    EvidenceRecord.objects.filter(pk__in=[record for record, _, _ in gone]).update(document=None, salt=None)
    return len(gone)


def _organization(stream: str) -> UUID | None:
    return None if stream in (PLATFORM, OPERATOR) else as_uuid(stream)


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return [first, last] of each run."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges

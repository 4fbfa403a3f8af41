"""Evidence of when a snapshot was taken and erased.

A storage agent signs no receipts: the records state what it answered. All are inside the caller's transaction.
"""

from andromede_core.documents.parsing import as_rfc3339
from controlplane.audit import evidence_log
from controlplane.audit.models import Kind
from controlplane.operations.models import Operation
from controlplane.placement.models import Permit
from controlplane.storage.models import Snapshot


def record_taken(snapshot: Snapshot, *, jti: str) -> None:
    """Record that the cluster has taken the snapshot, under the permit `jti`."""
    assert snapshot.taken_at is not None, "the cluster has answered when it was"
    _record(snapshot, "taken", jti=jti, at=as_rfc3339(snapshot.taken_at))


def record_undone(snapshot: Snapshot, operation: Operation) -> None:
    """Record that no snapshot is left of the operation, if one may have been taken: it had a permit."""
    if Permit.objects.filter(operation_id=operation.pk, state="signed").exists():
        record_erased(snapshot)


def record_erased(snapshot: Snapshot) -> None:
    _record(snapshot, "erased")


def _record(snapshot: Snapshot, event: str, **facts: str) -> None:
    evidence_log.append(
        Kind.COPY,
        {
            "event": event,
            "kind": "snapshot",
            "resource": str(snapshot.pk),
            "volume": str(snapshot.volume_id),
            "zone": snapshot.pool.zone_id,
            "pool": snapshot.pool.name,
            **facts,
        },
        organization_id=snapshot.project.organization_id,
        project_id=snapshot.project_id,
        resource_id=snapshot.pk,
    )

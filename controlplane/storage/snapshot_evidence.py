"""Evidence of when a snapshot was taken and erased, and of what left its cluster.

The records state what the storage agent answered, beside its receipts, which agents of earlier releases do not sign.
All are inside the caller's transaction.
"""

from uuid import UUID

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


def record_left(snapshot: Snapshot, *, image_id: UUID, jti: str) -> None:
    """Record that the content of the snapshot has left its cluster for the image store, under the permit `jti`."""
    _record(snapshot, "left", kind="image", resource_id=image_id, jti=jti, snapshot_id=str(snapshot.pk))


def _record(
    snapshot: Snapshot, event: str, *, kind: str = "snapshot", resource_id: UUID | None = None, **facts: str
) -> None:
    resource_id = resource_id or snapshot.pk
    evidence_log.append(
        Kind.COPY,
        {
            "event": event,
            "kind": kind,
            "resource": str(resource_id),
            "volume": str(snapshot.volume_id),
            "zone": snapshot.pool.zone_id,
            "pool": snapshot.pool.name,
            **facts,
        },
        organization_id=snapshot.project.organization_id,
        project_id=snapshot.project_id,
        resource_id=resource_id,
    )

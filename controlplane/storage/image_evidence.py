"""Evidence of the data of images made of volumes and snapshots: the temporary snapshot, and what left the cluster.

A storage agent signs no receipts: the records state what it answered. All are inside the caller's transaction.
"""

from andromede_core.documents.parsing import as_rfc3339
from controlplane.audit import evidence_log
from controlplane.audit.models import Kind
from controlplane.catalog.models import Image
from controlplane.operations.models import Operation
from controlplane.placement.models import Permit
from controlplane.storage.models import Snapshot


def record_snapshot_taken(image: Image, snapshot: Snapshot, *, jti: str) -> None:
    """Record that the cluster has taken the temporary snapshot, under the permit `jti`."""
    assert snapshot.taken_at is not None, "the cluster has answered when it was"
    _record(image, snapshot, "taken", kind="snapshot", jti=jti, at=as_rfc3339(snapshot.taken_at))


def record_snapshot_erased(image: Image, snapshot: Snapshot) -> None:
    """Record that the temporary snapshot is removed."""
    _record(image, snapshot, "erased", kind="snapshot")


def record_snapshot_undone(image: Image, snapshot: Snapshot, operation: Operation) -> None:
    """Record that no temporary snapshot is left of the operation, if one may have been taken: it had a permit."""
    if Permit.objects.filter(operation_id=operation.pk, state="signed").exists():
        record_snapshot_erased(image, snapshot)


def record_left(image: Image, snapshot: Snapshot, *, jti: str) -> None:
    """Record that the content of the snapshot has left its cluster for the image store, under the permit `jti`."""
    _record(image, snapshot, "left", kind="image", jti=jti, snapshot_id=str(snapshot.pk))


def _record(image: Image, snapshot: Snapshot, event: str, *, kind: str, **facts: str) -> None:
    project = snapshot.project
    evidence_log.append(
        Kind.COPY,
        {
            "event": event,
            "kind": kind,
            "resource": str(image.pk),
            "volume": str(snapshot.volume_id),
            "zone": snapshot.pool.zone_id,
            "pool": snapshot.pool.name,
            **facts,
        },
        organization_id=project.organization_id,
        project_id=project.pk,
        resource_id=image.pk,
    )

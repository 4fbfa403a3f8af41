"""Take a snapshot of a volume in a storage cluster, also while a guest writes to the volume.

For the consistency `filesystem`, its guest is frozen meanwhile."""

from collections.abc import Sequence
from functools import partial

from controlplane.compute.models import Instance
from controlplane.kernel.db import move
from controlplane.operations.models import Operation
from controlplane.operations.services import unlock_early
from controlplane.quotas import services as quotas
from controlplane.storage import snapshot_evidence
from controlplane.storage.models import FILESYSTEM, SNAPSHOT, Snapshot
from controlplane.workflows import cluster_disks, snapshot_moments, step_permits
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("snapshot", take, undo=remove),)


def on_success(operation: Operation) -> None:
    move(_snapshot(operation), SNAPSHOT, "available", last_error=None)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    record_failed(_snapshot(operation), operation, error)


def record_failed(snapshot: Snapshot, operation: Operation, error: dict[str, object]) -> None:
    """Record that the operation has left no snapshot."""
    quotas.release(snapshot.pk)
    snapshot_evidence.record_undone(snapshot, operation)
    move(snapshot, SNAPSHOT, "error", last_error=error, taken_at=None)


def take(operation: Operation) -> Effect:
    snapshot = _snapshot(operation)
    authorization = step_permits.for_snapshot(operation, snapshot)
    if snapshot.consistency == FILESYSTEM:
        assert snapshot.instance_id is not None, "its guest is frozen"
        instance = Instance.objects.select_related("node").get(pk=snapshot.instance_id)
        snapshot_moments.take(operation, authorization, instance, [snapshot])
    else:
        snapshot.taken_at = cluster_disks.take_snapshot(authorization, snapshot, requested_at=operation.created_at)
    return partial(record_taken, snapshot, jti=str(authorization.jti))


def record_taken(snapshot: Snapshot, *, jti: str) -> None:
    """Record when the cluster has taken the snapshot, under the permit `jti`."""
    Snapshot.objects.filter(pk=snapshot.pk).update(taken_at=snapshot.taken_at)
    snapshot_evidence.record_taken(snapshot, jti=jti)


def remove(operation: Operation) -> None:
    """Remove the snapshot. Its guest is unlocked first: the freeze is over, and the storage agent may be silent."""
    snapshot = _snapshot(operation)
    if snapshot.instance_id is not None:
        unlock_early(operation, snapshot.instance_id)
    cluster_disks.remove_snapshot(snapshot)


def _snapshot(operation: Operation) -> Snapshot:
    return Snapshot.objects.select_related("project", "pool__cluster").get(pk=operation.resource_id)


WORKFLOW = Workflow("snapshot.create", steps, on_success, on_failure)

"""Give a volume the content of one of its snapshots again. No guest has it open meanwhile.

The copy cannot be undone, since its first bytes overwrite the former content: the operation gets the permit and closes
the volume before the copy begins. Until the copy may have begun, the operation can still fail. From then on the storage
agent decides: it knows if the copy has begun, and finishes it without another permit. The data goes to no new place, so
neither the volume's node nor a later policy prevents that.
"""

from collections.abc import Sequence

from django.db import transaction

from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.operations import leases
from controlplane.operations.errors import DeadlineExceeded
from controlplane.operations.models import Operation
from controlplane.storage.errors import RevertInterrupted
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters.errors import StorageClusterNotTrusting, StorageClusterRefused
from controlplane.storage_clusters.volume_calls import UNIMPLEMENTED
from controlplane.workflows import cluster_disks, node_steps, step_permits
from controlplane.workflows.workflow_types import Step, StepAborted, Workflow

# Among the operation's arguments: the storage agent was called, and may have begun to copy.
MAY_HAVE_BEGUN = "may_have_begun"
STALE = "storage.stale_generation"  # another revert came later, as before the database was restored
SNAPSHOT_MISSING, VOLUME_MISSING = "storage.snapshot_missing", "storage.volume_missing"
# Codes of the storage agent (agents/node/errors.py, agents/storage/errors.py) for what it refuses before it copies.
LASTING = frozenset(
    {
        "agent.bad_request",
        "agent.volume_would_shrink",
        SNAPSHOT_MISSING,
        STALE,
        VOLUME_MISSING,
        UNIMPLEMENTED,
    }
)
PASSING = frozenset({"agent.volume_in_use"})


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("close", close), Step("revert", revert, is_final=True))


def on_success(operation: Operation) -> None:
    Volume.objects.filter(pk=operation.resource_id).update(last_error=None)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    Volume.objects.filter(pk=operation.resource_id).update(last_error=error)


def close(operation: Operation) -> None:
    """Fence what has the volume open, such as a guest that was killed. What uses the volume next opens it anew."""
    volume = _volume(operation)
    step_permits.for_volume(operation, volume, is_of_cluster=True)
    node_steps.fence_disk(volume.node, node_steps.disk_of(volume))


def revert(operation: Operation) -> None:
    """Copy the snapshot into the volume. While something has the volume open, the step is retried.

    Raises:
        StepAborted: nothing was copied, and nothing will be: there is no permit, or the cluster will always refuse, as
            without the snapshot; or the operation's time is over. Or the copy cannot be finished.
    """
    volume = _volume(operation)
    snapshot = Snapshot.objects.select_related("pool__cluster").get(pk=operation.args["snapshot"])
    if operation.args.get(MAY_HAVE_BEGUN):
        if _finish_if_begun(volume, snapshot):
            return
        _renew_generation(operation, volume)
    _begin(operation, volume, snapshot)


def _begin(operation: Operation, volume: Volume, snapshot: Snapshot) -> None:
    try:
        authorization = step_permits.for_volume(operation, volume, is_of_cluster=True)
    except CloudError as exc:
        raise _unbegun(operation, exc) from exc
    _record_begun(operation, True)
    try:
        cluster_disks.revert(authorization, volume, snapshot)
    except (StorageClusterRefused, StorageClusterNotTrusting) as exc:
        if not _is_before_copy(exc):
            raise
        _record_begun(operation, False)
        raise _unbegun(operation, exc) from exc


def _finish_if_begun(volume: Volume, snapshot: Snapshot) -> bool:
    """Finish the copy if it has begun; False: it has not begun, and a late call of this generation cannot begin it.

    Raises:
        StepAborted: another revert of the volume has come later, or the copy cannot be finished. The storage agent
            then opens the volume, a mixture of two contents, for no node.
    """
    try:
        return cluster_disks.finish_revert(volume, snapshot)
    except StorageClusterRefused as exc:
        code = exc.facts.get("agent_code")
        if code == SNAPSHOT_MISSING:
            raise StepAborted(RevertInterrupted(snapshot=snapshot.name)) from exc
        if code in (STALE, VOLUME_MISSING):
            raise StepAborted(exc) from exc
        raise


def _unbegun(operation: Operation, error: CloudError) -> CloudError | StepAborted:
    """Return what to raise for an error before the copy: the error itself, to try again, or the end."""
    code = str(error.facts.get("agent_code", ""))
    is_passing = error.retryable or code in PASSING or code.startswith(step_permits.PERMIT_REFUSED)
    if not is_passing:
        return StepAborted(error)
    if clock.now() < operation.deadline_at:
        return error
    return StepAborted(DeadlineExceeded(limit_s=int(operation.limit.total_seconds()), obstacle=error.reason))


def _is_before_copy(error: CloudError) -> bool:
    code = str(error.facts.get("agent_code", ""))
    return code in LASTING | PASSING or code.startswith(step_permits.PERMIT_REFUSED)


def _record_begun(operation: Operation, may_have_begun: bool) -> None:
    """Record before the call whether a copy may have begun, so that the next worker knows it if this one dies."""
    leases.commit_step(operation, args=operation.args | {MAY_HAVE_BEGUN: may_have_begun})


@transaction.atomic
def _renew_generation(operation: Operation, volume: Volume) -> None:
    """Begin anew with the next generation: the storage agent rejects late reverts of the present one."""
    _record_begun(operation, False)
    volume.generation += 1
    Volume.objects.filter(pk=volume.pk).update(generation=volume.generation)


def _volume(operation: Operation) -> Volume:
    rows = Volume.objects.select_related("project", "node", "image", "pool__cluster")
    return rows.get(pk=operation.resource_id)


WORKFLOW = Workflow("volume.revert", steps, on_success, on_failure)

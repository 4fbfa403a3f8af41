"""Give a volume the content of one of its snapshots again. No guest has it open meanwhile.

The copy cannot be undone, since the content from before is gone with its first bytes: the permit is there, and the
volume closed, before it begins.
"""

from collections.abc import Sequence

from controlplane.operations import queues
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters.errors import StorageClusterRefused
from controlplane.workflows import cluster_disks, node_steps, step_permits
from controlplane.workflows.workflow_types import Step, StepAborted, Workflow

VOLUME_IN_USE = "agent.volume_in_use"  # the code of the storage agent (agents/node/errors.py)


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("close", close), Step("revert", revert, is_final=True, is_transfer=True))


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
        StepAborted: the cluster will always refuse it, such as without the snapshot.
    """
    queues.need_transfers()
    volume = _volume(operation)
    snapshot = Snapshot.objects.select_related("pool__cluster").get(pk=operation.args["snapshot"])
    authorization = step_permits.for_volume(operation, volume, is_of_cluster=True)
    try:
        cluster_disks.revert(authorization, volume, snapshot)
    except StorageClusterRefused as exc:
        if exc.facts.get("agent_code") == VOLUME_IN_USE:
            raise
        raise StepAborted(exc) from exc


def _volume(operation: Operation) -> Volume:
    rows = Volume.objects.select_related("project", "node", "image", "pool__cluster")
    return rows.get(pk=operation.resource_id)


WORKFLOW = Workflow("volume.revert", steps, on_success, on_failure)

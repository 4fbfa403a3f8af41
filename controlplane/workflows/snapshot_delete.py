"""Delete a snapshot in any state. Volumes that were made from it stay whole."""

from collections.abc import Sequence

from controlplane.kernel.db import move
from controlplane.operations.models import Operation
from controlplane.quotas import services as quotas
from controlplane.storage import snapshot_evidence
from controlplane.storage.models import SNAPSHOT, Snapshot
from controlplane.workflows import cluster_disks
from controlplane.workflows.workflow_types import Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("snapshot", remove),)


def on_success(operation: Operation) -> None:
    snapshot = _snapshot(operation)
    quotas.release(snapshot.pk)
    if snapshot.state == "available":
        snapshot_evidence.record_erased(snapshot)
    if snapshot.state != "deleted":
        move(snapshot, SNAPSHOT, "deleted")


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Do nothing: the workflow never gives up and cannot be cancelled, so the engine does not call it."""
    raise AssertionError(error)


def remove(operation: Operation) -> None:
    cluster_disks.remove_snapshot(_snapshot(operation))


def _snapshot(operation: Operation) -> Snapshot:
    return Snapshot.objects.select_related("project", "pool__cluster").get(pk=operation.resource_id)


WORKFLOW = Workflow("snapshot.delete", steps, on_success, on_failure, retries_forever=True)

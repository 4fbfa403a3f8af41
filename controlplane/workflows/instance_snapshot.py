"""Take snapshots of an instance's disks at one moment: all of them, or none."""

from collections.abc import Sequence
from functools import partial

from controlplane.compute.models import Instance
from controlplane.kernel.db import move
from controlplane.operations.models import Operation
from controlplane.operations.services import unlock_early
from controlplane.storage.models import SNAPSHOT, Snapshot
from controlplane.workflows import node_steps, snapshot_moments, step_permits
from controlplane.workflows.snapshot_create import record_failed, record_taken
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("snapshots", take, undo=remove),)


def on_success(operation: Operation) -> None:
    for snapshot in _snapshots(operation):
        move(snapshot, SNAPSHOT, "available", last_error=None)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    for snapshot in _snapshots(operation):
        record_failed(snapshot, operation, error)


def take(operation: Operation) -> Effect:
    instance, snapshots = _instance(operation), _snapshots(operation)
    volumes = [snapshot.volume_id for snapshot in snapshots]
    authorization = step_permits.for_instance_snapshots(operation, instance, volumes)
    snapshot_moments.take(operation, authorization, instance, snapshots)
    record = partial(record_taken, jti=str(authorization.jti))
    return node_steps.combine_effects(*(partial(record, snapshot) for snapshot in snapshots))


def remove(operation: Operation) -> None:
    """Remove the snapshots. The instance is unlocked first: its freeze is over, and the storage agent may be silent."""
    unlock_early(operation, operation.resource_id)
    snapshot_moments.remove(_snapshots(operation))


def _instance(operation: Operation) -> Instance:
    return Instance.objects.select_related("project__organization", "node").get(pk=operation.resource_id)


def _snapshots(operation: Operation) -> list[Snapshot]:
    rows = Snapshot.objects.filter(group=operation.args["group"], instance_id=operation.resource_id)
    return list(rows.select_related("project", "pool__cluster").order_by("pk"))


WORKFLOW = Workflow("instance.snapshot", steps, on_success, on_failure)

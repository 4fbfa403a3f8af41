"""Delete a volume in any state; an unreachable node gets a pending removal."""

from collections.abc import Sequence

from controlplane.kernel.db import move
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.models import VOLUME, Volume
from controlplane.workflows import node_steps
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("disk", remove_disk),)


def on_success(operation: Operation) -> None:
    volume = _volume(operation)
    placement.release_allocation(volume.pk)
    quotas.release(volume.pk)
    if volume.state != "deleted":
        move(volume, VOLUME, "deleted", node=None)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Do nothing: the workflow never gives up and cannot be cancelled, so the engine does not call it."""
    raise AssertionError(error)


def remove_disk(operation: Operation) -> Effect | None:
    volume = _volume(operation)
    return node_steps.remove_disk(volume.node, node_steps.disk_of(volume))


def _volume(operation: Operation) -> Volume:
    return Volume.objects.select_related("node", "pool").get(pk=operation.resource_id)


WORKFLOW = Workflow("volume.delete", steps, on_success, on_failure, retries_forever=True)

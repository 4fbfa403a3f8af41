"""Make a volume larger, also under a running guest. The file grows last, because it cannot shrink again."""

from collections.abc import Sequence
from dataclasses import replace

from controlplane.compute.attachments import instances_booted_from
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.models import Volume
from controlplane.storage.services import resized, volume_placement_request
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    """Return no steps for a volume without a place: only its row changes."""
    if operation.args.get("is_unbound"):
        return ()
    return (Step("place", place, undo=shrink_place), Step("grow", grow))


def on_success(operation: Operation) -> None:
    size_gib, limits = operation.args["size_gib"], node_steps.requested_limits(operation)
    # The instance first, as requests lock the rows: see operations.services.enqueue.
    instances_booted_from(operation.resource_id).update(
        disk_gib=size_gib, root_iops_limit=limits.iops, root_mb_per_s_limit=limits.mb_per_s
    )
    Volume.objects.filter(pk=operation.resource_id).update(
        size_gib=size_gib, iops_limit=limits.iops, mb_per_s_limit=limits.mb_per_s, last_error=None
    )


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    volume = _volume(operation)
    Volume.objects.filter(pk=volume.pk).update(last_error=error)
    quotas.claim(volume.project_id, volume.pk, storage_gib=operation.args["was_gib"])


def place(operation: Operation) -> None:
    request = volume_placement_request(_volume(operation), operation=operation.kind)
    placement.grow(replace(resized(request, operation.args["size_gib"]), operation_id=operation.pk))


def shrink_place(operation: Operation) -> Effect:
    return lambda: placement.shrink(operation.resource_id, disk_gib=operation.args["was_gib"])


def grow(operation: Operation) -> None:
    volume = _volume(operation)
    limits = node_steps.requested_limits(operation)
    disk = replace(node_steps.disk_of(volume), size_gib=operation.args["size_gib"], limits=limits)
    authorization = step_permits.for_volume(operation, volume, is_of_cluster=volume.is_multi_attach)
    node_steps.grow_disk(authorization, disk)


def _volume(operation: Operation) -> Volume:
    return Volume.objects.select_related("project", "image", "pool").get(pk=operation.resource_id)


WORKFLOW = Workflow("volume.grow", steps, on_success, on_failure)

"""Create a volume: an allocation, and a file there, empty or a copy of an image or a snapshot.

A volume that binds at first use has neither: the steps are part of its first attachment then (volume_attach.py), under
permits of their own, or of the creation of its first instance (instance_create.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from controlplane.kernel.db import move
from controlplane.kernel.prepared_queries import Prepared
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.models import VOLUME, Volume
from controlplane.storage.services import CREATE, volume_placement_request, volume_set_place
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import CachedRow, Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return () if operation.args.get("is_unbound") else making_steps()


def making_steps() -> Sequence[Step]:
    return (
        Step("place", allocate, undo=release_allocation),
        Step("image", ensure_image, is_transfer=True),
        Step("disk", ensure_disk, undo=remove_disk, is_transfer=True),
    )


def on_success(operation: Operation) -> None:
    move(_volume(operation), VOLUME, "available", last_error=None)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    volume = _volume(operation)
    quotas.release(volume.pk)
    move(volume, VOLUME, "error", last_error=error, node=None, pool=None)


def allocate(operation: Operation) -> Effect:
    volume = _volume(operation)
    near = tuple(UUID(consumer) for consumer in operation.args["near"])
    request = volume_placement_request(volume, zones=tuple(operation.args["zones"]), near=near, operation=CREATE)
    allocation = placement.claim(replace(request, host=operation.args.get("host"), operation_id=operation.pk))
    step_permits.request_permit_ahead(operation, allocation, generation=volume.generation, op=CREATE)
    return partial(volume_set_place, volume.pk, allocation.node_id, allocation.pool_id)


def release_allocation(operation: Operation) -> Effect | None:
    volume = _volume(operation)
    if _is_kept(operation, volume):
        return None
    return release_place(volume)


def release_place(volume: Volume) -> Effect:
    return node_steps.combine_effects(
        partial(volume_set_place, volume.pk, None, None), partial(placement.release_allocation, volume.pk)
    )


def ensure_image(operation: Operation) -> None:
    send_image(operation, _volume(operation))


def ensure_disk(operation: Operation) -> None:
    make_disk(operation, _volume(operation))


def send_image(operation: Operation, volume: Volume) -> None:
    """Send the image that the volume is to be a copy of, if there is one, to where the volume has its allocation."""
    if volume.image is not None:
        node_steps.ensure_image(_authorization(operation, volume), volume.image, volume.pool)


def make_disk(operation: Operation, volume: Volume) -> None:
    """Make the volume's disk where the volume has its allocation."""
    disk = replace(node_steps.disk_of(volume), snapshot=volume.snapshot)
    node_steps.make_disk(_authorization(operation, volume), disk)


def _authorization(operation: Operation, volume: Volume) -> CallAuthorization:
    """Authorize the calls for the new volume: one for several nodes is made without any."""
    return step_permits.for_volume(operation, volume, op=CREATE, is_of_cluster=volume.is_multi_attach)


def remove_disk(operation: Operation) -> Effect | None:
    volume = _volume(operation)
    if _is_kept(operation, volume):
        return None
    return node_steps.remove_disk(volume.node, node_steps.disk_of(volume))


def _is_kept(operation: Operation, volume: Volume) -> bool:
    """Tell if the volume has got its place for good in an attachment that is undone (volume_attach.pull_out)."""
    return operation.kind != CREATE and not volume.is_unbound


READ_WITH_IT = ("project", "node", "image", "pool", "snapshot__pool")
VOLUME_HELD = CachedRow(Prepared(lambda volume: Volume.objects.select_related(*READ_WITH_IT).filter(pk=volume)))


def _volume(operation: Operation) -> Volume:
    return VOLUME_HELD.of(operation)


WORKFLOW = Workflow(CREATE, steps, on_success, on_failure)

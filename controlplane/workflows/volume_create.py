"""Create a volume: a place, and a file there, empty or a copy of an image."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from controlplane.kernel.db import move
from controlplane.kernel.prepared import Prepared
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.models import VOLUME, Volume
from controlplane.storage.services import ask_for
from controlplane.workflows import leave, on_nodes
from controlplane.workflows.recipe import Effect, Held, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (
        Step("place", place, undo=give_place_back),
        Step("image", ensure_image, is_transfer=True),
        Step("disk", ensure_disk, undo=remove_disk, is_transfer=True),
    )


def finish(operation: Operation) -> None:
    move(_volume(operation), VOLUME, "available", last_error=None)


def give_up(operation: Operation, error: dict[str, object]) -> None:
    volume = _volume(operation)
    quotas.release(volume.pk)
    move(volume, VOLUME, "error", last_error=error, node=None, pool=None)


def place(operation: Operation) -> Effect:
    volume = _volume(operation)
    near = tuple(UUID(consumer) for consumer in operation.args["near"])
    ask = ask_for(volume, zones=tuple(operation.args["zones"]), near=near, operation=operation.kind)
    allocation = placement.claim(replace(ask, host=operation.args.get("host"), operation_id=operation.pk))
    leave.ahead(operation, allocation, generation=volume.generation)
    return lambda: _set_node(volume, allocation.node_id, allocation.pool_id)


def give_place_back(operation: Operation) -> Effect:
    volume = _volume(operation)
    return on_nodes.together(lambda: _set_node(volume, None, None), lambda: placement.release(volume.pk))


def ensure_image(operation: Operation) -> None:
    volume = _volume(operation)
    if volume.image is not None:
        on_nodes.ensure_image(leave.for_volume(operation, volume), volume.image)


def ensure_disk(operation: Operation) -> None:
    volume = _volume(operation)
    on_nodes.make_disk(leave.for_volume(operation, volume), on_nodes.disk_of(volume))


def remove_disk(operation: Operation) -> Effect | None:
    volume = _volume(operation)
    return on_nodes.remove_disk(volume.node, on_nodes.disk_of(volume))


VOLUME_HELD = Held(Prepared(lambda volume: Volume.objects.select_related("project", "node", "image").filter(pk=volume)))


def _volume(operation: Operation) -> Volume:
    return VOLUME_HELD.of(operation)


def _set_node(volume: Volume, node_id: UUID | None, pool_id: UUID | None) -> None:
    Volume.objects.filter(pk=volume.pk).update(node_id=node_id, pool_id=pool_id)


WORKFLOW = Workflow("volume.create", steps, finish, give_up)

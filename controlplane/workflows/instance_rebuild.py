"""Give an instance a new root disk, made from an image; if its root disk is a volume, another volume.

The new disk exists before the guest is touched, and the guest has it before the old one is erased: the erasure cannot
be undone.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute.attachments import inherit_classifications
from controlplane.compute.instance_metadata import resend_metadata
from controlplane.compute.models import INSTANCE, Attachment, Instance, Rebuild
from controlplane.compute.rebuild import REBUILT_FIELDS, instance_after_rebuild
from controlplane.compute.root_volumes import (
    new_disk_request,
    root_volume_discard,
    root_volume_replaced,
)
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.nodes import agent_client
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.operations.models import Operation
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.services import image_sources, volume_set_place
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.root_disks import has_root_volume, new_root_disk, release_root_volume, root_volume_of
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (
        *((Step("place", allocate, undo=release_root_volume),) if has_root_volume(operation) else ()),
        Step("image", ensure_image, undo=restart_guest, is_transfer=True),
        Step("root-disk", ensure_root_disk, undo=remove_root_disk, is_transfer=True),
        Step("define", define, undo=put_back),
        *((Step("start", start),) if operation.args["is_to_run"] else ()),
        Step("old-root-disk", remove_old_root_disk, is_final=True),
    )


def on_success(operation: Operation) -> None:
    rebuild = Rebuild.objects.get(instance_id=operation.resource_id)
    power_state = "running" if operation.args["is_to_run"] else "off"
    observed = {"last_error": None, "power_state": power_state, "power_state_at": clock.now()}
    became = {name: getattr(rebuild, name) for name in REBUILT_FIELDS}
    if root_volume := operation.args.get("root_volume"):
        del became["root_volume_id"]  # no node has it: see Instance
        root_volume_replaced(_instance(operation), UUID(root_volume))
    Instance.objects.filter(pk=operation.resource_id).update(updated_at=clock.now(), **became, **observed)
    rebuild.delete()


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    Instance.objects.filter(pk=operation.resource_id).update(last_error=error)
    Rebuild.objects.filter(instance_id=operation.resource_id).delete()
    if root_volume := operation.args.get("root_volume"):
        root_volume_discard(UUID(root_volume), error)


def allocate(operation: Operation) -> Effect:
    """Claim the allocation of the new root volume, on the node of the old one."""
    volume, instance = root_volume_of(operation), _instance(operation)
    request = new_disk_request(volume, instance, operation=operation.kind)
    assert instance.boot_volume_id is not None, "a root volume is replaced"
    allocation = placement.claim(replace(request, near=(instance.boot_volume_id,), operation_id=operation.pk))
    return partial(volume_set_place, volume.pk, allocation.node_id, allocation.pool_id)


def ensure_image(operation: Operation) -> None:
    """Inherit the image's classifications, then send the image.

    The instance and the volumes which it may write to get them before the node gets any of the image.
    """
    instance = instance_after_rebuild(operation.resource_id)
    authorization = _authorization(operation, instance)
    for source in image_sources(instance.image):
        lineage.add_source(DataSource.of(instance), source, kind="instance")
    for attachment in Attachment.objects.filter(instance=instance).select_related(
        "instance__project", "volume__project"
    ):
        inherit_classifications(attachment)
    node_steps.ensure_image(authorization, instance.image, new_root_disk(operation, instance).pool)


def ensure_root_disk(operation: Operation) -> None:
    instance = instance_after_rebuild(operation.resource_id)
    node_steps.make_disk(_authorization(operation, instance), new_root_disk(operation, instance))


def remove_root_disk(operation: Operation) -> Effect | None:
    instance = instance_after_rebuild(operation.resource_id)
    return node_steps.remove_disk(instance.node, new_root_disk(operation, instance))


def define(operation: Operation) -> None:
    """Define the guest, off, since a guest takes up another disk when it starts."""
    instance = instance_after_rebuild(operation.resource_id)
    authorization = _authorization(operation, instance)
    Rebuild.objects.filter(instance=instance).update(is_defining=True)
    node_steps.ensure_instance(authorization, instance, power=pb.POWER_OFF, generation=instance.generation - 1)


def start(operation: Operation) -> None:
    instance = instance_after_rebuild(operation.resource_id)
    node_steps.ensure_instance(_authorization(operation, instance), instance, power=pb.POWER_RUNNING)


def put_back(operation: Operation) -> Effect | None:
    """Define the guest with its old disk, off; do nothing if its node never got the new one.

    Where that is impossible (the location is not admitted any more, the node refuses), or the instance is to be
    deleted, the node forgets the guest: a start defines it anew.
    """
    if not Rebuild.objects.get(instance_id=operation.resource_id).is_defining:
        return None
    instance = _moved_on(operation, 1)
    try:
        if not instance.is_deleting:
            authorization = step_permits.for_instance(operation, instance)
            node_steps.ensure_instance(authorization, instance, power=pb.POWER_OFF)
            return None
    except CloudError as exc:
        if exc.retryable:
            raise
    removal = node_steps.remove(instance.node, kind="instance", resource_id=instance.pk, generation=instance.generation)
    return node_steps.combine_effects(removal, partial(_stay_off, instance))


def restart_guest(operation: Operation) -> Effect | None:
    """Start a guest again that had to stop for its new disk. If it may not start, the instance is stopped."""
    instance = _instance(operation)
    is_untouched = instance.generation == _first_generation(operation)
    if is_untouched or instance.state != "active" or instance.is_deleting:
        return None
    instance = _moved_on(operation, 2)
    try:
        node_steps.ensure_instance(step_permits.for_instance(operation, instance), instance, power=pb.POWER_RUNNING)
    except CloudError as exc:
        if exc.retryable:
            raise
        return partial(_stay_off, instance)
    return None


def _moved_on(operation: Operation, steps_back: int) -> Instance:
    """Use the next generations for calls on the way back. They only grow: a worker that slept is outdated."""
    generation = _first_generation(operation) + steps_back
    Instance.objects.filter(pk=operation.resource_id, generation__lt=generation).update(generation=generation)
    return _instance(operation)


def _first_generation(operation: Operation) -> int:
    return Rebuild.objects.get(instance_id=operation.resource_id).generation


def _stay_off(instance: Instance) -> None:
    """Set the instance to stopped. On an abandoned node the guest's state is unknown."""
    resend_metadata(instance.pk)
    if instance.state == "active":
        power_state = "unknown" if agent_client.is_abandoned(instance.node) else "off"
        move(instance, INSTANCE, "stopped", power_state=power_state, power_state_at=clock.now())


def remove_old_root_disk(operation: Operation) -> Effect | None:
    """Remove the old root disk, which the row names until the end."""
    instance = _instance(operation)
    volume = instance.boot_volume
    return node_steps.remove_disk(
        instance.node, node_steps.root_of(instance) if volume is None else node_steps.disk_of(volume)
    )


def _authorization(operation: Operation, instance: Instance) -> CallAuthorization:
    return step_permits.for_instance(operation, instance, gets=image_sources(instance.image))


def _instance(operation: Operation) -> Instance:
    rows = Instance.objects.select_related("project", "image", "node", "affinity_group", "root_pool")
    return rows.select_related("boot_volume__pool", "boot_volume__image").get(pk=operation.resource_id)


WORKFLOW = Workflow("instance.rebuild", steps, on_success, on_failure)

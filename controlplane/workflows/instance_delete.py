"""Delete an instance in any state. Its volumes stay, but for a root volume that it does not keep; an unreachable node
gets pending removals.
"""

from collections.abc import Sequence
from uuid import UUID

from controlplane.compute.attachments import attachment_end
from controlplane.compute.models import INSTANCE, Attachment, Instance
from controlplane.compute.root_volumes import (
    root_volume_deleted,
    root_volume_spared,
    unmade_root_volume_discard,
)
from controlplane.compute.user_data import NO_USER_DATA
from controlplane.kernel.db import move
from controlplane.network.models import Port
from controlplane.network.ports import ports_release
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.models import Volume
from controlplane.workflows import node_steps
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (
        Step("guest", remove_guest),
        Step("volumes", unplug_all),
        Step("ports", remove_ports),
        *(() if operation.args.get("boots_from_volume") else (Step("root-disk", remove_root_disk),)),
        *((Step("root-volume", remove_root_volume),) if operation.args.get("root_volume") else ()),
    )


def on_success(operation: Operation) -> None:
    instance = _instance(operation)
    if (root_volume := _root_volume(operation, instance)) is not None:
        root_volume_deleted(root_volume)
    elif operation.args.get("root_volume"):
        root_volume_spared(UUID(operation.args["root_volume"]))
    else:
        unmade_root_volume_discard(instance)
    if instance.state != "deleted":
        move(instance, INSTANCE, "deleted", node=None, power_state="off", **NO_USER_DATA)
    for attachment in Attachment.objects.filter(instance=instance).select_related("volume").order_by("volume"):
        attachment_end(attachment)
    ports_release(instance.pk)
    placement.release_allocation(instance.pk)
    quotas.release(instance.pk)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Do nothing: the workflow never gives up and cannot be cancelled, so the engine does not call it."""
    raise AssertionError(error)


def remove_guest(operation: Operation) -> Effect | None:
    instance = _instance(operation)
    return node_steps.remove(instance.node, kind="instance", resource_id=instance.pk, generation=instance.generation)


def unplug_all(operation: Operation) -> Effect:
    instance = _instance(operation)
    plugged = Attachment.objects.filter(instance=instance, is_boot=False)
    removed = [
        node_steps.remove(instance.node, kind="attachment", resource_id=row.pk, generation=row.generation)
        for row in plugged
    ]
    for volume in Volume.objects.filter(attachment__instance=instance).select_related("pool", "image"):
        disk = node_steps.disk_of(volume)
        if volume.is_multi_attach:
            removed.append(node_steps.close_shared_disk(instance.node, disk))
        else:
            node_steps.fence_disk(instance.node, disk)
    return node_steps.combine_effects(*removed)


def remove_ports(operation: Operation) -> Effect:
    instance = _instance(operation)
    return node_steps.combine_effects(
        *(
            node_steps.remove(instance.node, kind="port", resource_id=row.pk, generation=row.generation)
            for row in Port.objects.filter(instance_id=instance.pk)
        )
    )


def remove_root_disk(operation: Operation) -> Effect | None:
    instance = _instance(operation)
    return node_steps.remove_disk(instance.node, node_steps.root_of(instance))


def remove_root_volume(operation: Operation) -> Effect | None:
    volume = _root_volume(operation, _instance(operation))
    return None if volume is None else node_steps.remove_disk(volume.node, node_steps.disk_of(volume))


def _root_volume(operation: Operation, instance: Instance) -> Volume | None:
    """Return the root volume that is deleted with the instance; None also if the creation that the deletion has
    cancelled has deleted it, or has given it back. The attachment stays until the end: no other instance gets it.
    """
    if not operation.args.get("root_volume"):
        return None
    rows = Volume.objects.select_related("node", "pool")
    return rows.filter(attachment__instance=instance, attachment__is_boot=True).first()


def _instance(operation: Operation) -> Instance:
    return Instance.objects.select_related("node", "image", "root_pool").get(pk=operation.resource_id)


WORKFLOW = Workflow("instance.delete", steps, on_success, on_failure, retries_forever=True)

"""Create an instance: allocation, image, root disk, ports, volumes, and a guest that runs or is off."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from django.db.models import QuerySet

from agents.protocol import agent_pb2 as pb
from controlplane.compute.attachments import attached_volume_request, inherit_classifications
from controlplane.compute.errors import VolumeElsewhere
from controlplane.compute.models import INSTANCE, Attachment, Instance
from controlplane.compute.port_placement import with_ports_of
from controlplane.compute.root_volumes import (
    new_disk_request,
    root_volume_discard,
    root_volume_made,
    with_root_volume,
)
from controlplane.compute.services import constrain_to_volumes, instance_placement_request
from controlplane.events.services import publish_event
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.prepared_queries import Prepared
from controlplane.network.models import Port
from controlplane.network.port_groups import ports_unfilter
from controlplane.network.port_rules import FILTERS
from controlplane.network.port_specs import port_spec
from controlplane.network.ports import ports_release
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.claims import is_placed
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.quotas import services as quotas
from controlplane.storage.models import Volume
from controlplane.storage.services import CREATE, volume_mark_attached, volume_set_place
from controlplane.workflows import node_steps, step_permits, volume_create
from controlplane.workflows.root_disks import has_root_volume, new_root_disk, release_root_volume, root_volume_of
from controlplane.workflows.workflow_types import CachedRow, Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    attachments = [UUID(attachment) for attachment in operation.args["attachments"]]
    return (
        Step("place", allocate, undo=release_allocation),
        *(
            (
                Step("image", ensure_image, is_transfer=True),
                Step("root-disk", ensure_root_disk, undo=remove_root_disk, is_transfer=True),
            )
            if not boots_from_volume(operation) or has_root_volume(operation)
            else ()
        ),
        *(
            Step(f"port-{n}", partial(ensure_port, UUID(port)), undo=partial(remove_port, UUID(port)))
            for n, port in enumerate(operation.args["ports"])
        ),
        *(
            (
                Step(f"bring-{n}", partial(open_shared_volume, UUID(each)))
                for n, each in enumerate(operation.args.get("shared", ()))
            )
        ),
        *((_boot_volume_step(operation),) if boots_from_volume(operation) else ()),
        *((Step("define", define, undo=remove_instance),) if attachments or not is_started(operation) else ()),
        *(_volume_step(operation, f"volume-{n}", attachment) for n, attachment in enumerate(attachments)),
        *((Step("start", start, undo=remove_instance),) if is_started(operation) else ()),
    )


def _boot_volume_step(operation: Operation) -> Step:
    boot_attachment = operation.args["boot_attachment"]
    if boot_attachment not in _first_uses(operation):
        return Step("boot-volume", inherit_from_boot_volume)
    made = UUID(boot_attachment)
    undo = partial(remove_volume, made)
    return Step("boot-volume", partial(make_boot_volume, made), undo=undo, is_transfer=True)


def _volume_step(operation: Operation, name: str, attachment: UUID) -> Step:
    """Return the step that attaches a volume. The first use of a volume makes it in the same step: workers of the
    release before have the same steps, and fail here without it.
    """
    if str(attachment) not in _first_uses(operation):
        return Step(name, partial(plug, attachment), undo=partial(unplug, attachment))
    do, undo = partial(make_and_plug, attachment), partial(unplug_and_remove, attachment)
    return Step(name, do, undo=undo, is_transfer=True)


def _first_uses(operation: Operation) -> Sequence[str]:
    """Return the attachments whose volumes are made with the instance. The release before makes none."""
    first_uses: Sequence[str] = operation.args.get("first_uses", ())
    return first_uses


def is_started(operation: Operation) -> bool:
    """Return whether the instance is started after its creation. The release before starts each instance."""
    is_to_start: bool = operation.args.get("is_started", True)
    return is_to_start


def boots_from_volume(operation: Operation) -> bool:
    return operation.args.get("boot_attachment") is not None


def _has_volumes(operation: Operation) -> bool:
    return bool(operation.args["attachments"]) or boots_from_volume(operation)


def on_success(operation: Operation) -> None:
    instance = _instance(operation)
    state, power = ("active", "running") if is_started(operation) else ("stopped", "off")
    move(instance, INSTANCE, state, last_error=None, power_state=power, power_state_at=clock.now())
    if not _has_volumes(operation):
        return
    if has_root_volume(operation):
        root_volume_made(UUID(operation.args["root_volume"]))
    for attachment in Attachment.objects.filter(instance=instance).select_related("volume"):
        if str(attachment.volume_id) != operation.args.get("root_volume"):
            volume_mark_attached(attachment.volume)
    Attachment.objects.filter(instance=instance).update(is_plugged=True, updated_at=clock.now())


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    instance = _instance(operation)
    move(instance, INSTANCE, "error", last_error=error, node=None, root_pool=None, power_state="unknown")
    Attachment.objects.filter(instance=instance).delete()
    if has_root_volume(operation):
        Instance.objects.filter(pk=instance.pk).update(boot_volume=None)
        root_volume_discard(UUID(operation.args["root_volume"]), error)
    ports_release(instance.pk)
    quotas.release(instance.pk)


def allocate(operation: Operation) -> Effect:
    """Place the instance with all its volumes; those that are made with it get their parts of its allocation."""
    instance = _instance(operation)
    root_volume = root_volume_of(operation) if has_root_volume(operation) else None
    volumes = [each for each in _volumes(instance) if each != root_volume] if _has_volumes(operation) else []
    made = [*([root_volume] if root_volume else []), *(each for each in volumes if each.is_unbound)]
    own = instance_placement_request(instance, operation=operation.kind, zones=tuple(operation.args["zones"]))
    request = constrain_to_volumes(with_root_volume(own, root_volume), volumes)
    if operation.args["ports"] and "security_groups" in operation.args:  # the release before filters nothing
        is_required = bool(operation.args["own_ports"]) or operation.args["security_groups"] is not None
        request = with_ports_of(request, instance.pk, is_filtering_required=is_required)
    request = replace(request, host=operation.args.get("host"), operation_id=operation.pk)
    _require_unplaced(instance, made)
    allocation = placement.claim(request)
    for volume in (each for each in volumes if each.pool is not None and not each.is_unbound):
        with_instance = attached_volume_request(volume, DataSource.of(instance), operation=operation.kind)
        placement.move_allocation(replace(with_instance, operation_id=operation.pk), allocation.node_id)
    placed = [_place_with(request, instance, volume) for volume in made]
    pool_id = allocation.pool_id if own.share is not None else None
    step_permits.request_permit_ahead(operation, allocation, generation=instance.generation)
    return node_steps.combine_effects(
        lambda: _set_node(instance, allocation.node_id, pool_id),
        *placed,
        lambda: _filter_nothing(instance) if FILTERS not in allocation.node.traits else None,
    )


def release_allocation(operation: Operation) -> Effect:
    """Release the allocation. Volumes of pools that were to be attached stay open on the instance's node, and those
    that were to be made have no place again, and no data: not even what a worker of the release before has left.
    """
    instance = _instance(operation)
    authorize = partial(step_permits.for_instance, operation, instance)
    volumes = _volumes(instance).exclude(pk=operation.args.get("root_volume"))
    brought = volumes.filter(is_unbound=False).exclude(pool=None)
    return node_steps.combine_effects(
        *map(partial(node_steps.finish_opening, authorize), brought),
        *(_unbind(volume) for volume in volumes.filter(is_unbound=True)),
        lambda: _set_node(instance, None, None),
        lambda: placement.release_allocation(instance.pk),
        release_root_volume(operation) if has_root_volume(operation) else None,
    )


def _unbind(volume: Volume) -> Effect:
    removed = node_steps.remove_disk(volume.node, node_steps.disk_of(volume))
    return node_steps.combine_effects(removed, volume_create.release_place(volume))


def _require_unplaced(instance: Instance, made: Sequence[Volume]) -> None:
    """Raise VolumeElsewhere if a worker of the release before has left one of the volumes an allocation, which it could
    not undo. The undo of this step releases it.
    """
    if not is_placed(instance.pk) and any(is_placed(volume.pk) for volume in made):
        raise VolumeElsewhere()


def _place_with(whole: PlacementRequest, instance: Instance, volume: Volume) -> Effect:
    """Give a volume that is made with the instance its part of the allocation, which was claimed for `whole`.

    An allocation is of one pool: the space in another one, which the decision has checked, is claimed now.
    """
    operation = CREATE if volume.is_unbound else whole.operation
    request = replace(new_disk_request(volume, instance, operation=operation), operation_id=whole.operation_id)
    if request.share is None or (whole.share is not None and request.share.name == whole.share.name):
        part = placement.split_allocation(instance.pk, request)
    else:
        part = placement.claim(replace(request, near=(instance.pk,)))
    return partial(volume_set_place, volume.pk, part.node_id, part.pool_id)


def ensure_image(operation: Operation) -> None:
    instance = _instance(operation)
    pool = new_root_disk(operation, instance).pool
    node_steps.ensure_image(step_permits.for_instance(operation, instance), instance.image, pool)


def ensure_root_disk(operation: Operation) -> None:
    instance = _instance(operation)
    node_steps.make_disk(step_permits.for_instance(operation, instance), new_root_disk(operation, instance))


def remove_root_disk(operation: Operation) -> Effect | None:
    instance = _instance(operation)
    return node_steps.remove_disk(instance.node, new_root_disk(operation, instance))


def ensure_port(port_id: UUID, operation: Operation) -> None:
    instance = _instance(operation)
    node_steps.ensure_port(step_permits.for_instance(operation, instance), port_spec(port_id), hostname=instance.name)


def remove_port(port_id: UUID, operation: Operation) -> Effect | None:
    generation = Port.objects.values_list("generation", flat=True).filter(pk=port_id).first() or 1
    return node_steps.remove(_instance(operation).node, kind="port", resource_id=port_id, generation=generation)


def define(operation: Operation) -> None:
    instance = _instance(operation)
    authorization = step_permits.for_instance(operation, instance)
    generation = instance.generation - 1 if is_started(operation) else instance.generation
    node_steps.ensure_instance(authorization, instance, power=pb.POWER_OFF, generation=generation)


def open_shared_volume(attachment_id: UUID, operation: Operation) -> Effect | None:
    """Open a volume of a pool. It stays there, whatever the outcome of the instance."""
    authorization = step_permits.for_instance(operation, _instance(operation))
    return node_steps.open_shared_volume(authorization, _attached_volume(attachment_id))


def inherit_from_boot_volume(operation: Operation) -> None:
    """Share the classifications of the boot volume before the node gets the guest, which writes to it."""
    rows = Attachment.objects.select_related("instance__project", "volume__project")
    inherit_classifications(rows.get(pk=operation.args["boot_attachment"]))


def make_boot_volume(attachment_id: UUID, operation: Operation) -> None:
    make_volume(attachment_id, operation)
    inherit_from_boot_volume(operation)


def make_volume(attachment_id: UUID, operation: Operation) -> None:
    """Make a volume at its first use, under a permit of its own."""
    volume = _attached_volume(attachment_id)
    volume_create.send_image(operation, volume)
    volume_create.make_disk(operation, volume)


def remove_volume(attachment_id: UUID, operation: Operation) -> Effect | None:
    volume = _attached_volume(attachment_id)
    return node_steps.remove_disk(volume.node, node_steps.disk_of(volume))


def make_and_plug(attachment_id: UUID, operation: Operation) -> None:
    make_volume(attachment_id, operation)
    plug(attachment_id, operation)


def unplug_and_remove(attachment_id: UUID, operation: Operation) -> Effect:
    return node_steps.combine_effects(unplug(attachment_id, operation), remove_volume(attachment_id, operation))


def plug(attachment_id: UUID, operation: Operation) -> None:
    attachment = Attachment.objects.select_related("instance__project", "volume__project").get(pk=attachment_id)
    inherit_classifications(attachment)
    node_steps.ensure_attachment(step_permits.for_instance(operation, _instance(operation)), attachment)


def unplug(attachment_id: UUID, operation: Operation) -> Effect | None:
    return node_steps.remove(_instance(operation).node, kind="attachment", resource_id=attachment_id, generation=1)


def start(operation: Operation) -> None:
    instance = _instance(operation)
    node_steps.ensure_instance(step_permits.for_instance(operation, instance), instance, power=pb.POWER_RUNNING)


def remove_instance(operation: Operation) -> Effect | None:
    instance = _instance(operation)
    return node_steps.remove(instance.node, kind="instance", resource_id=instance.pk, generation=instance.generation)


RELATED = ("project", "image", "node", "affinity_group", "root_pool")
INSTANCE_HELD = CachedRow(Prepared(lambda instance: Instance.objects.select_related(*RELATED).filter(pk=instance)))


def _instance(operation: Operation) -> Instance:
    return INSTANCE_HELD.of(operation)


def _attached_volume(attachment_id: UUID) -> Volume:
    return Volume.objects.select_related("project", "node", "pool", "image").get(attachment=attachment_id)


def _volumes(instance: Instance) -> QuerySet[Volume]:
    return Volume.objects.filter(attachment__instance=instance).select_related("project", "pool", "node", "image")


def _set_node(instance: Instance, node_id: UUID | None, pool_id: UUID | None) -> None:
    Instance.objects.filter(pk=instance.pk).update(node_id=node_id, root_pool_id=pool_id)


def _filter_nothing(instance: Instance) -> None:
    """Make the ports that come with the instance unfiltered: its node has an agent of an earlier release."""
    if ports_unfilter(instance.pk):
        facts = {"name": instance.name}
        publish_event(None, "instance.unfiltered", instance.pk, project_id=instance.project_id, **facts)


WORKFLOW = Workflow("instance.create", steps, on_success, on_failure)

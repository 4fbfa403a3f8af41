"""Attachment requests: volumes in instances. workflows/volume_attach.py carries them out.

With a volume, an instance gets its data, and may write its own data there, so the policies of both apply to each.
"""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from controlplane.audit.services import record
from controlplane.catalog.models import Flavor
from controlplane.compute.actions import require_instance_state, require_not_migrating
from controlplane.compute.errors import (
    AttachmentNotFound,
    PoolElsewhere,
    VolumeAlreadyAttached,
    VolumeElsewhere,
    VolumeIsBoot,
)
from controlplane.compute.instance_changes import instance_lock
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_placement_request
from controlplane.compute.shared_attachments import (
    check_sharing,
    other_instances_requests,
    shared_volume_request,
    sharing_instances,
)
from controlplane.compute.volume_counts import check_volume_count, coming_flavors
from controlplane.identity.actor import Actor
from controlplane.kernel.db import move, raise_on_violation
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.models import VOLUME, Volume
from controlplane.storage.services import (
    CREATE,
    require_attachable,
    require_image_ready,
    volume_lock,
    volume_placement_request,
)

ATTACH = "volume.attach"
ALONE, ONCE = "compute_attachment_volume_alone", "compute_attachment_volume_once"


def volume_attach(
    actor: Actor, instance: Instance, *, volume: Volume, is_read_only: bool, is_shared: bool = False
) -> tuple[Attachment, Operation]:
    """Request an attachment; a running guest gets the volume while it runs. `is_shared`: as other instances may.

    Placement first checks that the location of each satisfies the policies of the other. An unbound volume gets its
    place with it, where the instance is. Through one that is shared the other instances get the data of this one.

    Raises:
        VolumeAlreadyAttached, VolumeElsewhere, PoolElsewhere, InstanceWrongState, VolumeWrongState, TooManyVolumes,
        PolicyUnsatisfiable, Busy.
        ShareMissing, VolumeNotShareable, VolumeOnNode, NodesAlike, TooManyInstances: see check_sharing().
        ImageNotReady, InsufficientCapacity, NoPlace: of an unbound volume, which is a copy of the image.
    """
    actor.may_write()
    new = Attachment(instance=instance, volume=volume, is_read_only=is_read_only, is_shared=is_shared)
    _check(new)
    with_volume, with_instance = attachment_requests(instance, volume)
    requests = [with_volume, *other_instances_requests(new)]
    results = placement.check_current_nodes(requests)
    if is_shared:
        placement.check_placement(shared_volume_request(with_instance, new))
    elif volume.is_unbound:
        placement.check_placement(volume_placement_request(volume, operation=CREATE, near=(instance.pk,)))
        placement.check_placement(replace(with_instance, near=(instance.pk,)))
    else:
        placement.check_current_node(with_instance)
    with transaction.atomic():
        operation = _attach(actor, new)
        for request, taken in zip(requests, results, strict=True):
            placement.keep_exempted(replace(request, operation_id=operation.pk), taken)
    return new, operation


def _check(new: Attachment) -> None:
    instance, volume = new.instance, new.volume
    instance.refresh_from_db(fields=["state", "is_deleting", "node"])
    volume.refresh_from_db(fields=["state", "is_deleting", "node", "pool", "volume_type", "is_unbound"])
    require_instance_state(instance, "attach")
    require_not_migrating(instance)
    check_sharing(new)
    require_unlocked(volume.pk)
    require_attachable(volume)
    _require_reachable_volume(instance, volume)


def _require_reachable_volume(instance: Instance, volume: Volume) -> None:
    """Raise VolumeElsewhere or PoolElsewhere if the instance's node cannot open the volume. One that has no place yet
    gets it there; ImageNotReady: its image was deleted meanwhile.
    """
    require_image_ready(volume, field="volume")
    if volume.is_unbound:
        return
    if volume.node_id == instance.node_id and not volume.is_multi_attach:
        return
    if volume.pool is None:
        raise VolumeElsewhere(field="volume")
    node = instance.node
    if node is None or node.zone_id != volume.pool.zone_id or volume.pool.trait not in node.traits:
        raise PoolElsewhere(field="volume", pool=volume.pool.name)


def attachment_requests(instance: Instance, volume: Volume) -> tuple[PlacementRequest, PlacementRequest]:
    """Return the placement requests for the instance with the volume, and for the volume with the instance."""
    with_volume = replace(instance_placement_request(instance, operation=ATTACH), sources=(DataSource.of(volume),))
    return with_volume, attached_volume_request(volume, DataSource.of(instance), operation=ATTACH)


def attached_volume_request(volume: Volume, holder: DataSource, *, operation: str) -> PlacementRequest:
    """Return the placement request for a volume that `holder`, an instance, has or gets."""
    return replace(volume_placement_request(volume, operation=operation), sources=(holder,))


def attachment_request(attachment: Attachment, *, operation: str) -> PlacementRequest:
    """Return the placement request for the volume with the data of the instance, by which the attachment is decided."""
    volume = attachment.volume
    request = attached_volume_request(volume, DataSource(attachment.instance_id, volume.project), operation=operation)
    return shared_volume_request(request, attachment) if attachment.is_shared else request


def instance_with_volumes_request(
    instance: Instance, volume_ids: Iterable[UUID], *, operation: str, gets: Iterable[DataSource] = ()
) -> PlacementRequest:
    """Return the placement request for an instance with all its present and new volumes and the data it `gets`."""
    volumes = (DataSource(volume_id, instance.project) for volume_id in volume_ids)
    return replace(instance_placement_request(instance, operation=operation), sources=(*volumes, *gets))


def inherit_classifications(attachment: Attachment) -> None:
    """Give each of both the classifications of the other; a volume that is only read keeps its own. Instances that
    share the volume get them from there.

    This happens before the node gets the attachment, since data in memory cannot be taken back.
    """
    instance, volume = DataSource.of(attachment.instance), DataSource.of(attachment.volume)
    with transaction.atomic():
        lineage.add_source(instance, volume, kind="instance")
        if not attachment.is_read_only:
            lineage.add_source(volume, instance, kind="volume")
            for other in sharing_instances(attachment):
                lineage.add_source(DataSource.of(other), volume, kind="instance")


def _attach(actor: Actor, attachment: Attachment) -> Operation:
    """Write the new attachment with its operation."""
    instance, volume = attachment.instance, attachment.volume
    instance_lock(instance)
    require_instance_state(instance, "attach")
    require_not_migrating(instance)
    volume_lock(volume)
    attached = Attachment.objects.filter(instance=instance, is_boot=False)
    sizes: list[Flavor | Instance] = [instance, *coming_flavors(instance)]
    for size in sizes:
        check_volume_count(attached.count() + 1, size, field="volume")
    check_sharing(attachment)
    taken = VolumeAlreadyAttached(field="volume", volume=volume.name)
    with raise_on_violation(ALONE, taken), raise_on_violation(ONCE, taken):
        attachment.save(force_insert=True)
    is_brought = volume.pool_id is not None  # also to the node where it is: the node may not have it open
    args: dict[str, object] = {
        "attachment": str(attachment.pk),
        "instance": str(instance.pk),
        "is_read_only": attachment.is_read_only,
        "is_shared": attachment.is_shared,
        "is_brought": is_brought,
    }
    if volume.is_unbound:  # the operation makes it first, where the instance is
        args |= {"is_first_use": True, "near": [str(instance.pk)], "zones": []}
    request = OperationRequest(ATTACH, instance.project_id, [volume.pk, attachment.pk], args, resource_name=volume.name)
    operation = enqueue(actor, request)
    require_attachable(volume)
    _require_reachable_volume(instance, volume)
    if is_brought or volume.is_unbound:
        Volume.objects.filter(pk=volume.pk).update(generation=F("generation") + 1)
    record(actor, ATTACH, volume.pk, project_id=instance.project_id, instance=str(instance.pk))
    return operation


@transaction.atomic
def volume_detach(actor: Actor, attachment: Attachment) -> Operation:
    """Request the end of an attachment; the instance may run on.

    Raises:
        InstanceWrongState, Busy; AttachmentNotFound: the volume is detached already.
        VolumeIsBoot: the instance boots from it.
    """
    actor.may_write()
    instance = attachment.instance
    instance_lock(instance)
    require_instance_state(instance, "detach")
    if attachment.is_boot:
        raise VolumeIsBoot(volume=attachment.volume.name)
    args = {"attachment": str(attachment.pk), "instance": str(instance.pk)}
    locked_ids = [attachment.volume_id, attachment.pk]
    name = attachment.volume.name
    operation = enqueue(
        actor, OperationRequest("volume.detach", instance.project_id, locked_ids, args, resource_name=name)
    )
    if Attachment.objects.filter(pk=attachment.pk).update(generation=F("generation") + 1) != 1:
        raise AttachmentNotFound(name=str(attachment.pk))
    record(
        actor,
        "volume.detach",
        attachment.volume_id,
        project_id=instance.project_id,
        instance=str(instance.pk),
    )
    return operation


def attachment_end(attachment: Attachment) -> None:
    """Delete the attachment; the volume is available then, unless other instances have it.

    Inside the caller's transaction.
    """
    volume = attachment.volume
    volume_lock(volume)
    if attachment.is_shared:
        placement.release_allocation(attachment.pk)
    attachment.delete()
    if volume.state == "in-use" and not Attachment.objects.filter(volume=volume).exists():
        move(volume, VOLUME, "available")


def instances_booted_from(volume_id: UUID) -> QuerySet[Instance]:
    """Return the instance whose root disk the volume is, if there is one."""
    booted = Attachment.objects.filter(volume=volume_id, is_boot=True).values("instance_id")
    return Instance.objects.filter(pk__in=booted)

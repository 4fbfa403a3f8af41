"""Root volumes: volumes that are made from the image of an instance together with it, and are its root disk.

An instance gets one if its volume type is of a pool with snapshots, or if it is to keep its root volume. They begin and
end in the operations of the instance; in between they are volumes like all others that an instance boots from.
"""

from dataclasses import replace
from itertools import chain, count
from uuid import UUID

from andromede_core.documents.messages import Message, either
from controlplane.audit.services import record
from controlplane.catalog.io_limits import io_limits
from controlplane.catalog.models import LOCAL, Image
from controlplane.catalog.volume_types import usable_volume_type
from controlplane.compute.errors import (
    InstanceWrongState,
    RootDiskNotVolume,
    RootVolumeExempted,
    RootVolumeHasSnapshots,
)
from controlplane.compute.models import Attachment, Instance
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import move, raise_on_violation
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import NAME_MAX
from controlplane.operations.models import Operation
from controlplane.operations.selectors import live_of
from controlplane.operations.services import require_unlocked
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.lineage import NewData
from controlplane.quotas import services as quotas
from controlplane.storage.errors import VolumeNameTaken
from controlplane.storage.models import VOLUME, SnapshotSchedule, Volume
from controlplane.storage.services import (
    image_sources,
    snapshot_names,
    volume_lock,
    volume_mark_attached,
    volume_placement_request,
)
from controlplane.storage.snapshot_sources import listed, pools_with_snapshots, require_not_read

SHORTEST = 48  # letters of the instance's name that are always in that of its root volume


def root_volume_kept(requested: bool | None, *, has_boot_volume: bool, is_exempted: bool) -> bool | None:
    """Return whether a new instance keeps its root volume; None: it gets none.

    A volume that exists already is kept by default. An exemption names the instance alone: its root disk is no volume.

    Raises:
        RootVolumeExempted
    """
    if has_boot_volume:
        return requested is not False
    if not is_exempted:
        return bool(requested)
    if requested:
        raise RootVolumeExempted(field="keep_root_volume")
    return None


def new_root_volume(instance: Instance) -> Volume | None:
    """Return the root volume that the new instance gets, not written; None: its root disk is a part of the instance,
    or a volume that exists.

    Raises:
        VolumeTypeNotFound, VolumeTypeRetired: it is to be kept, and no type for disks of one node is defined.
    """
    if instance.boot_volume_id is not None or instance.keep_root_volume is None:
        return None
    volume_type = instance.root_volume_type
    pool = volume_type.pool if volume_type is not None else ""
    if not instance.keep_root_volume and not (pool and pools_with_snapshots().filter(name=pool).exists()):
        return None
    if volume_type is None:
        volume_type = usable_volume_type(instance.project, LOCAL, field="root_volume_type")
    limits = io_limits(volume_type, instance.disk_gib)
    return Volume(
        id=new_id(),
        project=instance.project,
        size_gib=instance.disk_gib,
        volume_type=volume_type,
        image=instance.image,
        iops_limit=limits.iops,
        mb_per_s_limit=limits.mb_per_s,
    )


def new_root_volume_like(volume: Volume, image: Image) -> Volume:
    """Return the root volume that a rebuild makes from the image in place of this one, not written."""
    return Volume(
        id=new_id(),
        project=volume.project,
        size_gib=volume.size_gib,
        volume_type=volume.volume_type,
        image=image,
        iops_limit=volume.iops_limit,
        mb_per_s_limit=volume.mb_per_s_limit,
    )


def new_disk_request(volume: Volume, instance: Instance, *, operation: str) -> PlacementRequest:
    """Return the placement request for a volume that is made for the instance, whose data it gets."""
    return replace(volume_placement_request(volume, operation=operation), sources=(DataSource.of(instance),))


def with_root_volume(request: PlacementRequest, volume: Volume | None) -> PlacementRequest:
    """Return the placement request for an instance together with its new root volume, if it gets one.

    Both are decided at once: the volume gets its part of the allocation afterwards, on the same node.
    """
    return request if volume is None else with_new_disk(request, volume)


def with_new_disk(request: PlacementRequest, volume: Volume) -> PlacementRequest:
    """Return the placement request for an instance together with a volume that is made for it, where it is."""
    disk = volume_placement_request(volume, operation=request.operation)
    pools = list(request.pools)
    for added in disk.pools:
        shared = next((each for each in pools if each.gib and each.name == added.name), None)
        if shared is None:
            pools.append(added)
        else:
            pools[pools.index(shared)] = replace(shared, gib=shared.gib + added.gib)
    traits = request.traits | disk.traits
    return replace(request, disk_gib=request.disk_gib + disk.disk_gib, pools=tuple(pools), traits=traits)


def root_volume_insert(volume: Volume, instance: Instance) -> None:
    """Write the volume with a free name, and the sources of its data. The instance is written already.

    Raises:
        VolumeNameTaken: another request has just taken the name.
    """
    volume.name = _free_name(instance)
    data = NewData(volume.pk, "volume", volume.project)
    taken = VolumeNameTaken(field="name", name=volume.name)
    with raise_on_violation("storage_volume_name_taken", taken, is_end=True):
        lineage.record_data(data, (*image_sources(volume.image), DataSource.of(instance)), extra_rows=[volume])


def root_volume_begin(actor: Actor, volume: Volume) -> None:
    """Claim the quota of the volume and record its creation: last, as quotas lock the project until the commit."""
    quotas.claim(volume.project_id, volume.pk, volumes=1, storage_gib=volume.size_gib)
    facts = {"name": volume.name, "size_gib": volume.size_gib}
    record(actor, "volume.create", volume.pk, project_id=volume.project_id, **facts)


def _free_name(instance: Instance) -> str:
    """Return NAME-root, or NAME-root-2 and so on, of an instance NAME, shortened to what a name may have."""
    taken = Volume.objects.filter(project=instance.project_id, name__startswith=instance.name[:SHORTEST])
    names = set(taken.exclude(state="deleted").values_list("name", flat=True))
    ends = chain(["-root"], (f"-root-{number}" for number in count(2)))
    possible = (f"{instance.name[: NAME_MAX - len(end)].rstrip('-')}{end}" for end in ends)
    return next(name for name in possible if name not in names)


def root_volume_made(volume_id: UUID) -> None:
    """Mark the volume as made, and attached, at the end of the operation that made it."""
    volume = Volume.objects.get(pk=volume_id)
    move(volume, VOLUME, "available", last_error=None)
    volume_mark_attached(volume)


def root_volume_replaced(instance: Instance, volume_id: UUID) -> None:
    """Let the instance have the new root volume, with name, labels and schedules of the old one, which is deleted."""
    old = instance.boot_volume
    assert old is not None, "only a root volume is replaced by another"
    Instance.objects.filter(pk=instance.pk).update(boot_volume=volume_id)
    instance.refresh_from_db(fields=["is_deleting", "keep_root_volume"])
    Attachment.objects.filter(instance=instance, is_boot=True).update(volume=volume_id, updated_at=clock.now())
    root_volume_deleted(old)
    SnapshotSchedule.objects.filter(volume=old).update(volume=volume_id)
    new = Volume.objects.filter(pk=volume_id)
    new.update(name=old.name, labels=old.labels)
    root_volume_made(volume_id)
    new.update(is_deleting=instance.is_deleting and not instance.keeps_root_volume)


def root_volume_discard(volume_id: UUID, error: dict[str, object]) -> None:
    """Delete the row of a volume whose creation has failed, and release its quota: its data is gone already."""
    volume = Volume.objects.get(pk=volume_id)
    quotas.release(volume.pk)
    if volume.state != "deleted":
        move(volume, VOLUME, "deleted", last_error=error, node=None, pool=None)


def root_volume_to_grow(instance: Instance, disk_gib: int) -> Volume | None:
    """Return the root volume that a flavor with a disk of `disk_gib` enlarges; None: none.

    A flavor has the disk of its instances: it enlarges a smaller root volume that is deleted with the instance. One
    that is kept is a volume by itself, and only a growth of that volume enlarges it.
    """
    if instance.boot_volume_id is None:
        return None
    instance.refresh_from_db(fields=["boot_volume", "keep_root_volume"])
    volume = instance.boot_volume
    if volume is None or instance.keeps_root_volume or volume.size_gib >= disk_gib:
        return None
    return volume


def keep_changes(instance: Instance, keep: bool | None) -> dict[str, bool]:
    """Return the change that gives the instance, whose row is locked, this `keep_root_volume`; `keep` None: no change.

    Raises:
        RootDiskNotVolume: its root disk is no volume. It may become one of an instance whose creation has failed, but
            not of one that is created by an exemption.
        InstanceWrongState: the instance is being deleted, and its root volume with it or not.
        Busy: an operation works with the root volume as the value is.
    """
    field = "keep_root_volume"
    if keep is None:
        return {}
    instance.refresh_from_db(fields=["boot_volume"])
    if keep == instance.keeps_root_volume:
        return {}
    is_recreated = instance.state == "error" and instance.node_id is None
    if instance.boot_volume_id is None and (instance.keep_root_volume is None or (keep and not is_recreated)):
        raise RootDiskNotVolume(field=field)
    if instance.is_deleting:
        wanted = either("active", "stopped", "error")
        raise InstanceWrongState(field=field, state=Message("being deleted"), wanted=wanted)
    require_unlocked(instance.pk, field=field)
    return {field: keep}


def root_volume_deleting(instance: Instance) -> Volume | None:
    """Mark the root volume that is deleted with the instance as being deleted; None: it has none, or keeps it.

    A volume that an instance was to boot from is not its root volume after a failed creation: others may have it.

    Raises:
        RootVolumeHasSnapshots: also one that is being taken or deleted.
        VolumeReadForImage
    """
    if instance.boot_volume_id is None:
        return None
    instance.refresh_from_db(fields=["boot_volume", "keep_root_volume"])
    volume = instance.boot_volume
    if volume is None or instance.keeps_root_volume:
        return None
    volume_lock(volume)
    if not Attachment.objects.filter(instance=instance, volume=volume, is_boot=True).exists():
        return None
    require_root_deletable(volume)
    Volume.objects.filter(pk=volume.pk).update(is_deleting=True, updated_at=clock.now())
    return volume


def require_root_deletable(volume: Volume) -> None:
    """Check that the volume can be deleted with its instance or by its rebuild.

    Raises:
        RootVolumeHasSnapshots
        VolumeReadForImage: an image is being made of it.
    """
    if names := snapshot_names(volume):
        raise RootVolumeHasSnapshots(volume=volume.name, count=len(names), names=listed(names))
    require_not_read(volume)


def root_volume_spared(volume_id: UUID) -> None:
    """Let a volume be used that was to be deleted with an instance, if the instance never got it: the deletion has
    cancelled the creation.
    """
    volume = Volume.objects.get(pk=volume_id)
    volume_lock(volume)
    if volume.state == "available" and live_of("volume.delete", volume.pk) is None:
        Volume.objects.filter(pk=volume.pk).update(is_deleting=False, updated_at=clock.now())


def unmade_root_volume_discard(instance: Instance) -> None:
    """Discard the root volume of a creation that a worker of an earlier release has ended: it made no data, and left
    the volume in `building`.
    """
    volume = instance.boot_volume
    if volume is None or volume.state != "building":
        return
    creations = Operation.objects.filter(kind="instance.create", resource_id=instance.pk)
    if creations.filter(args__root_volume=str(volume.pk)).exists():
        root_volume_discard(volume.pk, instance.last_error or {})


def root_volume_deleted(volume: Volume) -> None:
    """Release what the deleted volume has. Inside the caller's transaction."""
    placement.release_allocation(volume.pk)
    quotas.release(volume.pk)
    if volume.state != "deleted":
        move(volume, VOLUME, "deleted", node=None)

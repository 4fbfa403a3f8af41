"""Resize requests: another flavor for a stopped instance. workflows/instance_resize.py carries them out.

The disk of the instance grows to that of the flavor: its own root disk, or a root volume that is not kept.
"""

from dataclasses import replace

from django.db import transaction
from django.db.models import F

from controlplane.audit.services import record
from controlplane.catalog.io_limits import IoLimits, io_limits
from controlplane.catalog.models import Flavor
from controlplane.compute.actions import require_instance_state
from controlplane.compute.instance_changes import InstanceChange, instance_change, instance_lock
from controlplane.compute.instance_checks import check_root_disk
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.root_volumes import root_volume_to_grow
from controlplane.compute.services import instance_placement_request
from controlplane.compute.volume_counts import RESIZE, check_volume_count
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.models import Volume
from controlplane.storage.services import require_volume_state, resized, volume_growth_request, volume_lock


def instance_resize(actor: Actor, instance: Instance, *, flavor: Flavor) -> Operation:
    """Give a stopped instance another flavor, on its own node. Placement is checked as at creation.

    Raises:
        FlavorTooSmall: the flavor's disk is smaller than the present one.
        FlavorWithoutDisk: the root disk is no volume.
        TooManyVolumes: more volumes are attached than the flavor allows.
        InstanceWrongState, VolumeWrongState, QuotaExceeded, PolicyUnsatisfiable, InsufficientCapacity, NoPlace, Busy.
    """
    actor.may_write()
    operations.require_unlocked(instance.pk)
    _check_resize(instance, flavor)
    root_volume = root_volume_to_grow(instance, flavor.disk_gib)
    if root_volume is not None:
        operations.require_unlocked(root_volume.pk)
    request = instance_placement_request(instance, operation=RESIZE)
    placement.check_current_node(request)
    traits = request.traits | _root_limits(instance, flavor, root_volume).traits
    larger = replace(request, vcpus=flavor.vcpus, memory_mib=flavor.memory_mib, traits=traits)
    placement.check_growth(larger if instance.boot_volume_id else resized(larger, flavor.disk_gib))
    if root_volume is not None:
        placement.check_growth(volume_growth_request(root_volume, flavor.disk_gib, operation=RESIZE))
    return _resize(actor, instance, flavor)


def _check_resize(instance: Instance, flavor: Flavor) -> None:
    require_instance_state(instance, "resize")
    if instance.boot_volume_id is None:
        check_root_disk(flavor.pk, field="flavor", needed_gib=instance.disk_gib, given_gib=flavor.disk_gib)
    attached = Attachment.objects.filter(instance=instance, is_boot=False)
    check_volume_count(attached.count(), flavor, field="flavor")


@transaction.atomic
def _resize(actor: Actor, instance: Instance, flavor: Flavor) -> Operation:
    """Write the resize. Until the operation has ended, the instance counts with both sizes in the quota."""
    instance_lock(instance)
    root_volume = root_volume_to_grow(instance, flavor.disk_gib)
    dimensions = _changed(instance)
    was, to = ({name: getattr(size, name) for name in dimensions} for size in (instance, flavor))
    limits = _root_limits(instance, flavor, root_volume)
    root = {"root_iops_limit": limits.iops, "root_mb_per_s_limit": limits.mb_per_s}
    args: dict[str, object] = {"to": {"flavor": flavor.pk, "max_volumes": flavor.max_volumes, **root, **to}, "was": was}
    root_volumes = () if root_volume is None else (root_volume.pk,)
    if root_volume is not None:
        volume_lock(root_volume)
        args |= {"grown_volume": str(root_volume.pk), "size_gib": flavor.disk_gib, "was_gib": root_volume.size_gib}
    operation = instance_change(actor, instance, InstanceChange(RESIZE, args, root_volumes))
    _check_resize(instance, flavor)
    if root_volume is not None:
        _grow_root_volume(actor, instance, root_volume, flavor.disk_gib)
    both = {dimension: max(was[dimension], to[dimension]) for dimension in ("vcpus", "memory_mib")}
    quotas.claim(instance.project_id, instance.pk, **both)
    return operation


def _grow_root_volume(actor: Actor, instance: Instance, volume: Volume, size_gib: int) -> None:
    """Write a new generation of the volume, and claim its quota.

    The permit is for the generation of the instance, which must not be below that of the volume.
    """
    require_volume_state(volume, "in-use")
    Volume.objects.filter(pk=volume.pk).update(generation=F("generation") + 1, updated_at=clock.now())
    volume.refresh_from_db(fields=["generation"])
    older = Instance.objects.filter(pk=instance.pk, generation__lt=volume.generation)
    older.update(generation=volume.generation)
    record(actor, "volume.grow", volume.pk, project_id=volume.project_id, size_gib=size_gib)
    quotas.claim(volume.project_id, volume.pk, storage_gib=size_gib)


def _changed(instance: Instance) -> tuple[str, ...]:
    """Return what another flavor changes of the instance itself: not the size of a volume."""
    return ("vcpus", "memory_mib") if instance.boot_volume_id else ("vcpus", "memory_mib", "disk_gib")


def _root_limits(instance: Instance, flavor: Flavor, root_volume: Volume | None) -> IoLimits:
    """Return the limits of the root disk after the resize. A volume that does not grow keeps its own."""
    if root_volume is not None:
        return io_limits(root_volume.volume_type, flavor.disk_gib)
    return instance.root_limits if instance.boot_volume_id else io_limits(instance.root_volume_type, flavor.disk_gib)

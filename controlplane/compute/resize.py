"""Resize requests: another flavor for a stopped instance. workflows/instance_resize.py carries them out."""

from dataclasses import replace

from django.db import transaction

from controlplane.catalog.io_limits import IoLimits, io_limits
from controlplane.catalog.models import Flavor
from controlplane.compute.actions import require_instance_state
from controlplane.compute.errors import FlavorTooSmall
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_change, instance_lock, instance_placement_request
from controlplane.compute.volume_counts import RESIZE, check_volume_count
from controlplane.identity.actor import Actor
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.services import resized


def instance_resize(actor: Actor, instance: Instance, *, flavor: Flavor) -> Operation:
    """Give a stopped instance another flavor, on its own node. Placement is checked as at creation.

    Raises:
        FlavorTooSmall: the flavor's disk is smaller than the present one.
        TooManyVolumes: more volumes are attached than the flavor allows.
        InstanceWrongState, QuotaExceeded, PolicyUnsatisfiable, InsufficientCapacity, NoPlace, Busy.
    """
    actor.may_write()
    operations.require_unlocked(instance.pk)
    _check_resize(instance, flavor)
    request = instance_placement_request(instance, operation=RESIZE)
    placement.check_current_node(request)
    traits = request.traits | _root_limits(instance, flavor).traits
    larger = replace(request, vcpus=flavor.vcpus, memory_mib=flavor.memory_mib, traits=traits)
    placement.check_growth(larger if instance.boot_volume_id else resized(larger, flavor.disk_gib))
    return _resize(actor, instance, flavor)


def _check_resize(instance: Instance, flavor: Flavor) -> None:
    require_instance_state(instance, "resize")
    if instance.boot_volume_id is None and flavor.disk_gib < instance.disk_gib:
        raise FlavorTooSmall(
            field="flavor",
            flavor=flavor.pk,
            dimension="disk_gib",
            needed=instance.disk_gib,
            given=flavor.disk_gib,
        )
    attached = Attachment.objects.filter(instance=instance, is_boot=False)
    check_volume_count(attached.count(), flavor, field="flavor")


@transaction.atomic
def _resize(actor: Actor, instance: Instance, flavor: Flavor) -> Operation:
    """Write the resize. Until the operation has ended, the instance counts with both sizes in the quota."""
    instance_lock(instance)
    dimensions = _changed(instance)
    was, to = ({name: getattr(size, name) for name in dimensions} for size in (instance, flavor))
    limits = _root_limits(instance, flavor)
    root = {"root_iops_limit": limits.iops, "root_mb_per_s_limit": limits.mb_per_s}
    args = {"to": {"flavor": flavor.pk, "max_volumes": flavor.max_volumes, **root, **to}, "was": was}
    operation = instance_change(actor, instance, RESIZE, args=args)
    _check_resize(instance, flavor)
    both = {dimension: max(was[dimension], to[dimension]) for dimension in ("vcpus", "memory_mib")}
    quotas.claim(instance.project_id, instance.pk, **both)
    return operation


def _changed(instance: Instance) -> tuple[str, ...]:
    """Return what another flavor changes: not a boot volume's size."""
    return ("vcpus", "memory_mib") if instance.boot_volume_id else ("vcpus", "memory_mib", "disk_gib")


def _root_limits(instance: Instance, flavor: Flavor) -> IoLimits:
    """Return the limits of the root disk after the resize. A boot volume keeps its own."""
    return instance.root_limits if instance.boot_volume_id else io_limits(instance.root_volume_type, flavor.disk_gib)

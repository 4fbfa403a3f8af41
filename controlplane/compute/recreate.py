"""Recreation: a request creates an instance in `error` again.

Row and spec stay the same; placement, policies, quota, addresses and volumes are checked as for a new one.
"""

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction

from controlplane.compute.actions import require_state_in
from controlplane.compute.instance_changes import instance_lock
from controlplane.compute.instance_checks import check_image, check_ports, lock_affinity_group
from controlplane.compute.models import INSTANCE, Instance
from controlplane.compute.port_placement import with_ports
from controlplane.compute.root_volumes import new_root_volume, with_root_volume
from controlplane.compute.services import (
    NewAttachments,
    check_first_uses,
    constrain_to_volumes,
    enqueue_create,
    instance_placement_request,
)
from controlplane.compute.volume_counts import check_volume_count
from controlplane.identity.actor import Actor
from controlplane.kernel.db import move
from controlplane.kernel.ids import new_id
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.services import image_sources, require_image_ready, require_volume_state

# One generation defines the guest with its volumes, the next one starts it: both above those of the last attempt.
GENERATIONS = 2


def instance_recreate(actor: Actor, instance: Instance, new: NewAttachments) -> Operation:
    """Request the creation of the instance again.

    Raises:
        RoleNeeded: `host`, and the actor is no operator.
        InstanceWrongState: the instance is not in `error`.
        FlavorTooSmall, QuotaExceeded, VolumeWrongState, Busy, InsufficientCapacity, NoPlace, PolicyUnsatisfiable,
        UnknownHost, AddressesExhausted.
    """
    actor.may_write()
    if new.host is not None:
        actor.may_operate()
    operations.require_unlocked(instance.pk)
    _check(instance, new)
    sources = _sources(instance, new)
    root_volume = new_root_volume(instance)
    new, instance.boot_volume = replace(new, root_volume=root_volume), root_volume or instance.boot_volume
    request = constrain_to_volumes(
        instance_placement_request(instance, operation="instance.create", zones=new.zones), new.volumes
    )
    request = with_ports(with_root_volume(request, root_volume), new.networks, new.ports, new.security_groups)
    placement.check_placement(replace(request, host=new.host, sources=sources))
    check_first_uses(new.volumes, zones=new.zones)
    with transaction.atomic():
        return _write(actor, instance, new, sources)


def _check(instance: Instance, new: NewAttachments) -> None:
    require_state_in(instance, ("error",))
    check_image(instance.image, instance, field="image")
    attached = [volume for volume in new.volumes if volume.pk != instance.boot_volume_id]
    check_volume_count(len(attached), instance, field="volumes")
    for volume in new.volumes:
        require_volume_state(volume, "available")
        require_image_ready(volume, field="volumes")
    check_ports(new.networks, new.ports)


def _write(actor: Actor, instance: Instance, new: NewAttachments, sources: Sequence[DataSource]) -> Operation:
    """Write the request with a new root disk id, or a new root volume: a rest of the first disk is not taken for it."""
    instance_lock(instance)
    _check(instance, new)
    lock_affinity_group(instance.affinity_group)
    for source in sources:
        lineage.add_source(DataSource.of(instance), source, kind="instance")
    generation = instance.generation + GENERATIONS
    more = {"root_volume_id": new_id(), "boot_volume_id": instance.boot_volume_id, "last_error": None}
    move(instance, INSTANCE, "building", generation=generation, **more)
    return enqueue_create(actor, instance, new)


def _sources(instance: Instance, new: NewAttachments) -> tuple[DataSource, ...]:
    copied = image_sources(instance.image) if instance.boot_volume_id is None else ()
    return (*copied, *map(DataSource.of, new.volumes))

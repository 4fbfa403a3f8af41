"""An instance that could not be made is asked for again: the same row and the same wish; place, policies, quota,
addresses and volumes as if it were new."""

from dataclasses import replace

from django.db import transaction

from controlplane.compute.actions import need_one_of
from controlplane.compute.models import INSTANCE, Instance
from controlplane.compute.services import Around, ask_for, begin, beside, check_image, instance_lock, keep_group
from controlplane.identity.actor import Actor
from controlplane.kernel.db import move
from controlplane.kernel.ids import new_id
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.effective import Source
from controlplane.storage.services import image_sources
from controlplane.storage.services import need_state as need_volume_state

# One generation defines it with its volumes, the next one starts it: both above those of the last try.
GENERATIONS = 2


def instance_create_again(actor: Actor, instance: Instance, new: Around) -> Operation:
    """
    Raises:
        RoleNeeded: `host`, and the actor is no operator.
        InstanceWrongState: it is not in `error`.
        FlavorTooSmall, QuotaExceeded, VolumeWrongState, Busy, InsufficientCapacity, NoPlace, PolicyUnsatisfiable,
        UnknownHost, AddressesExhausted.
    """
    actor.may_write()
    if new.host is not None:
        actor.may_operate()
    operations.need_free(instance.pk)
    _check(instance, new)
    ask = beside(ask_for(instance, operation="instance.create", zones=new.zones), new.volumes)
    placement.check(replace(ask, host=new.host, sources=_sources(instance, new)))
    with transaction.atomic():
        return _write(actor, instance, new)


def _check(instance: Instance, new: Around) -> None:
    need_one_of(instance, ("error",))
    check_image(instance.image, instance, field="image")
    for volume in new.volumes:
        need_volume_state(volume, "available")


def _write(actor: Actor, instance: Instance, new: Around) -> Operation:
    """With another root disk: what may be left of the first one somewhere is not taken for it."""
    instance_lock(instance)
    _check(instance, new)
    keep_group(instance.affinity_group)
    for source in _sources(instance, new):
        lineage.join(Source.of(instance), source, kind="instance")
    generation = instance.generation + GENERATIONS
    move(instance, INSTANCE, "building", generation=generation, root_volume_id=new_id(), last_error=None)
    return begin(actor, instance, new)


def _sources(instance: Instance, new: Around) -> tuple[Source, ...]:
    return (*image_sources(instance.image), *map(Source.of, new.volumes))

"""Retype requests: another volume type, with its limits. workflows/volume_retype.py carries them out."""

from copy import copy

from django.db import transaction
from django.db.models import F

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.catalog.io_limits import IO_LIMITS, io_limits
from controlplane.catalog.models import VolumeType
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import services as placement
from controlplane.storage.errors import VolumeLimitsUnsupported, VolumeTypeElsewhere, VolumeTypeNotAlike
from controlplane.storage.models import Volume
from controlplane.storage.services import require_volume_state, volume_lock, volume_placement_request

RETYPE = "volume.retype"


def volume_retype(actor: Actor, volume: Volume, *, volume_type: VolumeType) -> Operation:
    """Request another type of the same pool, also while a guest uses the volume. The present type: its present limits.

    Placement checks the volume's node first. An unbound volume may get a type of any pool, for which there is a place.

    Raises:
        VolumeTypeNotAlike: several instances can have volumes of one of the types, and not of the other.
        VolumeTypeElsewhere: the type is in another pool.
        VolumeLimitsUnsupported: the volume's node does not limit disks.
        VolumeWrongState, NoPlace, PolicyUnsatisfiable, Busy.
    """
    actor.may_write()
    require_unlocked(volume.pk)
    _check(volume, volume_type)
    if volume.is_unbound:
        placement.check_placement(volume_placement_request(_retyped(volume, volume_type), operation=RETYPE))
    else:
        placement.check_current_node(volume_placement_request(volume, operation=RETYPE))
    return _retype(actor, volume, volume_type)


def _retyped(volume: Volume, volume_type: VolumeType) -> Volume:
    """Return the volume with the type and its limits, not written."""
    limits, retyped = io_limits(volume_type, volume.size_gib), copy(volume)
    retyped.volume_type, retyped.iops_limit, retyped.mb_per_s_limit = volume_type, limits.iops, limits.mb_per_s
    return retyped


def _check(volume: Volume, volume_type: VolumeType) -> None:
    require_volume_state(volume, "available", "in-use")
    require_alike(volume, volume_type)
    if volume.is_unbound:
        return
    pool = volume.pool.name if volume.pool is not None else ""
    if pool != volume_type.pool:
        where, wanted = place_of(pool), place_of(volume_type.pool)
        raise VolumeTypeElsewhere(field="volume_type", volume_type=volume_type.pk, where=where, wanted=wanted)
    if volume.is_multi_attach:
        return  # nodes get the limits with the next attachments
    if volume.node is None or IO_LIMITS not in volume.node.traits:
        raise VolumeLimitsUnsupported()


def require_alike(volume: Volume, volume_type: VolumeType, *, is_move: bool = False) -> None:
    """Raise VolumeTypeNotAlike if one of both is for several instances, and the other is not or in another place."""
    if volume.is_multi_attach != volume_type.is_multi_attach or (volume.is_multi_attach and is_move):
        raise VolumeTypeNotAlike(field="volume_type", volume_type=volume_type.pk)


def place_of(pool: str) -> Message:
    """Return the place of a volume in the pool of this name; empty: in none."""
    return Message("in the pool {pool}", pool=pool) if pool else Message("on a node's own disk")


@transaction.atomic
def _retype(actor: Actor, volume: Volume, volume_type: VolumeType) -> Operation:
    volume_lock(volume)
    limits = io_limits(volume_type, volume.size_gib)
    args = {
        "volume_type": volume_type.pk,
        "limits": {"iops": limits.iops, "mb_per_s": limits.mb_per_s},
        "is_unbound": volume.is_unbound,
        "is_closed": volume.is_multi_attach,
    }
    operation = enqueue(
        actor, OperationRequest(RETYPE, volume.project_id, [volume.pk], args, resource_name=volume.name)
    )
    _check(volume, volume_type)
    Volume.objects.filter(pk=volume.pk).update(
        generation=F("generation") + 1, next_type=volume_type, updated_at=clock.now()
    )
    record(actor, RETYPE, volume.pk, project_id=volume.project_id, volume_type=volume_type.pk)
    return operation

"""Relocation of detached volumes on the disks of nodes to another zone. workflows/volume_relocate.py carries them out.

Members of the project request it; policies decide about the destination as at a creation. Other volumes stay in their
zone: attached ones relocate with their instance (relocation.py), those in pools stay with the pool.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.catalog.models import Zone
from controlplane.compute.errors import VolumeNotRelocatable
from controlplane.compute.models import Instance
from controlplane.compute.relocation import ZonePlan, other_zones, zone_plan
from controlplane.compute.volume_moves import (
    LIMIT,
    MB,
    RELOCATE,
    SLOWEST_MB_PER_S,
    VOLUME_TRANSFER,
    require_ended,
    require_usable,
    volume_move_request,
)
from controlplane.compute.volume_reverts import instance_with
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.kernel.units import GIB
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.services import require_no_snapshots, volume_lock
from controlplane.storage.snapshot_sources import require_not_read


def volume_relocate(actor: Actor, volume: Volume, *, zone: Zone, max_mb_per_s: int = 0, reason: str = "") -> Operation:
    """Request that the volume's data moves to a node of the zone.

    `max_mb_per_s` 0: no limit. `reason`: of the operation.

    Raises:
        VolumeWrongState, VolumeUnbound, VolumeHasSnapshots, VolumeReadForImage
        VolumeNotRelocatable: it stays in its zone, or is there already; the error says why, and what to do.
        VolumeMoveNotEnded: a node has still to erase what the last move left there.
        Busy, PolicyUnsatisfiable, InsufficientCapacity, NoPlace, UnderMaintenance.
    """
    actor.may_write()
    require_unlocked(volume.pk)
    check_relocation(volume, instance_with(volume))
    _require_other_zone(volume, zone)
    new = _new(volume, zone, max_mb_per_s)
    placement.check_placement(volume_move_request(new))
    return _write(actor, new, reason)


def check_relocation(volume: Volume, holder: Instance | None) -> None:
    """Raise the errors of volume_relocate that are the same for all zones. `holder`: the instance that has it."""
    require_usable(volume)
    for obstacle in _obstacles(volume, holder):
        raise VolumeNotRelocatable(reason=obstacle)
    require_no_snapshots(volume)
    require_not_read(volume)
    require_ended(volume.pk)


def _obstacles(volume: Volume, holder: Instance | None) -> list[Message]:
    """Return the reasons against any other zone that are known without placement."""
    node, obstacles = volume.node, []
    if holder is not None:
        obstacles.append(
            Message(
                "it is attached to the instance {instance}. Detach it first, or relocate the instance, with its "
                "volumes.",
                instance=holder.name,
            )
        )
    if volume.pool is not None:
        obstacles.append(
            Message(
                "it is in the pool {pool}, which stays in its zone. Retype it to a type of a node's own disk first; in "
                "the other zone it can be retyped again.",
                pool=volume.pool.name,
            )
        )
    if node is None:
        obstacles.append(Message("the volume has no node."))
    elif volume.pool is None and node.state == "unreachable":
        obstacles.append(Message("its node does not answer. Try again when it is back."))
    elif volume.pool is None and VOLUME_TRANSFER not in node.traits:
        obstacles.append(
            Message(
                "its node sends no volumes: its agent is too old, or has no migration address. Ask an operator, or "
                "attach the volume to a stopped instance and relocate the instance."
            )
        )
    return obstacles


def _require_other_zone(volume: Volume, zone: Zone) -> None:
    if volume.node is not None and volume.node.zone_id == zone.pk:
        raise VolumeNotRelocatable(field="zone", reason=Message("it is in the zone {zone} already.", zone=zone.pk))


def _new(volume: Volume, zone: Zone, max_mb_per_s: int) -> VolumeMove:
    """Return the relocation, not written."""
    if volume.node is None:
        raise NoAllocation()
    return VolumeMove(
        volume=volume,
        volume_type=volume.volume_type,
        source=volume.node,
        requested_zone=zone,
        max_mb_per_s=max_mb_per_s,
        total_bytes=volume.size_gib * GIB,
    )


@transaction.atomic
def _write(actor: Actor, new: VolumeMove, reason: str) -> Operation:
    """Write the relocation, and check again under the lock of the volume."""
    volume, was = new.volume, (new.source.pk, None, new.volume.size_gib)
    volume_lock(volume)
    operation = enqueue(actor, _operation_request(new, reason))
    check_relocation(volume, instance_with(volume))
    if (volume.node_id, volume.pool_id, volume.size_gib) != was:
        raise NoAllocation()
    Volume.objects.filter(pk=volume.pk).update(generation=F("generation") + 1, updated_at=clock.now())
    volume.refresh_from_db(fields=["generation"])
    new.operation_id, new.generation = operation.pk, volume.generation
    new.save(force_insert=True)
    record(actor, RELOCATE, volume.pk, project_id=volume.project_id, zone=new.requested_zone_id)
    return operation


def _operation_request(new: VolumeMove, reason: str) -> OperationRequest:
    volume = new.volume
    rate = min(new.max_mb_per_s or SLOWEST_MB_PER_S, SLOWEST_MB_PER_S) * MB
    args = {"zone": new.requested_zone_id, "max_mb_per_s": new.max_mb_per_s}
    deadline = LIMIT + timedelta(seconds=new.total_bytes // rate)
    return OperationRequest(
        RELOCATE, volume.project_id, [volume.pk], args, resource_name=volume.name, deadline=deadline, reason=reason
    )


@dataclass(frozen=True)
class VolumeRelocationPlan:
    """Describes what a relocation would do. `copied_gib`: sent to the other zone, and then erased in this one."""

    volume: Volume
    zone: str | None
    copied_gib: int
    zones: Sequence[ZonePlan]


def volume_relocation_plan(volume: Volume) -> VolumeRelocationPlan:
    """Return the plan: the other zones, and why some do not admit the volume. Nothing is written."""
    here = None if volume.node is None else volume.node.zone_id
    problem = relocation_problem(volume)
    return VolumeRelocationPlan(
        volume=volume,
        zone=here,
        copied_gib=volume.size_gib,
        zones=[
            ZonePlan(zone, (problem,))
            if problem is not None
            else zone_plan(zone, volume_move_request(_new(volume, zone, 0)))
            for zone in other_zones(here)
        ],
    )


def relocation_problem(volume: Volume) -> dict[str, object] | None:
    """Return the error that a relocation to any zone would give now, as a document."""
    try:
        require_unlocked(volume.pk)
        check_relocation(volume, instance_with(volume))
    except CloudError as exc:
        return exc.as_document()
    return None

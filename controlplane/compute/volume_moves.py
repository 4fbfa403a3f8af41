"""Moves of volumes to a type of another place. workflows/volume_move.py carries them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from controlplane.audit.services import record
from controlplane.catalog.io_limits import io_limits
from controlplane.catalog.models import VolumeType
from controlplane.compute.errors import VolumeMoveUnderGuest
from controlplane.compute.models import Instance
from controlplane.compute.volume_reverts import instance_with
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import rolled_back
from controlplane.kernel.units import GIB
from controlplane.nodes.models import NodeRemoval, Pool
from controlplane.nodes.pools import has_pool_moves
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.errors import NoAllocation
from controlplane.placement.selectors import PoolRequirement
from controlplane.storage.errors import PoolMovesUnsupported, VolumeMoveNotEnded, VolumeTypeElsewhere
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.retype import place_of, require_alike, volume_retype
from controlplane.storage.services import require_bound, require_no_snapshots, require_volume_state, volume_lock
from controlplane.storage.snapshot_sources import require_not_read

MOVE, RELOCATE, SEND = "volume.move", "volume.relocate", "volume.relocate-out"
VOLUME_MIRROR = "volume-mirror"  # the trait of nodes whose agents do so while a guest has the volume open
VOLUME_COPY = "volume-copy"  # the trait of nodes whose agents copy volumes, and the kind of what they have to end
CLUSTER_COPY = "cluster-copy"  # the trait of nodes whose agents do so from one pool of a storage cluster to another
VOLUME_TRANSFER = "volume-transfer"  # the trait of nodes that exchange volumes of their own disks
OTHER_NODE = "@node"  # in place of a pool: the other node of a copy between two nodes
LIMIT, SLOWEST_MB_PER_S = timedelta(minutes=30), 20  # of a move: that time, and the copy at that rate
MB = 10**6


@dataclass(frozen=True)
class RetypePlan:
    """The effect of another type: in another place the data is copied, then erased at its source.

    Id, name, attachment and snapshot schedules of the volume stay. `instance` has the volume, and runs on meanwhile if
    the move is online.
    """

    volume: Volume
    volume_type: VolumeType
    max_mb_per_s: int
    instance: Instance | None

    @property
    def pool(self) -> str:
        return self.volume.pool.name if self.volume.pool is not None else ""

    @property
    def copied_gib(self) -> int:
        """Return the data that is copied; 0: the volume stays in its place."""
        return self.volume.size_gib if is_move(self.volume, self.volume_type) else 0

    @property
    def is_online(self) -> bool:
        """Tell if the data is copied while the instance runs."""
        return bool(self.copied_gib) and runs(self.instance)


def is_move(volume: Volume, volume_type: VolumeType) -> bool:
    """Tell if volumes of the type are in another place than the volume, which is in one."""
    return not volume.is_unbound and volume_type.pool != (volume.pool.name if volume.pool is not None else "")


def volume_retype_plan(actor: Actor, volume: Volume, *, volume_type: VolumeType, max_mb_per_s: int) -> RetypePlan:
    """Return what the change of the type would do. Nothing is kept. Raises as volume_move and volume_retype."""
    plan = RetypePlan(volume, volume_type, max_mb_per_s, instance_with(volume))
    with rolled_back():
        if is_move(volume, volume_type):
            volume_move(actor, volume, volume_type=volume_type, max_mb_per_s=max_mb_per_s)
        else:
            volume_retype(actor, volume, volume_type=volume_type)
    return plan


def volume_move(actor: Actor, volume: Volume, *, volume_type: VolumeType, max_mb_per_s: int = 0) -> Operation:
    """Request that the volume's data moves to the place of the type, whose limits the volume gets. 0: no limit.

    A node that reaches both places copies the data: that of a local disk, or of the instance that has the volume.

    Raises:
        VolumeWrongState, VolumeHasSnapshots, VolumeReadForImage
        VolumeMoveUnderGuest: the volume is attached to an instance that is neither off, nor runs where disks of running
            guests can be moved; or it runs, and both places are in storage clusters.
        VolumeTypeNotAlike: several instances can have the volume, or volumes of the type.
        VolumeTypeElsewhere: one of the places is a folder.
        PoolMovesUnsupported: both are in storage clusters, and the agent of one of them is too old.
        VolumeMoveNotEnded: a node has still to erase what the last move left there.
        InsufficientCapacity, NoPlace, PolicyUnsatisfiable, Busy.
    """
    actor.may_write()
    require_unlocked(volume.pk)
    check_move(volume, volume_type)
    new = _new(volume, volume_type, max_mb_per_s)
    placement.check_placement(volume_move_request(new))
    return _move(actor, new)


def volume_move_request(volume_move: VolumeMove) -> PlacementRequest:
    """Return the placement request for the volume at its destination, on a node that reaches both places.

    That of a relocation is on any node of the requested zone that receives volumes.
    """
    if volume_move.requested_zone_id is not None:
        return _relocation_request(volume_move, volume_move.requested_zone_id)
    volume, there = volume_move.volume, volume_move.volume_type.pool
    holder = instance_with(volume)
    zone = volume_move.source.zone_id
    pools = [PoolRequirement(there, volume.size_gib, zone)] if there else []
    if volume_move.source_pool is not None:
        pools.append(PoolRequirement(volume_move.source_pool.name, 0, zone))
    return PlacementRequest(
        operation=MOVE,
        project=volume.project,
        consumer_id=volume.pk,
        kind="volume",
        disk_gib=0 if there else volume.size_gib,
        zones=(zone,),
        near=(volume.pk,) if volume_move.source_pool is None or holder is not None else (),
        pools=tuple(pools),
        traits=io_limits(volume_move.volume_type, volume.size_gib).traits | _traits(volume_move),
        move=volume_move.pk,
        sources=(DataSource.of(holder),) if holder is not None else (),
    )


def _relocation_request(volume_move: VolumeMove, zone: str) -> PlacementRequest:
    volume = volume_move.volume
    return PlacementRequest(
        operation=RELOCATE,
        project=volume.project,
        consumer_id=volume.pk,
        kind="volume",
        disk_gib=volume.size_gib,
        zones=(zone,),
        excluded=(volume_move.source_id,),
        traits=volume.limits.traits | {VOLUME_TRANSFER},
        move=volume_move.pk,
    )


def _traits(volume_move: VolumeMove) -> frozenset[str]:
    if volume_move.source_pool is not None and volume_move.volume_type.pool:
        return frozenset({CLUSTER_COPY})
    return frozenset({VOLUME_MIRROR if volume_move.is_online else VOLUME_COPY})


def check_move(volume: Volume, volume_type: VolumeType) -> None:
    """Raise the errors of volume_move that follow from the state of the volume and the place of the type."""
    require_usable(volume)
    require_alike(volume, volume_type, is_move=True)
    require_no_snapshots(volume)
    require_not_read(volume)
    holder = instance_with(volume)
    require_movable(holder)
    require_ended(volume.pk)
    there = _pool_there(volume, volume_type)
    pools = [pool for pool in (volume.pool, there) if pool is not None]
    if not all(pool.is_of_cluster for pool in pools):
        # Only a storage cluster fences a node that was away: it could write over a file in a folder, or erase it, late.
        where, wanted = place_of(volume.pool.name if volume.pool is not None else ""), place_of(volume_type.pool)
        raise VolumeTypeElsewhere(field="volume_type", volume_type=volume_type.pk, where=where, wanted=wanted)
    if volume.pool is not None and there is not None:
        _require_pool_moves(pools, holder)


def _pool_there(volume: Volume, volume_type: VolumeType) -> Pool | None:
    """Return the pool of the type in the zone of the volume.

    None: there is none, which placement refuses, or the type is on the disks of nodes.
    """
    if not volume_type.pool or volume.node is None:
        return None
    pools = Pool.objects.select_related("cluster")
    return pools.filter(name=volume_type.pool, zone=volume.node.zone_id).first()


def _require_pool_moves(pools: Sequence[Pool], holder: Instance | None) -> None:
    """Require what a move from one pool of a storage cluster to another needs. `holder`: has the volume.

    Raises:
        PoolMovesUnsupported: the storage agent would confuse the keys of the two places.
        VolumeMoveUnderGuest: the holder runs.
    """
    for pool in pools:
        if not has_pool_moves(pool):
            raise PoolMovesUnsupported(pool=pool.name)
    if holder is not None and holder.state != "stopped":
        raise VolumeMoveUnderGuest(instance=holder.name, state=holder.state)


def require_ended(volume_id: UUID) -> None:
    """Raise VolumeMoveNotEnded while a node has still to end a copy of the volume, and to erase one of two places."""
    if NodeRemoval.objects.filter(kind=VOLUME_COPY, resource_id=volume_id).exists():
        raise VolumeMoveNotEnded()


def require_usable(volume: Volume) -> None:
    """Raise VolumeWrongState or VolumeUnbound unless the volume has data that may move."""
    require_volume_state(volume, "available", "in-use")
    require_bound(volume)


def require_movable(instance: Instance | None) -> None:
    """Raise VolumeMoveUnderGuest unless this instance, which has the volume, is off, or lets it be moved online."""
    if instance is not None and instance.state != "stopped" and not runs(instance):
        raise VolumeMoveUnderGuest(instance=instance.name, state=instance.state)


def runs(instance: Instance | None) -> bool:
    """Tell if the instance, which has a volume, runs on a node that moves disks of running guests."""
    if instance is None or instance.state != "active" or instance.node is None:
        return False
    return VOLUME_MIRROR in instance.node.traits


def _new(volume: Volume, volume_type: VolumeType, max_mb_per_s: int) -> VolumeMove:
    """Return the move, not written."""
    if volume.node is None:
        raise NoAllocation()
    return VolumeMove(
        volume=volume,
        volume_type=volume_type,
        source=volume.node,
        source_pool=volume.pool,
        max_mb_per_s=max_mb_per_s,
        is_online=runs(instance_with(volume)),
        total_bytes=volume.size_gib * GIB,
    )


@transaction.atomic
def _move(actor: Actor, new: VolumeMove) -> Operation:
    volume, was = new.volume, (new.source.pk, new.source_pool_id, new.volume.size_gib)
    volume_lock(volume)
    new.is_online = runs(instance_with(volume))
    operation = enqueue(actor, _operation_request(new))
    check_move(volume, new.volume_type)
    _require_same_power(new)
    if (volume.node_id, volume.pool_id, volume.size_gib) != was:
        raise NoAllocation()
    Volume.objects.filter(pk=volume.pk).update(
        generation=F("generation") + 1, next_type=new.volume_type, updated_at=clock.now()
    )
    volume.refresh_from_db(fields=["generation"])
    new.operation_id, new.generation = operation.pk, volume.generation
    new.save(force_insert=True)
    record(actor, MOVE, volume.pk, project_id=volume.project_id, volume_type=new.volume_type.pk)
    return operation


def _require_same_power(new: VolumeMove) -> None:
    """Raise VolumeMoveUnderGuest if the instance was stopped or started before the operation locked it."""
    holder = instance_with(new.volume)
    if holder is not None and runs(holder) != new.is_online:
        raise VolumeMoveUnderGuest(instance=holder.name, state=holder.state)


def _operation_request(new: VolumeMove) -> OperationRequest:
    """Return the request. It locks the instance that has the volume too, which nothing else is done with meanwhile."""
    volume, limits = new.volume, io_limits(new.volume_type, new.volume.size_gib)
    holder = instance_with(volume)
    locked = [volume.pk, *([holder.pk] if holder is not None else ())]
    rate = min(new.max_mb_per_s or SLOWEST_MB_PER_S, SLOWEST_MB_PER_S) * MB
    args = {
        "volume_type": new.volume_type.pk,
        "max_mb_per_s": new.max_mb_per_s,
        "limits": {"iops": limits.iops, "mb_per_s": limits.mb_per_s},
        "is_online": new.is_online,
    }
    deadline = LIMIT + timedelta(seconds=new.total_bytes // rate)
    return OperationRequest(MOVE, volume.project_id, locked, args, resource_name=volume.name, deadline=deadline)


def move_of(operation: Operation) -> VolumeMove:
    """Return the move that the operation carries out."""
    rows = VolumeMove.objects.select_related(
        "volume__project__organization",
        "volume__node",
        "volume__image",
        "volume__pool__cluster",
        "volume_type",
        "source",
        "source_pool__cluster",
        "destination",
        "destination_pool__cluster",
    )
    return rows.get(operation_id=operation.pk)

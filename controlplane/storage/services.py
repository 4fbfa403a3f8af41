"""Volume requests. workflows/volume_*.py carry them out."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db import transaction
from django.db.models import F

from andromede_core.documents.messages import Message, either
from andromede_core.policy.clauses import Policy
from controlplane.audit.services import audit_entry, record
from controlplane.catalog.errors import ImageNotReady, ImageSizeMismatch
from controlplane.catalog.io_limits import io_limits
from controlplane.catalog.models import FIRST_USE, Image, VolumeType
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.db import edit, move, raise_on_violation, rolled_back
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import check_labels, check_name
from controlplane.nodes.models import Pool
from controlplane.nodes.pools import HAS_MULTI_ATTACH, MULTI_ATTACH
from controlplane.operations.models import Operation
from controlplane.operations.selectors import live_of
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import exemptions, lineage
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest, PlacementResult
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.errors import ExemptionSpent
from controlplane.placement.lineage import NewData
from controlplane.placement.models import Exemption
from controlplane.placement.selectors import PoolRequirement
from controlplane.quotas import services as quotas
from controlplane.storage.errors import (
    MultiAttachUnsupported,
    VolumeCannotShrink,
    VolumeFromTwo,
    VolumeHasSnapshots,
    VolumeInUse,
    VolumeNameTaken,
    VolumeShared,
    VolumeUnbound,
    VolumeWrongState,
)
from controlplane.storage.models import VOLUME, Snapshot, Volume
from controlplane.storage.snapshot_sources import (
    check_new_volume,
    listed,
    require_not_read,
    require_snapshot_available,
    snapshot_lock,
)

CREATE, GROW = "volume.create", "volume.grow"


@dataclass(frozen=True)
class NewVolume:
    """A volume to create.

    `near`: the id of an instance on whose node the volume must be, to be attached there. `zones` empty: any. `host`:
    the only node allowed, for operators. `snapshot`: the volume begins with its content, in place of an image's, and is
    in its storage cluster. `classifications` (ids) and `policy`, clauses of its own, hold for its data as
    long as it exists. `exemption`: admits it although a policy refuses it.

    A volume of a type that binds at first use has no place before, unless one of `snapshot`, `zones`, `near`, `host`
    and `exemption` demands one at once.
    """

    name: str
    size_gib: int
    volume_type: VolumeType
    image: Image | None = None
    snapshot: Snapshot | None = None
    zones: tuple[str, ...] = ()
    near: UUID | None = None
    host: str | None = None
    classifications: tuple[str, ...] = ()
    policy: Policy | None = None
    exemption: Exemption | None = None
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_unbound(self) -> bool:
        needs_place = self.snapshot or self.zones or self.near or self.host or self.exemption
        return self.volume_type.binding == FIRST_USE and not needs_place


def volume_placement_request(
    volume: Volume, *, operation: str, zones: tuple[str, ...] = (), near: tuple[UUID, ...] = ()
) -> PlacementRequest:
    """Return the placement request for a volume."""
    pools = pool_requirements(volume, gib=volume.size_gib)
    return PlacementRequest(
        operation=operation,
        project=volume.project,
        consumer_id=volume.pk,
        kind="volume",
        disk_gib=0 if pools else volume.size_gib,
        zones=zones,
        near=near,
        pools=pools,
        traits=volume.limits.traits | ({MULTI_ATTACH} if volume.is_multi_attach else set()),
    )


def pool_requirements(volume: Volume, *, gib: int = 0) -> tuple[PoolRequirement, ...]:
    """Return the pool that a node needs to open the volume: its present or future one. `gib`: the space to take."""
    if volume.pool is not None:
        return (PoolRequirement(volume.pool.name, gib, volume.pool.zone_id),)
    if volume.node_id is not None or not volume.volume_type.pool:
        return ()
    zone = volume.snapshot.pool.zone_id if volume.snapshot is not None else None
    return (PoolRequirement(volume.volume_type.pool, gib, zone),)


def resized(request: PlacementRequest, disk_gib: int) -> PlacementRequest:
    """Return the placement request for a disk of another size."""
    if request.share is None:
        return replace(request, disk_gib=disk_gib)
    return replace(
        request,
        pools=tuple(
            replace(requirement, gib=disk_gib) if requirement.gib else requirement for requirement in request.pools
        ),
    )


def volume_growth_request(volume: Volume, size_gib: int, *, operation: str) -> PlacementRequest:
    """Return the placement request for the volume with this size and the limits that its type gives it then."""
    request = volume_placement_request(volume, operation=operation)
    limited = replace(request, traits=request.traits | io_limits(volume.volume_type, size_gib).traits)
    return resized(limited, size_gib)


def image_sources(image: Image | None) -> tuple[DataSource, ...]:
    """Return the data sources of a copy of the image. A public image has none."""
    return (DataSource(image.pk, image.project),) if image is not None and image.project is not None else ()


def volume_create(actor: Actor, project: Project, new: NewVolume) -> tuple[Volume, Operation]:
    """Request a volume, empty or a copy of an image or of a snapshot, whose policies it then has too.

    Raises:
        RoleNeeded: `host`, and the actor is no operator.
        VolumeFromTwo, SnapshotWrongState, SnapshotTooLarge, SnapshotElsewhere, MultiAttachUnsupported
        ImageSizeMismatch, VolumeNameTaken, QuotaExceeded, InsufficientCapacity, NoPlace,
        PolicyUnsatisfiable, UnknownHost, ExemptionForOther, ExemptionOver, ExemptionUnsigned, ExemptionSpent.
    """
    volume, request = _plan(actor, project, new)
    placement.check_placement(request)
    with transaction.atomic():
        return volume, _write(actor, volume, new)


def volume_dry_run(actor: Actor, project: Project, new: NewVolume, *, is_preview: bool = False) -> PlacementResult:
    """Decide the placement, and check the rest; nothing is kept.

    The preview checks that the name is free and locks nothing: quotas are not checked. Raises as volume_create, except
    refusals of placement.
    """
    volume, request = _plan(actor, project, new)
    taken = placement.preview(request)
    if taken.decision.is_admitted and is_preview:
        if Volume.objects.filter(project=project, name=volume.name).exclude(state="deleted").exists():
            raise VolumeNameTaken(field="name", name=volume.name)
    elif taken.decision.is_admitted:
        with rolled_back():
            _write(actor, volume, new)
    return taken


def _plan(actor: Actor, project: Project, new: NewVolume) -> tuple[Volume, PlacementRequest]:
    """Return the volume, not written, and its placement request."""
    actor.may_write()
    if new.host is not None:
        actor.may_operate()
    check_name(new.name)
    if new.image is not None and new.size_gib < new.image.min_disk_gib:
        raise ImageSizeMismatch(field="size_gib", needed_gib=new.image.min_disk_gib, given_gib=new.size_gib)
    if new.snapshot is not None:
        if new.image is not None:
            raise VolumeFromTwo(field="snapshot")
        check_new_volume(new.snapshot, project, new.volume_type, new.size_gib)
    _require_multi_attach(new.volume_type)
    limits = io_limits(new.volume_type, new.size_gib)
    volume = Volume(
        id=_id_for(new),
        project=project,
        name=new.name,
        labels=check_labels(new.labels),
        size_gib=new.size_gib,
        volume_type=new.volume_type,
        image=new.image,
        snapshot=new.snapshot,
        iops_limit=limits.iops,
        mb_per_s_limit=limits.mb_per_s,
        is_multi_attach=new.volume_type.is_multi_attach,
        is_unbound=new.is_unbound,
    )
    request = volume_placement_request(volume, zones=new.zones, near=_near(new), operation=CREATE)
    return volume, replace(
        request,
        host=new.host,
        classifications=new.classifications,
        own=(new.policy,) if new.policy else (),
        sources=_sources(volume),
    )


def _require_multi_attach(volume_type: VolumeType) -> None:
    """Raise MultiAttachUnsupported if no pool of the type has such volumes as the type demands."""
    if volume_type.is_multi_attach and not Pool.objects.filter(HAS_MULTI_ATTACH, name=volume_type.pool).exists():
        raise MultiAttachUnsupported(field="volume_type", pool=volume_type.pool)


def _id_for(new: NewVolume) -> UUID:
    """Return a new id, or the one that was refused and then exempted."""
    if new.exemption is None:
        return new_id()
    volume_id = exemptions.id_for(new.exemption, op=CREATE)
    if Volume.objects.filter(pk=volume_id).exists():
        raise _spent(volume_id, new.exemption)
    return volume_id


def _spent(volume_id: UUID, exemption: Exemption) -> ExemptionSpent:
    return ExemptionSpent(field="exemption", name=str(exemption.pk), resource=str(volume_id))


def _near(new: NewVolume) -> tuple[UUID, ...]:
    return (new.near,) if new.near else ()


def _write(actor: Actor, volume: Volume, new: NewVolume) -> Operation:
    _keep_snapshot(volume)
    once: AbstractContextManager[None] = nullcontext()
    if new.exemption is not None:
        once = raise_on_violation("storage_volume_pkey", _spent(volume.pk, new.exemption))
    data = NewData(volume.pk, "volume", volume.project, new.classifications, new.policy, actor.user_id)
    with once, raise_on_violation("storage_volume_name_taken", VolumeNameTaken(field="name", name=volume.name)):
        lineage.record_data(data, _sources(volume), extra_rows=[volume])
    return _begin(actor, volume, zones=new.zones, near=_near(new), host=new.host)


def _sources(volume: Volume) -> tuple[DataSource, ...]:
    """Return the data sources of a new volume's content."""
    snapshot = (DataSource.of(volume.snapshot),) if volume.snapshot is not None else ()
    return image_sources(volume.image) + snapshot


def _keep_snapshot(volume: Volume) -> None:
    """Lock the snapshot that the volume is made from, so that it is not deleted before the volume is requested."""
    if volume.snapshot is not None:
        snapshot_lock(volume.snapshot)
        require_snapshot_available(volume.snapshot)


def _begin(
    actor: Actor, volume: Volume, *, zones: tuple[str, ...], near: tuple[UUID, ...], host: str | None
) -> Operation:
    args: Mapping[str, object] = {
        "zones": list(zones),
        "near": [str(consumer) for consumer in near],
        "host": host,
        "is_unbound": volume.is_unbound,
    }
    quotas.claim(volume.project_id, volume.pk, volumes=1, storage_gib=volume.size_gib)
    record(
        actor,
        CREATE,
        volume.pk,
        project_id=volume.project_id,
        name=volume.name,
        size_gib=volume.size_gib,
    )
    return enqueue(actor, OperationRequest(CREATE, volume.project_id, [volume.pk], args, resource_name=volume.name))


def volume_recreate(
    actor: Actor, volume: Volume, *, zones: tuple[str, ...], near: tuple[UUID, ...], host: str | None
) -> Operation:
    """Recreate a volume in `error`: the same row and spec; placement, policies and quota as for a new one.

    Raises:
        RoleNeeded: `host`, and the actor is no operator.
        VolumeWrongState: the volume is not in `error`.
        SnapshotWrongState: the snapshot that it is made from is being deleted, or deleted.
        QuotaExceeded, InsufficientCapacity, NoPlace, PolicyUnsatisfiable, UnknownHost, Busy.
    """
    actor.may_write()
    if host is not None:
        actor.may_operate()
    require_unlocked(volume.pk)
    require_volume_state(volume, "error")
    if volume.snapshot is not None:
        require_snapshot_available(volume.snapshot)
    sources = _sources(volume)
    request = volume_placement_request(volume, zones=zones, near=near, operation=CREATE)
    placement.check_placement(replace(request, host=host, sources=sources))
    with transaction.atomic():
        volume_lock(volume)
        require_volume_state(volume, "error")
        _keep_snapshot(volume)
        for source in sources:
            lineage.add_source(DataSource.of(volume), source, kind="volume")
        move(volume, VOLUME, "building", generation=volume.generation + 1, last_error=None)
        return _begin(actor, volume, zones=zones, near=near, host=host)


@transaction.atomic
def volume_update(actor: Actor, volume: Volume, *, name: str, labels: dict[str, str]) -> Volume:
    actor.may_write()
    with raise_on_violation("storage_volume_name_taken", VolumeNameTaken(field="name", name=name)):
        edit(volume, name=name, labels=labels)
    record(actor, "volume.update", volume.pk, project_id=volume.project_id, name=name)
    return volume


def volume_grow(actor: Actor, volume: Volume, *, size_gib: int) -> Operation:
    """Request a larger size, also while a guest uses the volume; the guest sees it at once.

    Placement checks the volume's node first; of an unbound volume, that there is a place for it.

    Raises:
        VolumeCannotShrink: `size_gib` is not above the present size.
        VolumeWrongState, QuotaExceeded, InsufficientCapacity, NoPlace, Busy.
    """
    actor.may_write()
    require_unlocked(volume.pk)
    _check_grow(volume, size_gib)
    check = placement.check_placement if volume.is_unbound else placement.check_growth
    check(volume_growth_request(volume, size_gib, operation=GROW))
    return _grow(actor, volume, size_gib)


def _check_grow(volume: Volume, size_gib: int) -> None:
    require_volume_state(volume, "available", "in-use")
    if size_gib <= volume.size_gib:
        raise VolumeCannotShrink(field="size_gib", size_gib=volume.size_gib, asked_gib=size_gib)


@transaction.atomic
def _grow(actor: Actor, volume: Volume, size_gib: int) -> Operation:
    volume_lock(volume)
    limits = io_limits(volume.volume_type, size_gib)
    args = {
        "size_gib": size_gib,
        "was_gib": volume.size_gib,
        "limits": {"iops": limits.iops, "mb_per_s": limits.mb_per_s},
        "is_unbound": volume.is_unbound,
    }
    operation_request = OperationRequest(GROW, volume.project_id, [volume.pk], args, resource_name=volume.name)
    operation = enqueue(actor, operation_request)
    _check_grow(volume, size_gib)
    Volume.objects.filter(pk=volume.pk).update(generation=F("generation") + 1, updated_at=clock.now())
    quotas.claim(volume.project_id, volume.pk, storage_gib=size_gib)
    record(actor, GROW, volume.pk, project_id=volume.project_id, size_gib=size_gib)
    return operation


@transaction.atomic
def volume_delete(actor: Actor, volume: Volume, *, attached_to: UUID | None) -> Operation:
    """Request the deletion of the volume in any state. Other operations on it are cancelled.

    A repeated request returns the deletion that is under way. `attached_to` is the instance that has it, or is getting
    it (compute knows).

    Raises:
        VolumeInUse
        VolumeHasSnapshots: also one that is being taken or deleted.
        VolumeReadForImage: an image is being made of it.
        VolumeWrongState: an instance has just got the volume.
    """
    actor.may_write()
    if volume.is_deleting and (under_way := live_of("volume.delete", volume.pk)) is not None:
        return under_way
    if attached_to is not None:
        raise VolumeInUse(instance=str(attached_to))
    volume_lock(volume)
    if volume.state == "in-use":
        raise VolumeWrongState(state=volume.state, wanted=Message("not attached"))
    require_no_snapshots(volume)
    require_not_read(volume)
    Volume.objects.filter(pk=volume.pk).update(is_deleting=True, updated_at=clock.now())
    operation_request = OperationRequest(
        "volume.delete",
        volume.project_id,
        [volume.pk],
        resource_name=volume.name,
        is_cancellable=False,
        preempts=True,
    )
    return enqueue(
        actor,
        operation_request,
        extra_rows=audit_entry(actor, "volume.delete", volume.pk, project_id=volume.project_id),
    )


def require_no_snapshots(volume: Volume) -> None:
    """Raise VolumeHasSnapshots while the volume has snapshots, which are stored with its data."""
    if names := snapshot_names(volume):
        raise VolumeHasSnapshots(count=len(names), names=listed(names))


def snapshot_names(volume: Volume) -> list[str]:
    """Return the names of the volume's snapshots, also of those that are being taken or deleted."""
    return list(volume.snapshots.exclude(state="deleted").order_by("name").values_list("name", flat=True))


def volume_mark_attached(volume: Volume) -> None:
    """Mark the volume as attached, which another instance may have it already. Inside the caller's transaction.

    Raises:
        VolumeWrongState: a deletion of the volume was accepted meanwhile.
    """
    volume_lock(volume)
    require_attachable(volume)
    if volume.state == "available":
        move(volume, VOLUME, "in-use", last_error=None, is_unbound=False)


def volume_lock(volume: Volume) -> None:
    """Read the volume again and lock its row until the caller's transaction ends."""
    volume.refresh_from_db(
        fields=["name", "state", "is_deleting", "size_gib", "node", "pool", "volume_type", "is_unbound"],
        from_queryset=Volume.objects.select_for_update(no_key=True),
    )


def require_volume_state(volume: Volume, *states: str) -> None:
    """Check the state of the volume before a change.

    Raises:
        VolumeWrongState: it is in none of the states, or being deleted.
        VolumeShared: it is attached, and several instances may write to it.
    """
    if volume.is_deleting or volume.state not in states:
        state = Message("being deleted") if volume.is_deleting else volume.state
        raise VolumeWrongState(state=state, wanted=either(*states))
    if volume.is_multi_attach and volume.state == "in-use":
        raise VolumeShared(volume=volume.name)


def require_attachable(volume: Volume) -> None:
    """Raise VolumeWrongState unless one more instance can get the volume attached."""
    is_shared = volume.is_multi_attach and volume.state == "in-use" and not volume.is_deleting
    if not is_shared:
        require_volume_state(volume, "available")


def require_bound(volume: Volume, *, field: str | None = None) -> None:
    """Raise VolumeUnbound if the volume has no place and no data yet."""
    if volume.is_unbound:
        raise VolumeUnbound(field=field, volume=volume.name)


def require_image_ready(volume: Volume, *, field: str) -> None:
    """Raise ImageNotReady if the image that an unbound volume is to be a copy of was deleted meanwhile."""
    if volume.is_unbound and volume.image is not None and volume.image.state != "available":
        raise ImageNotReady(field=field, name=volume.image.name, state=volume.image.state)


def volume_set_place(volume_id: UUID, node_id: UUID | None, pool_id: UUID | None) -> None:
    """Write where a volume that is being made has its allocation; None: it has none any more."""
    Volume.objects.filter(pk=volume_id).update(node_id=node_id, pool_id=pool_id)

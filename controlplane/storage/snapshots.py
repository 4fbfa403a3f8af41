"""Snapshot requests. workflows/snapshot_*.py carry them out; reverts to a snapshot: compute/volume_reverts.py."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from controlplane.audit.services import audit_entry, record
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import edit, raise_on_violation
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import check_labels, check_name
from controlplane.nodes.pools import has_snapshots
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.selectors import live_of
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.lineage import NewData
from controlplane.quotas import services as quotas
from controlplane.storage.errors import (
    ExpiryPast,
    SnapshotInUse,
    SnapshotNameTaken,
    SnapshotPoolFull,
    SnapshotsUnsupported,
)
from controlplane.storage.models import CRASH, Snapshot, SnapshotSchedule, Volume
from controlplane.storage.retype import place_of
from controlplane.storage.services import require_bound, require_volume_state, volume_lock, volume_placement_request
from controlplane.storage.snapshot_sources import (
    images_being_made,
    listed,
    pools_with_snapshots,
    snapshot_lock,
    type_names,
)

CREATE, DELETE, REVERT = "snapshot.create", "snapshot.delete", "volume.revert"


@dataclass(frozen=True)
class NewSnapshot:
    """A snapshot to take. `expires_at`: when it is deleted; None: never. The others: see Snapshot."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    schedule: SnapshotSchedule | None = None
    planned_at: datetime | None = None
    consistency: str = CRASH
    group: UUID | None = None
    instance_id: UUID | None = None


def snapshot_create(actor: Actor, volume: Volume, new: NewSnapshot) -> tuple[Snapshot, Operation]:
    """Request a snapshot of the volume, also while a guest writes to it. It has the volume's policies from then on.

    Placement checks the volume's node first. The guest of the instance that `new` names, if any, is the caller's to
    check (compute/instance_snapshots.py).

    Raises:
        InvalidName, InvalidLabels, ExpiryPast, SnapshotNameTaken, SnapshotsUnsupported, SnapshotPoolFull,
        VolumeWrongState, QuotaExceeded, NoPlace, PolicyUnsatisfiable, Busy.
    """
    actor.may_write()
    check_new(new)
    require_unlocked(volume.pk)
    require_volume_state(volume, "available", "in-use")
    require_new_snapshots(volume)
    placement.check_current_node(volume_placement_request(volume, operation=CREATE))
    with transaction.atomic():
        return _create(actor, volume, new)


def check_new(new: NewSnapshot) -> None:
    """Raise InvalidName, InvalidLabels or ExpiryPast unless the fields are valid."""
    check_name(new.name)
    check_labels(new.labels)
    check_expiry(new.expires_at)


def require_snapshots(volume: Volume) -> None:
    """Raise SnapshotsUnsupported unless snapshots can be taken in the volume's pool; VolumeUnbound: it has no place."""
    require_bound(volume, field="volume")
    if not has_snapshots(volume.pool):
        where = place_of(volume.pool.name if volume.pool is not None else "")
        types = type_names(volume.project, pools_with_snapshots())
        raise SnapshotsUnsupported(field="volume", where=where, types=types)


def require_new_snapshots(volume: Volume) -> None:
    """Raise VolumeUnbound, SnapshotsUnsupported or SnapshotPoolFull unless the volume's pool takes new snapshots."""
    require_snapshots(volume)
    if volume.pool is not None and volume.pool.is_nearly_full:
        raise SnapshotPoolFull(field="volume", pool=volume.pool.name)


def check_expiry(expires_at: datetime | None) -> None:
    """Raise ExpiryPast unless the moment is in the future."""
    if expires_at is not None and expires_at <= clock.now():
        raise ExpiryPast(field="expires_at", expires_at=expires_at.isoformat())


def _create(actor: Actor, volume: Volume, new: NewSnapshot) -> tuple[Snapshot, Operation]:
    snapshot = write_snapshot(actor, volume, new)
    guests = [] if new.instance_id is None else [new.instance_id]  # it neither starts nor stops nor moves meanwhile
    resources = [snapshot.pk, volume.pk, *guests]
    operation = enqueue(actor, OperationRequest(CREATE, volume.project_id, resources, resource_name=snapshot.name))
    claim_snapshot(actor, snapshot)
    return snapshot, operation


def write_snapshot(actor: Actor, volume: Volume, new: NewSnapshot) -> Snapshot:
    """Lock the volume and write the snapshot, with the policies of the volume, inside the caller's transaction.

    The caller locks both for an operation next, then claims the quota.

    Raises:
        VolumeWrongState, SnapshotNameTaken.
    """
    volume_lock(volume)
    require_volume_state(volume, "available", "in-use")
    snapshot = Snapshot(
        id=new_id(),
        project=volume.project,
        name=new.name,
        labels=new.labels,
        volume=volume,
        pool=volume.pool,
        size_gib=volume.size_gib,
        expires_at=new.expires_at,
        created_by=actor.user_id,
        schedule=new.schedule,
        planned_at=new.planned_at,
        consistency=new.consistency,
        group=new.group,
        instance_id=new.instance_id,
    )
    data = NewData(snapshot.pk, "snapshot", volume.project)
    with raise_on_violation("storage_snapshot_name_taken", SnapshotNameTaken(field="name", name=new.name)):
        lineage.record_data(data, [DataSource.of(volume)], extra_rows=[snapshot])
    return snapshot


def claim_snapshot(actor: Actor, snapshot: Snapshot) -> None:
    """Claim the quota of a new snapshot and record its request. Raises QuotaExceeded."""
    quotas.claim(snapshot.project_id, snapshot.pk, snapshots=1, snapshot_gib=snapshot.size_gib)
    facts = {
        "name": snapshot.name,
        "volume": str(snapshot.volume_id),
        "size_gib": snapshot.size_gib,
        "consistency": snapshot.consistency,
        "group": None if snapshot.group is None else str(snapshot.group),
    }
    record(actor, CREATE, snapshot.pk, project_id=snapshot.project_id, **facts)


@transaction.atomic
def snapshot_update(
    actor: Actor, snapshot: Snapshot, *, name: str, labels: dict[str, str], expires_at: datetime | None
) -> Snapshot:
    """Change name, labels and the time of deletion.

    Raises:
        InvalidName, InvalidLabels, SnapshotNameTaken, ExpiryPast.
    """
    actor.may_write()
    snapshot_lock(snapshot)
    is_moved = expires_at != snapshot.expires_at
    if is_moved:
        check_expiry(expires_at)
    generation = snapshot.generation + (1 if is_moved else 0)
    with raise_on_violation("storage_snapshot_name_taken", SnapshotNameTaken(field="name", name=name)):
        edit(snapshot, name=name, labels=labels, expires_at=expires_at, generation=generation)
    record(actor, "snapshot.update", snapshot.pk, project_id=snapshot.project_id, name=name)
    return snapshot


@transaction.atomic
def snapshot_delete(actor: Actor, snapshot: Snapshot) -> Operation:
    """Request the deletion of the snapshot in any state. Its creation is cancelled; volumes made from it stay.

    A repeated request returns the deletion that is under way.

    Raises:
        SnapshotInUse: a volume or an image is being made from it, or a volume reverted to it.
    """
    actor.may_write()
    if snapshot.is_deleting and (under_way := live_of(DELETE, snapshot.pk)) is not None:
        return under_way
    snapshot_lock(snapshot)
    require_no_readers(snapshot)
    Snapshot.objects.filter(pk=snapshot.pk).update(is_deleting=True, updated_at=clock.now())
    operation_request = OperationRequest(
        DELETE,
        snapshot.project_id,
        [snapshot.pk],
        resource_name=snapshot.name,
        is_cancellable=False,
        preempts=True,
    )
    entry = audit_entry(actor, DELETE, snapshot.pk, project_id=snapshot.project_id)
    return enqueue(actor, operation_request, extra_rows=entry)


def require_no_readers(snapshot: Snapshot) -> None:
    """Raise SnapshotInUse while a volume or an image is being made from the snapshot, or a volume reverted to it."""
    made = Volume.objects.filter(snapshot=snapshot, state="building").values_list("name", flat=True)
    reverts = ResourceLock.objects.filter(resource_id=snapshot.pk, operation__kind=REVERT)
    images = images_being_made(snapshot.pk).values_list("name", flat=True)
    if names := sorted({*made, *images, *reverts.values_list("operation__resource_name", flat=True)}):
        raise SnapshotInUse(names=listed(names))

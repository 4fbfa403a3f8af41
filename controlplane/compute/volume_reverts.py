"""Reverts of volumes to their snapshots. workflows/volume_revert.py carries them out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import F

from controlplane.audit.services import record
from controlplane.compute.errors import RevertUnderGuest
from controlplane.compute.models import Instance
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.errors import SnapshotOfOther
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import require_volume_state, volume_lock, volume_placement_request
from controlplane.storage.snapshot_sources import require_snapshot_available, snapshot_lock
from controlplane.storage.snapshots import REVERT


@dataclass(frozen=True)
class RevertPlan:
    """The effect of a revert: everything that was written to the volume after the snapshot is lost.

    `younger`: snapshots of the volume that were taken later; they stay. `instance` has the volume, and is off.
    """

    volume: Volume
    snapshot: Snapshot
    younger: Sequence[Snapshot]
    instance: Instance | None


def volume_revert_plan(actor: Actor, volume: Volume, *, snapshot: Snapshot) -> RevertPlan:
    """Return what the revert would do. Nothing is kept. Raises as volume_revert, without Busy of other requests."""
    actor.may_write()
    require_unlocked(volume.pk)
    check_revert(volume, snapshot)
    _check_placement(volume, snapshot)
    later = volume.snapshots.filter(taken_at__gt=snapshot.taken_at).exclude(state="deleted")
    return RevertPlan(volume, snapshot, list(later.order_by("taken_at")), instance_with(volume))


def volume_revert(actor: Actor, volume: Volume, *, snapshot: Snapshot) -> Operation:
    """Request that the volume gets the content that it had at the snapshot. Its size and its snapshots stay.

    Placement checks the volume's node first. The volume has the snapshot's policies from then on, and so has the
    instance that it is attached to.

    Raises:
        SnapshotOfOther, SnapshotWrongState, VolumeWrongState
        RevertUnderGuest: the volume is attached to an instance that is not off.
        NoPlace, PolicyUnsatisfiable, Busy.
    """
    actor.may_write()
    require_unlocked(volume.pk)
    check_revert(volume, snapshot)
    _check_placement(volume, snapshot)
    return _revert(actor, volume, snapshot)


def instance_with(volume: Volume) -> Instance | None:
    """Return the instance that has the volume, or is getting it."""
    rows = Instance.objects.filter(attachment__volume=volume).select_related("node")
    return rows.only("pk", "name", "state", "project_id", "node__traits").first()


def require_guest_off(volume: Volume) -> None:
    """Raise RevertUnderGuest if the volume is attached to an instance that is not off."""
    instance = instance_with(volume)
    if instance is not None and instance.state != "stopped":
        raise RevertUnderGuest(instance=instance.name, state=instance.state)


def check_revert(volume: Volume, snapshot: Snapshot) -> None:
    """Raise the errors of volume_revert that follow from the states of both."""
    if snapshot.volume_id != volume.pk:
        raise SnapshotOfOther(field="snapshot", name=snapshot.name, volume=snapshot.volume.name)
    require_snapshot_available(snapshot, field="snapshot")
    require_volume_state(volume, "available", "in-use")
    require_guest_off(volume)


def _check_placement(volume: Volume, snapshot: Snapshot) -> None:
    request = volume_placement_request(volume, operation=REVERT)
    placement.check_current_node(replace(request, sources=(DataSource.of(snapshot),)))


@transaction.atomic
def _revert(actor: Actor, volume: Volume, snapshot: Snapshot) -> Operation:
    volume_lock(volume)
    snapshot_lock(snapshot)
    request = OperationRequest(
        REVERT,
        volume.project_id,
        [volume.pk, snapshot.pk],
        {"snapshot": str(snapshot.pk)},
        resource_name=volume.name,
    )
    operation = enqueue(actor, request)
    check_revert(
        volume, snapshot
    )  # a start of the instance locks the volume, and waits for this operation from here on
    lineage.add_source(DataSource.of(volume), DataSource.of(snapshot), kind="volume")
    if (instance := instance_with(volume)) is not None:
        lineage.add_source(DataSource.of(instance), DataSource.of(snapshot), kind="instance")
    Volume.objects.filter(pk=volume.pk).update(generation=F("generation") + 1, updated_at=clock.now())
    record(actor, REVERT, volume.pk, project_id=volume.project_id, snapshot=str(snapshot.pk))
    return operation

"""Snapshots of the disks of an instance at one moment, and of a volume while its guest's file systems are frozen.

workflows/instance_snapshot.py and workflows/snapshot_create.py carry them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from controlplane.audit.services import record
from controlplane.compute.actions import require_instance_state
from controlplane.compute.errors import (
    GuestAgentNotConnected,
    GuestNotPausable,
    GuestNotShutDown,
    SnapshotWithoutGuest,
)
from controlplane.compute.instance_changes import instance_lock
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.snapshot_disks import all_disks, chosen_disks
from controlplane.identity.actor import Actor
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import NAME_MAX
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.models import CRASH, Snapshot, Volume
from controlplane.storage.services import require_volume_state
from controlplane.storage.snapshots import (
    NewSnapshot,
    check_new,
    claim_snapshot,
    require_new_snapshots,
    snapshot_create,
    write_snapshot,
)

SNAPSHOT, ACTION = "instance.snapshot", "snapshot"
GUEST_PAUSE = "guest-pause"  # trait of nodes whose agent can pause a guest while snapshots are taken
ON = ("running", "paused")
SHUTDOWN, POWER_OFF, FENCE = "instance.shutdown", "instance.power-off", "node.fence"
POWERED_ITSELF_OFF = "The guest powered itself off."  # a node's reason, of agents/node/adapters/libvirt_states.py
# Kinds of operations that leave the power of a guest that is off, and the content of its disks, as they are.
HARMLESS = (
    SNAPSHOT,
    "snapshot.create",
    "snapshot.delete",
    "port.attach",
    "port.detach",
    "volume.detach",
    "volume.grow",
    "volume.retype",
)


@dataclass(frozen=True)
class NewSnapshots:
    """Snapshots to take of an instance. `volumes`: of these disks; None: of all. The others: as in NewSnapshot."""

    name: str
    consistency: str = CRASH
    labels: dict[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    volumes: Sequence[Volume] | None = None


def snapshots_placement_request(instance: Instance, volume_ids: Sequence[UUID]) -> PlacementRequest:
    """Return the placement request for snapshots of these volumes, which are where the instance has its allocation."""
    return PlacementRequest(
        operation=SNAPSHOT,
        project=instance.project,
        consumer_id=instance.pk,
        kind="instance",
        copy_of=instance.pk,
        sources=tuple(DataSource(volume_id, instance.project) for volume_id in volume_ids),
    )


def instance_snapshot(actor: Actor, instance: Instance, new: NewSnapshots) -> tuple[list[Snapshot], Operation]:
    """Request snapshots of disks of the instance at one moment: all of them are taken, or none.

    Placement checks the instance's node first. Each snapshot has the policies of its volume from then on.

    Raises:
        InvalidName, InvalidLabels, ExpiryPast, SnapshotNameTaken, InstanceWrongState, VolumeWrongState
        DisksWithoutSnapshots, VolumeNotOfInstance, SnapshotPoolFull
        GuestAgentNotConnected, GuestNotShutDown, GuestNotPausable: the consistency cannot be had.
        QuotaExceeded, NoPlace, PolicyUnsatisfiable, Busy.
    """
    actor.may_write()
    fields = NewSnapshot(new.name, new.labels, new.expires_at, consistency=new.consistency)
    check_new(fields)
    with transaction.atomic():
        instance_lock(instance)  # no volume is attached meanwhile
        require_unlocked(instance.pk)
        require_instance_state(instance, ACTION)
        volumes = _checked_disks(instance, new)
        placement.check_current_node(snapshots_placement_request(instance, [volume.pk for volume in volumes]))
        return _write(actor, instance, volumes, replace(fields, group=new_id(), instance_id=instance.pk))


def _checked_disks(instance: Instance, new: NewSnapshots) -> list[Volume]:
    """Return the disks to take snapshots of. Raises the errors of instance_snapshot about disks and consistency."""
    volumes = all_disks(instance) if new.volumes is None else chosen_disks(instance, new.volumes)
    for volume in volumes:
        require_unlocked(volume.pk)
        require_volume_state(volume, "in-use")
        require_new_snapshots(volume)
    require_consistency(instance, new.consistency, count=len(volumes))
    return volumes


def volume_snapshot(actor: Actor, volume: Volume, new: NewSnapshot) -> tuple[Snapshot, Operation]:
    """Request a snapshot of the volume; for the consistency `filesystem`, its guest is frozen meanwhile.

    Raises:
        SnapshotWithoutGuest, GuestAgentNotConnected, GuestNotShutDown, InstanceWrongState
            and the errors of snapshot_create.
    """
    if new.consistency == CRASH:
        return snapshot_create(actor, volume, new)
    attachment = Attachment.objects.filter(volume=volume).select_related("instance").first()
    if attachment is None:
        raise SnapshotWithoutGuest(field="consistency", volume=volume.name)
    instance = attachment.instance
    with transaction.atomic():
        instance_lock(instance)
        require_unlocked(instance.pk)
        require_instance_state(instance, ACTION)
        require_consistency(instance, new.consistency, count=1)
        return snapshot_create(actor, volume, replace(new, instance_id=instance.pk))


def is_on(instance: Instance) -> bool:
    """Tell if the guest may write to its disks."""
    return instance.state == "active" or instance.power_state in ON


def require_consistency(instance: Instance, consistency: str, *, count: int) -> None:
    """Check that `count` snapshots of the instance can have this consistency. `field` of the errors: `consistency`.

    Raises:
        GuestAgentNotConnected: the guest runs, and its file systems cannot be frozen.
        GuestNotShutDown: nothing proves that the guest, which is off, has unmounted the file systems of its disks.
        GuestNotPausable: the node's agent cannot pause the guest for several snapshots.
    """
    if consistency == CRASH:
        if count > 1 and is_on(instance) and not _can_be_paused(instance):
            raise GuestNotPausable(field="consistency")
    elif is_on(instance):
        if instance.present_guest_agent != "connected":
            raise GuestAgentNotConnected(field="consistency", instance=instance.name)
    elif instance.power_state != "off" or not _has_shut_down(instance):
        raise GuestNotShutDown(field="consistency", instance=instance.name)


def _can_be_paused(instance: Instance) -> bool:
    return instance.node is not None and GUEST_PAUSE in instance.node.traits


def _has_shut_down(instance: Instance) -> bool:
    """Tell if the last change of the guest that is off, or of its disks, was its own shutdown.

    Any other later operation, whatever its outcome, may have changed a disk. Operations that are no longer kept prove
    nothing.
    """
    volumes = Attachment.objects.filter(instance=instance).values_list("volume_id", flat=True)
    changes = Operation.objects.filter(resource_ids__overlap=[instance.pk, *volumes]).exclude(kind__in=HARMLESS)
    last = changes.order_by("-created_at", "-pk").first()
    if last is None:
        return False
    if last.kind == SHUTDOWN and last.state == "succeeded":
        return not instance.power_reason and not _was_fenced(instance, last)
    return last.kind not in (SHUTDOWN, POWER_OFF) and _powered_itself_off_after(last, instance)


def _powered_itself_off_after(operation: Operation, instance: Instance) -> bool:
    """Tell if the node saw that the guest powered itself off after the end of the operation."""
    ended, seen = operation.finished_at, instance.power_state_at
    is_later = ended is not None and seen is not None and seen > ended
    return is_later and instance.power_reason == POWERED_ITSELF_OFF


def _was_fenced(instance: Instance, shutdown: Operation) -> bool:
    """Tell if the node was fenced at the shutdown, which then reached no guest."""
    before = Operation.objects.filter(
        resource_ids__overlap=[instance.pk, instance.node_id], created_at__lt=shutdown.created_at
    )
    kinds = before.exclude(kind__in=(*HARMLESS, SHUTDOWN)).order_by("-created_at", "-pk").values_list("kind", flat=True)
    return kinds.first() == FENCE


def _write(
    actor: Actor, instance: Instance, volumes: list[Volume], new: NewSnapshot
) -> tuple[list[Snapshot], Operation]:
    names = snapshot_names(new.name, volumes)
    snapshots = [
        write_snapshot(actor, volume, replace(new, name=name)) for volume, name in zip(volumes, names, strict=True)
    ]
    resources = [instance.pk, *(each.pk for each in snapshots), *(volume.pk for volume in volumes)]
    args = {"group": str(new.group), "consistency": new.consistency}
    request = OperationRequest(SNAPSHOT, instance.project_id, resources, args, resource_name=instance.name)
    operation = enqueue(actor, request)
    for snapshot in snapshots:
        claim_snapshot(actor, snapshot)
    facts = {"group": str(new.group), "consistency": new.consistency, "snapshots": [str(each.pk) for each in snapshots]}
    record(actor, SNAPSHOT, instance.pk, project_id=instance.project_id, **facts)
    return snapshots, operation


def snapshot_names(name: str, volumes: Sequence[Volume]) -> list[str]:
    """Return the names of the snapshots: `name` for a single one, else with the names of the volumes.

    A name that would be too long is cut, and told apart by the end of the volume's id.
    """
    if len(volumes) == 1:
        return [name]
    return [_name(name, volume) for volume in volumes]


def _name(name: str, volume: Volume) -> str:
    whole = f"{name}-{volume.name}"
    if len(whole) <= NAME_MAX:
        return whole
    end = f"-{volume.name[:15].rstrip('-')}-{volume.pk.hex[-8:]}"
    return f"{name[: NAME_MAX - len(end)].rstrip('-')}{end}"

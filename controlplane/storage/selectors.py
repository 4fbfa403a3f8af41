"""Volumes, snapshots and snapshot schedules that an actor may see."""

from django.db.models import QuerySet

from controlplane.catalog.models import Image
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import by_ref
from controlplane.storage.errors import SnapshotNotFound, SnapshotScheduleNotFound, VolumeNotFound
from controlplane.storage.models import Snapshot, SnapshotSchedule, Volume


def volumes(actor: Actor, project: Project) -> QuerySet[Volume]:
    return Volume.objects.filter(project=project).exclude(state="deleted").select_related("node", "image")


def volume_get(actor: Actor, project: Project, ref: str) -> Volume:
    volume = by_ref(volumes(actor, project), ref)
    if volume is None:
        raise VolumeNotFound(name=ref)
    return volume


def image_of(volume: Volume) -> Image | None:
    """Return the image whose copy the volume began as, also by way of snapshots; None: the volume began empty."""
    while volume.image is None and volume.snapshot is not None:
        volume = volume.snapshot.volume
    return volume.image


def snapshots(actor: Actor, project: Project) -> QuerySet[Snapshot]:
    rows = Snapshot.objects.filter(project=project).exclude(state="deleted")
    return rows.select_related("volume", "pool__cluster", "schedule")


def snapshot_get(actor: Actor, project: Project, ref: str) -> Snapshot:
    snapshot = by_ref(snapshots(actor, project), ref)
    if snapshot is None:
        raise SnapshotNotFound(name=ref)
    return snapshot


def snapshot_schedules(actor: Actor, project: Project) -> QuerySet[SnapshotSchedule]:
    return SnapshotSchedule.objects.filter(project=project).select_related("volume")


def snapshot_schedule_get(actor: Actor, project: Project, ref: str) -> SnapshotSchedule:
    schedule = by_ref(snapshot_schedules(actor, project), ref)
    if schedule is None:
        raise SnapshotScheduleNotFound(name=ref)
    return schedule

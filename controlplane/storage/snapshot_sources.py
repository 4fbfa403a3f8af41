"""Snapshots as sources of volumes and images, and the checks that both kinds of requests share."""

from uuid import UUID

from django.db.models import Q, QuerySet

from andromede_core.documents.messages import Message
from controlplane.catalog.models import Image, VolumeType
from controlplane.catalog.volume_types import project_volume_types
from controlplane.identity.models import Project
from controlplane.nodes.models import Pool
from controlplane.nodes.pools import HAS_SNAPSHOTS, has_snapshots
from controlplane.operations.models import LIVE, Operation
from controlplane.storage.errors import (
    SnapshotElsewhere,
    SnapshotsUnsupported,
    SnapshotTooLarge,
    SnapshotWrongState,
    VolumeReadForImage,
)
from controlplane.storage.models import Snapshot, Volume

NAMES_SHOWN = 5
IMAGE_CREATE = "image.create"


def snapshot_lock(snapshot: Snapshot) -> None:
    """Read the snapshot again and lock its row until the caller's transaction ends."""
    snapshot.refresh_from_db(
        fields=["name", "state", "is_deleting", "generation", "expires_at"],
        from_queryset=Snapshot.objects.select_for_update(no_key=True),
    )


def require_snapshot_available(snapshot: Snapshot, *, field: str | None = None) -> None:
    """Check that volumes can be made from the snapshot and reverted to it. `field`: of the body.

    Raises:
        SnapshotWrongState: it was not taken, or is being deleted.
        SnapshotsUnsupported: the storage agent of its pool is of a release without snapshots.
    """
    if snapshot.is_deleting or snapshot.state != "available":
        state = Message("being deleted") if snapshot.is_deleting else snapshot.state
        raise SnapshotWrongState(field=field, name=snapshot.name, state=state, wanted="available")
    if not has_snapshots(snapshot.pool):
        where = Message("in the pool {pool}", pool=snapshot.pool.name)
        types = type_names(snapshot.project, pools_with_snapshots())
        raise SnapshotsUnsupported(field=field, where=where, types=types)


def check_new_volume(snapshot: Snapshot, project: Project, volume_type: VolumeType, size_gib: int) -> None:
    """Check that a volume of the type and size can be made from the snapshot.

    Raises:
        SnapshotWrongState, SnapshotsUnsupported, SnapshotTooLarge
        SnapshotElsewhere: the type's pool is not in the snapshot's storage cluster; names types whose pools are.
    """
    require_snapshot_available(snapshot, field="snapshot")
    if size_gib < snapshot.size_gib:
        raise SnapshotTooLarge(field="size_gib", needed_gib=snapshot.size_gib, given_gib=size_gib)
    in_cluster = Pool.objects.filter(cluster=snapshot.pool.cluster_id)
    if not in_cluster.filter(name=volume_type.pool).exists():
        types = type_names(project, in_cluster)
        raise SnapshotElsewhere(field="volume_type", volume_type=volume_type.pk, types=types)


def images_being_made(source_id: UUID) -> QuerySet[Image]:
    """Return the images that are being made of a snapshot or a volume."""
    return Image.objects.filter(being_made(), source_id=source_id).order_by("name")


def being_made() -> Q:
    """Return the filter for images that are being made of data.

    They are in `importing`, or their operation lives: that of a deleted image still reads, or removes its snapshot.
    """
    live = Operation.objects.filter(kind=IMAGE_CREATE, state__in=LIVE)
    return Q(state="importing") | Q(pk__in=live.values("resource_id"))


def require_not_read(volume: Volume) -> None:
    """Raise VolumeReadForImage while images are being made of the volume, which has a snapshot for them."""
    if names := list(images_being_made(volume.pk).values_list("name", flat=True)):
        raise VolumeReadForImage(names=listed(names))


def pools_with_snapshots() -> QuerySet[Pool]:
    return Pool.objects.filter(HAS_SNAPSHOTS)


def type_names(project: Project, pools: QuerySet[Pool]) -> str:
    """Return the names of the types for new volumes of the project in any of these pools."""
    types = project_volume_types(project).filter(is_retired=False, pool__in=pools.values("name"))
    return ", ".join(types.values_list("pk", flat=True)) or Message("none")


def listed(names: list[str]) -> str:
    """Return the names for an error: the first NAMES_SHOWN of them."""
    return ", ".join([*names[:NAMES_SHOWN], *(["…"] if len(names) > NAMES_SHOWN else [])])

"""Images made of volumes and snapshots. workflows/image_create.py carries the operations out.

An image of a volume is made of a snapshot that the operation takes and removes. It is no row, and has the image's id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from controlplane.audit.services import record
from controlplane.catalog import services as catalog
from controlplane.catalog.errors import ImageHasContent, ImageStoreFull
from controlplane.catalog.models import IMAGE, SNAPSHOT_SOURCE, VOLUME_SOURCE, Image
from controlplane.catalog.services import NewImage
from controlplane.identity.actor import Actor
from controlplane.kernel.db import move
from controlplane.kernel.free_space import require_free_space
from controlplane.kernel.units import GIB
from controlplane.nodes.models import Pool
from controlplane.nodes.pools import HAS_SNAPSHOT_READS, has_snapshot_reads
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, require_unlocked
from controlplane.placement import lineage
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.lineage import NewData
from controlplane.quotas import services as quotas
from controlplane.storage.errors import ImagesUnsupported, SnapshotPoolFull, TooLargeForImage
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.retype import place_of
from controlplane.storage.selectors import image_of
from controlplane.storage.services import require_bound, require_volume_state, volume_lock
from controlplane.storage.snapshot_sources import (
    IMAGE_CREATE,
    require_snapshot_available,
    snapshot_lock,
    type_names,
)

LIMIT = timedelta(hours=6)


Source = Volume | Snapshot


@dataclass(frozen=True)
class NewImageOf:
    """An image to make. `firmware`, `min_memory_mib` None: those of the image that the volume began as."""

    name: str
    firmware: str | None = None
    min_memory_mib: int | None = None
    classifications: Sequence[str] = ()
    labels: dict[str, str] = field(default_factory=dict)


def image_create(actor: Actor, source: Source, new: NewImageOf) -> tuple[Image, Operation]:
    """Request an image of the snapshot, or of the content that the volume has in a moment, also while a guest writes.

    It is private, and has the policies and classifications of the source. Placement checks the volume's node first.

    Raises:
        SnapshotWrongState, VolumeWrongState, ImagesUnsupported, SnapshotPoolFull, TooLargeForImage
        ImageStoreFull: the image store has no free space at all.
        InvalidName, InvalidLabels, InvalidRequest, ImageNameTaken, QuotaExceeded, NoPlace, PolicyUnsatisfiable, Busy.
    """
    image = _planned(source, new)
    catalog.may_change(actor, image)
    _check(image, source)
    with transaction.atomic():
        _lock(source)
        catalog.insert_image(actor, image)
        lineage.record_data(NewData(image.pk, "image", source.project, new.classifications), [DataSource.of(source)])
        return image, _begin(actor, image, source)


def image_create_retry(actor: Actor, image: Image) -> Operation:
    """Retry to make an image in `error`; of a volume, from the content that it has then.

    Raises:
        ImageHasContent: it is not in `error`.
        VolumeWrongState: its volume or its snapshot's was deleted; and the errors of image_create.
    """
    source = source_of(image)
    catalog.may_change(actor, image)
    _check(image, source)
    with transaction.atomic():
        _lock(source)
        image.refresh_from_db(fields=["state"], from_queryset=Image.objects.select_for_update(no_key=True))
        if image.state != "error":
            raise ImageHasContent(name=image.name, state=image.state)
        lineage.add_source(DataSource(image.pk, source.project), DataSource.of(source), kind="image")
        size_bytes = source.size_gib * GIB
        move(image, IMAGE, "importing", sha256="", size_bytes=None, virtual_size_bytes=size_bytes, last_error=None)
        quotas.claim(source.project_id, image.pk, images=1)
        record(actor, IMAGE_CREATE, image.pk, project_id=image.project_id, name=image.name, format=image.format)
        return _begin(actor, image, source)


def image_placement_request(image: Image, source: Source, *, operation: str) -> PlacementRequest:
    """Return the placement request for an image, which takes no space where its source is."""
    return PlacementRequest(
        operation=operation,
        project=source.project,
        consumer_id=image.pk,
        kind="image",
        copy_of=volume_of(source).pk,
        sources=(DataSource.of(source),),
    )


def volume_of(source: Source) -> Volume:
    return source.volume if isinstance(source, Snapshot) else source


def source_of(image: Image) -> Source:
    """Return what the image is made of, which is of its project. Raises ObjectDoesNotExist."""
    assert image.source is not None, "images of files have operations of their own"
    if image.source.kind == SNAPSHOT_SOURCE:
        snapshots = Snapshot.objects.select_related("project__organization", "volume__project", "pool__cluster")
        return snapshots.get(pk=image.source.id, project=image.project_id)
    volumes = Volume.objects.select_related("project__organization", "pool__cluster")
    return volumes.get(pk=image.source.id, project=image.project_id)


def snapshot_id(image: Image, source: Source) -> UUID:
    """Return the id of the snapshot that is read; the temporary one of a volume has the image's."""
    return source.pk if isinstance(source, Snapshot) else image.pk


def snapshot_to_read(operation: Operation, image: Image, source: Source) -> Snapshot:
    """Return the snapshot; of a volume the temporary one, which is never saved, in the volume's pool at the request."""
    if isinstance(source, Snapshot):
        return source
    pool = Pool.objects.select_related("cluster").get(pk=operation.args["pool"])
    return Snapshot(id=image.pk, project=source.project, volume=source, pool=pool, size_gib=source.size_gib)


def require_image_source(source: Source) -> None:
    """Raise SnapshotWrongState, VolumeWrongState, VolumeUnbound, ImagesUnsupported or SnapshotPoolFull unless an image
    can be made.
    """
    if isinstance(source, Snapshot):
        require_snapshot_available(source, field=SNAPSHOT_SOURCE)
    else:
        require_bound(source, field=VOLUME_SOURCE)
    if not has_snapshot_reads(source.pool):
        where = place_of(source.pool.name if source.pool is not None else "")
        types = type_names(source.project, Pool.objects.filter(HAS_SNAPSHOT_READS))
        raise ImagesUnsupported(field=_kind(source), where=where, types=types)
    if isinstance(source, Volume):
        require_volume_state(source, "available", "in-use")
        if source.pool is not None and source.pool.is_nearly_full:
            raise SnapshotPoolFull(field=VOLUME_SOURCE, pool=source.pool.name)


def require_fits_image(source: Source) -> None:
    """Raise TooLargeForImage if the disk of an image cannot be as large."""
    limit_gib: int = settings.IMAGE_MAX_VIRTUAL_GIB
    if source.size_gib > limit_gib:
        raise TooLargeForImage(field=_kind(source), size_gib=source.size_gib, limit_gib=limit_gib)


def _planned(source: Source, new: NewImageOf) -> Image:
    """Return the image, not written."""
    began_as = image_of(volume_of(source))
    firmware = began_as.firmware if began_as is not None and new.firmware is None else new.firmware
    memory = began_as.min_memory_mib if began_as is not None and new.min_memory_mib is None else new.min_memory_mib
    image = catalog.new_image(
        source.project,
        NewImage(new.name, "qcow2", firmware or "bios", min_memory_mib=memory or 0, labels=new.labels),
    )
    image.state = "importing"
    image.virtual_size_bytes = source.size_gib * GIB
    image.source_kind, image.source_id, image.source_name = _kind(source), source.pk, source.name
    return image


def _kind(source: Source) -> str:
    return SNAPSHOT_SOURCE if isinstance(source, Snapshot) else VOLUME_SOURCE


def _check(image: Image, source: Source) -> None:
    if isinstance(source, Volume):
        require_unlocked(source.pk)
    require_image_source(source)
    require_fits_image(source)
    require_free_space(settings.IMAGES_DIR, error=ImageStoreFull)
    placement.check_current_node(image_placement_request(image, source, operation=IMAGE_CREATE))


def _lock(source: Source) -> None:
    """Lock the row of the source and check it again: it is neither deleted nor moved before the image is requested."""
    if isinstance(source, Snapshot):
        snapshot_lock(source)
    else:
        volume_lock(source)
        require_unlocked(source.pk)
    require_image_source(source)


def _begin(actor: Actor, image: Image, source: Source) -> Operation:
    args = {"file": str(image.pk), "is_temporary": isinstance(source, Volume), "pool": str(source.pool_id)}
    return enqueue(
        actor,
        OperationRequest(IMAGE_CREATE, image.project_id, [image.pk], args, resource_name=image.name, deadline=LIMIT),
    )

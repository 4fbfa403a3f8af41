"""Make an image of a snapshot, or of a volume by way of a snapshot that is removed again.

The content is read into a sparse raw file, which becomes a qcow2 file, and is then inspected as an import is. `args`:
`file`, the name of both; `is_temporary`, whether the workflow takes the snapshot; `pool`, the id of its pool. Each
attempt begins the file anew.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.catalog import image_quota, image_store, raw_disks
from controlplane.catalog.errors import ImageStoreFull, ImageTooLarge
from controlplane.catalog.models import Image
from controlplane.kernel import clock
from controlplane.kernel.free_space import require_free_space
from controlplane.kernel.units import GIB
from controlplane.operations import leases
from controlplane.operations.errors import Cancelled, DeadlineExceeded
from controlplane.operations.models import Operation
from controlplane.operations.services import lock_late, unlock_early
from controlplane.storage import snapshot_evidence
from controlplane.storage.image_sources import Source, snapshot_to_read, source_of
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import require_volume_state
from controlplane.storage_clusters.errors import SnapshotCut
from controlplane.storage_clusters.snapshot_reads import SnapshotContent
from controlplane.workflows import cluster_disks, image_verify, step_permits
from controlplane.workflows.engine import record_progress
from controlplane.workflows.image_import import set_received
from controlplane.workflows.image_verify import image_of
from controlplane.workflows.workflow_types import Effect, Step, StepPending, Workflow

LOOK_EVERY = timedelta(seconds=2)
LOCK_DELAY = timedelta(seconds=2)
FILES = 2  # the raw one and the qcow2 one
# Among the arguments: the size of the volume at an attempt to take the snapshot, after which the volume was unlocked.
REQUESTED_GIB = "asked_gib"


def steps(operation: Operation) -> Sequence[Step]:
    first: tuple[Step, ...] = (Step("read", read, undo=discard),)
    if operation.args["is_temporary"]:
        first = (Step("snapshot", take, undo=remove), *first, Step("remove-snapshot", remove_taken))
    return (*first, Step("convert", convert, undo=discard), *image_verify.steps(operation))


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    if operation.args["is_temporary"]:
        snapshot_evidence.record_undone(_parts(operation)[2], operation)
    image_verify.on_failure(operation, error)


def take(operation: Operation) -> Effect:
    """Take the temporary snapshot. The volume is locked meanwhile: no revert and no growth changes it.

    It is unlocked between two attempts. A snapshot whose answer was lost is kept, unless the volume has grown since.
    """
    _check_wanted(operation)
    image, volume, snapshot = _parts(operation)
    assert isinstance(volume, Volume), "the arguments say so"
    if not lock_late(operation, volume.pk):
        raise StepPending("waits for another operation on the volume", delay=LOCK_DELAY)
    volume.refresh_from_db(fields=["state", "is_deleting", "size_gib"])
    require_volume_state(volume, "available", "in-use")
    snapshot.size_gib = volume.size_gib
    try:
        authorization = step_permits.for_image(operation, image, volume)
        if operation.args.get(REQUESTED_GIB, volume.size_gib) != volume.size_gib:
            cluster_disks.remove_snapshot(snapshot)
        snapshot.taken_at = cluster_disks.take_snapshot(authorization, snapshot, requested_at=operation.created_at)
    except Exception:
        _unlock_until_next(operation, volume)
        raise
    return partial(_record_taken, operation, image, snapshot, jti=str(authorization.jti))


@transaction.atomic
def _unlock_until_next(operation: Operation, volume: Volume) -> None:
    """Unlock the volume until the next attempt: the storage agent may be silent. Raises LeaseLost."""
    leases.commit_step(operation, args=operation.args | {REQUESTED_GIB: volume.size_gib})
    unlock_early(operation, volume.pk)


def _record_taken(operation: Operation, image: Image, snapshot: Snapshot, *, jti: str) -> None:
    Image.objects.filter(pk=image.pk).update(virtual_size_bytes=snapshot.size_gib * GIB)
    snapshot_evidence.record_taken(snapshot, jti=jti)
    unlock_early(operation, snapshot.volume_id)


def remove_taken(operation: Operation) -> Effect:
    """Remove the temporary snapshot after it was read."""
    snapshot = _parts(operation)[2]
    cluster_disks.remove_snapshot(snapshot)
    return partial(snapshot_evidence.record_erased, snapshot)


def remove(operation: Operation) -> None:
    snapshot = _parts(operation)[2]
    unlock_early(operation, snapshot.volume_id)
    cluster_disks.remove_snapshot(snapshot)


def read(operation: Operation) -> Effect:
    """Write the content of the snapshot to the raw file.

    Raises:
        SnapshotCut: it did not come whole, or has another size than it had when it was taken.
        ImageTooLarge, ImageStoreFull, QuotaExceeded: the image would not fit.
    """
    image, source, snapshot = _parts(operation)
    _check_wanted(operation)
    authorization = step_permits.for_image(operation, image, source)
    with cluster_disks.reading_snapshot(authorization, snapshot) as content:
        if content.size_bytes != image.virtual_size_bytes:
            raise SnapshotCut()
        require_free_space(settings.IMAGES_DIR, size_bytes=FILES * content.used_bytes, error=ImageStoreFull)
        raw_disks.write_raw(_limited(operation, content), operation.args["file"], size_bytes=content.size_bytes)
    return partial(snapshot_evidence.record_left, snapshot, image_id=image.pk, jti=str(authorization.jti))


def _limited(operation: Operation, content: SnapshotContent) -> Iterator[tuple[int, bytes]]:
    """Yield the extents; stop when the image gets too large, or is not wanted any more. Writes how far it is."""
    growing, next_look = image_quota.GrowingFile(image_of(operation)), clock.now() + LOOK_EVERY
    for offset, data in content.extents:
        growing.add(len(data))
        if growing.size_bytes > settings.IMAGE_MAX_BYTES:
            raise ImageTooLarge(limit_bytes=settings.IMAGE_MAX_BYTES)
        if clock.now() >= next_look:
            percent = 100 * growing.size_bytes // max(content.used_bytes, growing.size_bytes)
            record_progress(operation, "read", "the snapshot is read", percent=percent)
            _check_wanted(operation)
            next_look = clock.now() + LOOK_EVERY
        yield offset, data


def convert(operation: Operation) -> Effect:
    """Make the raw file a qcow2 file."""
    next_look = clock.now()

    def check() -> None:
        nonlocal next_look
        if clock.now() >= next_look:
            _check_wanted(operation)
            next_look = clock.now() + LOOK_EVERY

    image = image_of(operation)
    received = raw_disks.convert(operation.args["file"], check=check)
    image_quota.need_room(image, received.size_bytes)
    return lambda: set_received(image, received)


def discard(operation: Operation) -> None:
    image_store.discard_all(operation.args["file"])


def _check_wanted(operation: Operation) -> None:
    """Raise Cancelled or DeadlineExceeded: the image was deleted, the operation cancelled, or its time is over."""
    if leases.is_cancel_requested(operation) or image_of(operation).state == "deleted":
        raise Cancelled()
    if clock.now() >= operation.deadline_at:
        raise DeadlineExceeded(
            limit_s=int(operation.limit.total_seconds()), obstacle=Message("the image is still being made.")
        )


def _parts(operation: Operation) -> tuple[Image, Source, Snapshot]:
    image = image_of(operation)
    source = source_of(image)
    return image, source, snapshot_to_read(operation, image, source)


WORKFLOW = Workflow("image.create", steps, image_verify.on_success, on_failure)

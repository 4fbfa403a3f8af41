"""Volumes: RBD images in the pool's default namespace, named by the volume's id."""

import heapq
from contextlib import suppress
from typing import Any
from uuid import UUID

import rbd

from agents.node.errors import VolumeInUse, VolumeWouldShrink
from agents.storage.errors import ImageMissing, VolumeMissing
from agents.storage.worker import images, openings
from agents.storage.worker.cluster import Cluster, opened
from agents.storage.worker.fencing import watchers

DRAFT = ".draft"
"""Suffix of a clone that does not have its size yet."""

CLONE_FORMAT = 2  # its parent needs no protection, and may go to the trash before it
PAGE = 200


def ensure(
    cluster: Cluster, *, volume: str, pool: str, size_bytes: int, image_sha256: str, is_taken_over: bool
) -> dict[str, object]:
    """Make the volume, or grow it. One that is taken over may be larger: by a growth whose node then failed.

    Raises:
        VolumeMissing: it is to be taken over, and is not there.
        VolumeWouldShrink: a new one is larger, or its image is.
        ImageMissing: the pool does not have the image.
    """
    with cluster.volumes(pool) as ioctx:
        found = _size(ioctx, volume)
        if found is None:
            if is_taken_over:
                raise VolumeMissing(f"There is no volume {volume} in pool {pool!r}.")
            _make(cluster, ioctx, volume, pool=pool, size_bytes=size_bytes, image_sha256=image_sha256)
        elif found > size_bytes and not is_taken_over:
            raise VolumeWouldShrink(f"Volume {volume} has {found} bytes and cannot shrink to {size_bytes} bytes.")
        elif found < size_bytes:
            with rbd.Image(ioctx, volume) as image:
                image.resize(size_bytes, False)
        return {"size_bytes": max(found or 0, size_bytes), "watchers": watchers(cluster, ioctx, volume)}


def remove(cluster: Cluster, *, volume: str, pool: str) -> bool:
    """Move the volume to the trash, after its keys are gone; False if there was none.

    Raises:
        VolumeInUse: a client has it open. The trash would take it all the same, and its guest would lose its disk.
    """
    with cluster.volumes(pool) as ioctx:
        _check_unused(cluster, ioctx, volume)
        openings.remove_all(cluster, volume=volume, pool=pool)
        _check_unused(cluster, ioctx, volume)
        _remove_draft(ioctx, volume)
        try:
            rbd.RBD().trash_move(ioctx, volume)
        except rbd.ImageNotFound:
            return False
    return True


def page(cluster: Cluster, *, pool: str, after: str) -> list[tuple[str, int]]:
    """Return the names and sizes of the next images."""
    with cluster.volumes(pool) as ioctx:
        names = (name for name in rbd.RBD().list(ioctx) if name > after and not name.endswith(DRAFT))
        sizes = ((name, _size(ioctx, name)) for name in heapq.nsmallest(PAGE, names))
        return [(name, size or 0) for name, size in sizes]


def empty_trash(cluster: Cluster, *, pool: str) -> int:
    """Delete the volumes of the trash, but for those that have clones or are not due; returns how many are left."""
    left = 0
    with cluster.volumes(pool) as ioctx:
        for entry in list(rbd.RBD().trash_list(ioctx)):
            if not _is_volume(entry["name"]):
                continue
            try:
                rbd.RBD().trash_remove(ioctx, entry["id"], on_progress=cluster.on_progress)
            except rbd.Error:  # it has snapshots with clones, or a client that ended without a word
                left += 1
    return left


def _make(cluster: Cluster, ioctx: Any, volume: str, *, pool: str, size_bytes: int, image_sha256: str) -> None:
    if not image_sha256:
        rbd.RBD().create(ioctx, volume, size_bytes)
        return
    _remove_draft(ioctx, volume)
    with cluster.images(pool) as of_images:
        with opened(of_images, images.name_of(image_sha256)) as image:
            if image is None or not images.is_complete(image):
                raise ImageMissing(f"Image {image_sha256} is not in pool {pool!r}.")
            needed = image.size() - images.PADDING_BYTES
        if needed > size_bytes:
            raise VolumeWouldShrink(f"The image needs {needed} bytes; the volume has {size_bytes}.")
        source = (of_images, images.name_of(image_sha256), images.SNAPSHOT)
        rbd.RBD().clone(*source, ioctx, volume + DRAFT, clone_format=CLONE_FORMAT)
    with rbd.Image(ioctx, volume + DRAFT) as clone:
        clone.resize(size_bytes)
    rbd.RBD().rename(ioctx, volume + DRAFT, volume)


def _remove_draft(ioctx: Any, volume: str) -> None:
    with suppress(rbd.ImageNotFound):
        rbd.RBD().remove(ioctx, volume + DRAFT)


def _check_unused(cluster: Cluster, ioctx: Any, volume: str) -> None:
    open_by = watchers(cluster, ioctx, volume)
    if open_by:
        raise VolumeInUse(f"Volume {volume} is open by {', '.join(open_by)}.")


def _size(ioctx: Any, name: str) -> int | None:
    with opened(ioctx, name) as image:
        return None if image is None else int(image.size())


def _is_volume(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False

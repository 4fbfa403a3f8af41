"""Volumes: RBD images in the pool's default namespace, named by the volume's id."""

import heapq
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import rados
import rbd

from agents.node.errors import VolumeWouldShrink
from agents.storage.errors import ImageMissing, VolumeMissing
from agents.storage.worker import generations, images, intents, openings, revert_records, snapshots
from agents.storage.worker.cluster import Cluster, opened
from agents.storage.worker.fencing import watchers
from agents.storage.worker.intents import working_on

DRAFT = ".draft"
"""Suffix of a clone that does not have its size yet."""

CLONE_FORMAT = 2  # its parent needs no protection, and may go to the trash before it
PAGE = 200

FOR_SEVERAL = rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_DEEP_FLATTEN
"""Features of RBD of an image that several nodes may write to at once."""

FOR_ONE = FOR_SEVERAL | rbd.RBD_FEATURE_EXCLUSIVE_LOCK | rbd.RBD_FEATURE_OBJECT_MAP | rbd.RBD_FEATURE_FAST_DIFF
"""Ceph's own default: one client at a time has the lock, without which nobody writes."""


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to make. `ioctx`: of its pool."""

    ioctx: Any
    pool: str
    name: str
    size_bytes: int
    features: int


def ensure(  # noqa: PLR0913 - the fields of the request, by name
    cluster: Cluster,
    *,
    volume: str,
    pool: str,
    size_bytes: int,
    source: Mapping[str, str] | None,
    is_taken_over: bool,
    generation: int = 0,
    is_multi_attach: bool = False,
) -> dict[str, object]:
    """Make the volume, or grow it. One that is taken over may be larger: by a growth whose node then failed.

    `source` of a new one: None, the `image` of which it is a clone, or `pool`, `volume` and `snapshot`. `generation`:
    none lower removes the volume from now on. `is_multi_attach`: several nodes may write to a new one at once.

    Raises:
        VolumeMissing: it is to be taken over, and is not there.
        VolumeWouldShrink: a new one is larger, or its image or snapshot is.
        ImageMissing, SnapshotMissing: the pool does not have it.
        RevertUnfinished: it is to grow, and the revert would take it back to its size.
    """
    with cluster.volumes(pool) as ioctx:
        found, open_by = _look(cluster, ioctx, volume)
        if found is None and is_taken_over:
            raise VolumeMissing(f"There is no volume {volume} in pool {pool!r}.")
        generations.raise_to(cluster, volume, pool=pool, generation=generation)
        if found is None:
            features = FOR_SEVERAL if is_multi_attach else FOR_ONE
            _make(cluster, NewImage(ioctx, pool, volume, size_bytes, features), source)
        elif found > size_bytes and not is_taken_over:
            raise VolumeWouldShrink(f"Volume {volume} has {found} bytes and cannot shrink to {size_bytes} bytes.")
        elif found < size_bytes:
            revert_records.require_finished(cluster, volume, pool=pool)
            with working_on(cluster, ioctx, volume, pool=pool), rbd.Image(ioctx, volume) as image:
                image.resize(size_bytes, False)
        return {"size_bytes": max(found or 0, size_bytes), "watchers": open_by}


def remove(cluster: Cluster, *, volume: str, pool: str, generation: int = 0) -> bool:
    """Move the volume to the trash, after its keys are gone; False if there was none. `generation` 0: any.

    Raises:
        GenerationStale: it was made or opened for a newer generation.
        VolumeInUse: a client has it open. The trash would take it all the same, and its guest would lose its disk.
    """
    generations.require_newest(cluster, volume, pool=pool, generation=generation)
    with cluster.volumes(pool) as ioctx:
        intents.settle(cluster, ioctx, volume, pool=pool)
        with opened(ioctx, volume) as image:
            snapshots.check_unused(cluster, image, volume)
            openings.remove_all(cluster, volume=volume, pool=pool)
            snapshots.check_unused(cluster, image, volume)
        _remove_draft(ioctx, volume)
        revert_records.forget(cluster, volume=volume, pool=pool)
        was_present = _discard(ioctx, volume)
    generations.forget(cluster, volume, pool=pool)
    return was_present


def _discard(ioctx: Any, volume: str) -> bool:
    try:
        rbd.RBD().trash_move(ioctx, volume)
    except rbd.ImageNotFound:
        return False
    return True


def page(cluster: Cluster, *, pool: str, after: str) -> list[dict[str, object]]:
    """Return the next images. The size 0 means that a node has written no valid size into the header."""
    with cluster.volumes(pool) as ioctx:
        names = (name for name in rbd.RBD().list(ioctx) if name > after and not name.endswith(DRAFT))
        return [{"name": name, **_described(ioctx, name)} for name in heapq.nsmallest(PAGE, names)]


def _make(cluster: Cluster, new: NewImage, source: Mapping[str, str] | None) -> None:
    if source is None:
        rbd.RBD().create(new.ioctx, new.name, new.size_bytes, old_format=False, features=new.features)
    elif "image" in source:
        with cluster.images(new.pool) as of_images:
            _clone_image(of_images, new, sha256=source["image"])
    else:
        _clone_snapshot(cluster, new, source)


def _clone_image(of_images: Any, new: NewImage, *, sha256: str) -> None:
    with opened(of_images, images.name_of(sha256)) as image:
        if image is None or not images.is_complete(image):
            raise ImageMissing(f"There is no image {sha256} in the pool.")
        found = image.size()
    needed = found - images.PADDING_BYTES
    if needed > new.size_bytes:
        raise VolumeWouldShrink(f"The image needs {needed} bytes; the volume has {new.size_bytes}.")
    _clone((of_images, images.name_of(sha256), images.SNAPSHOT), new, source_bytes=found)


def _clone_snapshot(cluster: Cluster, new: NewImage, source: Mapping[str, str]) -> None:
    with cluster.volumes(source["pool"]) as of_source:
        intents.settle(cluster, of_source, source["volume"], pool=source["pool"])
        needed = snapshots.size_of(of_source, source["volume"], source["snapshot"])
        if needed > new.size_bytes:
            raise VolumeWouldShrink(f"The snapshot has {needed} bytes; the volume has {new.size_bytes}.")
        _clone((of_source, source["volume"], source["snapshot"]), new, source_bytes=needed)


def _clone(source: tuple[Any, str, str], new: NewImage, *, source_bytes: int) -> None:
    draft = new.name + DRAFT
    _remove_draft(new.ioctx, new.name)
    # Without features named, it would have those of its parent.
    rbd.RBD().clone(*source, new.ioctx, draft, features=new.features, clone_format=CLONE_FORMAT)
    if new.size_bytes != source_bytes:
        with rbd.Image(new.ioctx, draft) as clone:
            clone.resize(new.size_bytes)
    rbd.RBD().rename(new.ioctx, draft, new.name)


def _remove_draft(ioctx: Any, volume: str) -> None:
    """Remove what a killed process left. librbd takes long to find nothing: the object that has an image's id, its
    first one and its last one, tells sooner.
    """
    with suppress(rados.ObjectNotFound, rbd.ImageNotFound):
        ioctx.stat(f"rbd_id.{volume}{DRAFT}")
        rbd.RBD().remove(ioctx, volume + DRAFT)


def _described(ioctx: Any, name: str) -> dict[str, object]:
    """Return the size and the first snapshots of an image, as ListedVolume has them."""
    try:
        with opened(ioctx, name) as image:
            if image is not None:
                ids, has_more = snapshots.first_ids(image)
                return {"size_bytes": int(image.size()), "snapshots": ids, "has_more_snapshots": has_more}
    except (rbd.Error, rados.Error):
        pass
    return {"size_bytes": 0}


def _look(cluster: Cluster, ioctx: Any, name: str) -> tuple[int | None, list[str]]:
    """Return the size, None if there is no such image, and the clients that have it open to write."""
    with opened(ioctx, name) as image:
        return (None, []) if image is None else (int(image.size()), watchers(cluster, image))

"""Images: each is written once into a pool, raw, and has the snapshot of which volumes are clones.

An image without the snapshot is one whose import was interrupted; it is written anew.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import rbd

from agents.node.errors import ImageInUse
from agents.storage.worker import intents, parents
from agents.storage.worker.cluster import NAMESPACE, Cluster, opened

SNAPSHOT = "base"
PADDING_BYTES = 16 * 2**20
"""Room behind an image for a header of LUKS in front of it: without it, its last bytes would be lost in an encrypted
clone."""

PIECE_BYTES = 4 * 2**20
SIZE, FORMAT = "andromede.size_bytes", "andromede.format"


def name_of(sha256: str) -> str:
    return f"image-{sha256}"


def find(cluster: Cluster, *, pool: str, sha256: str) -> dict[str, object] | None:
    """Return the size and the format in which the image came; None if the pool does not have all of it."""
    with cluster.images(pool) as ioctx, opened(ioctx, name_of(sha256)) as image:
        if image is None or not is_complete(image):
            return None
        return {"size_bytes": int(image.metadata_get(SIZE)), "format": image.metadata_get(FORMAT)}


def import_file(cluster: Cluster, *, pool: str, sha256: str, path: str, came_as: tuple[int, str]) -> None:
    """Write a raw file as the image. `came_as`: its size and format before it was converted."""
    _make_namespace(cluster, pool)
    name = name_of(sha256)
    with cluster.images(pool) as ioctx, open(path, "rb", buffering=0) as file:
        with suppress(rbd.ImageNotFound):
            rbd.RBD().remove(ioctx, name, on_progress=cluster.on_progress)
        size = os.fstat(file.fileno()).st_size
        rbd.RBD().create(ioctx, name, size + PADDING_BYTES)
        with rbd.Image(ioctx, name) as image:
            for offset, data in _pieces(file.fileno(), size):
                if data.strip(b"\0"):
                    image.write(data, offset)
                cluster.progress()
            image.flush()
            image.metadata_set(SIZE, str(came_as[0]))
            image.metadata_set(FORMAT, came_as[1])
            image.create_snap(SNAPSHOT)


def remove(cluster: Cluster, *, pool: str, sha256: str, pools: Sequence[str]) -> bool:
    """Remove the image; False if there was none.

    Raises:
        ImageInUse: a volume of one of `pools` is a clone of it, or is just being flattened.
    """
    name = name_of(sha256)
    with cluster.images(pool) as ioctx:
        with opened(ioctx, name, read_only=False) as image:
            if image is None:
                return False
            if is_complete(image):
                _check_unused(ioctx, image, sha256)
                if image.id() in intents.detaching(cluster, pools):
                    raise ImageInUse(f"A clone of image {sha256} is being flattened.")
                image.remove_snap(SNAPSHOT)
        rbd.RBD().remove(ioctx, name, on_progress=cluster.on_progress)
    return True


def _check_unused(ioctx: Any, image: Any, sha256: str) -> None:
    count = len(parents.clones(ioctx, image.id(), image.snap_get_id(SNAPSHOT)))
    if count:
        raise ImageInUse(f"{count} volumes are clones of image {sha256}.")


def is_complete(image: Any) -> bool:
    return any(snapshot["name"] == SNAPSHOT for snapshot in image.list_snaps())


def _make_namespace(cluster: Cluster, pool: str) -> None:
    with cluster.volumes(pool) as ioctx, suppress(rbd.ImageExists):
        rbd.RBD().namespace_create(ioctx, NAMESPACE)


def _pieces(descriptor: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Return what the file has besides holes."""
    offset = 0
    while offset < size:
        try:
            offset = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:  # ENXIO: a hole up to the end
            return
        end = os.lseek(descriptor, offset, os.SEEK_HOLE)
        while offset < end:
            data = os.pread(descriptor, min(PIECE_BYTES, end - offset), offset)
            yield offset, data
            offset += len(data)

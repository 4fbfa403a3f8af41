"""Content of a snapshot, in pieces; what was never written is left out.

librbd reads a clone together with its parents. Their chain stays as it is meanwhile: the agent flattens no volume that
is read, and what has a clone is neither flattened nor deleted.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rbd

from agents.storage.errors import SnapshotMissing
from agents.storage.worker import parents, snapshots
from agents.storage.worker.cluster import Cluster, opened
from agents.storage.worker.data_frames import HEADER, OFFSET

CHUNK_BYTES, BLOCK_BYTES = 2**20, 2**16
ZEROS = bytes(BLOCK_BYTES)
WINDOW_BYTES = 2**30
"""What librbd is asked to compare at once: a list of at most so many bytes in pieces of a sector is kept in memory."""


def read(cluster: Cluster, *, volume: str, pool: str, snapshot: str) -> dict[str, object]:
    """Send the sizes and the data of the snapshot; return how much was sent, and its checksum.

    Raises:
        SnapshotMissing: there is none; or it was removed meanwhile, and zeros may have been read.
        ClusterFailed: the volume names a parent that does not know it, which a node can write.
    """
    digest, sent_bytes = hashlib.sha256(), 0
    with cluster.volumes(pool) as ioctx:
        with _at(ioctx, volume, snapshot) as (image, number):
            parents.chain(cluster, ioctx, image)
            size_bytes = int(image.size())
            cluster.send(HEADER.pack(size_bytes, _used_bytes(cluster, image, size_bytes)))
            for offset, data in _written(cluster, image, size_bytes):
                piece = OFFSET.pack(offset) + data
                digest.update(piece)
                cluster.send(piece)
                sent_bytes += len(data)
        if snapshots.number_of(ioctx, volume, snapshot) != number:
            raise SnapshotMissing(f"Snapshot {snapshot} of volume {volume} was removed while it was read.")
    return {"sent_bytes": sent_bytes, "sha256": digest.hexdigest()}


@contextmanager
def _at(ioctx: Any, volume: str, snapshot: str) -> Iterator[tuple[Any, int]]:
    """Open the volume at the snapshot; return it and RBD's number of the snapshot."""
    number = snapshots.number_of(ioctx, volume, snapshot)
    with opened(ioctx, volume) as image:
        if image is None or number is None:
            raise SnapshotMissing(f"There is no snapshot {snapshot} of volume {volume}.")
        try:
            image.set_snap_by_id(number)
        except rbd.ImageNotFound:
            raise SnapshotMissing(f"Snapshot {snapshot} of volume {volume} was just removed.") from None
        yield image, number


def _used_bytes(cluster: Cluster, image: Any, size_bytes: int) -> int:
    windows = extent_windows(cluster, size_bytes)
    return sum(length for begin, width in windows for _, length in _extents(image, begin, width, whole_object=True))


def _written(cluster: Cluster, image: Any, size_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Return the offset and the bytes of each piece with data, in their order."""
    for begin, width in extent_windows(cluster, size_bytes):
        for offset, length in _extents(image, begin, width, whole_object=False):
            for start in range(offset, offset + length, CHUNK_BYTES):
                yield from _without_zeros(start, image.read(start, min(CHUNK_BYTES, offset + length - start)))
                cluster.progress()  # zeros that were written are read and not sent


def _without_zeros(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the runs of blocks that have data: an object that was overwritten since is listed up to its end."""
    begin = None
    for at in range(0, len(data), BLOCK_BYTES):
        if not ZEROS.startswith(data[at : at + BLOCK_BYTES]):
            begin = at if begin is None else begin
        elif begin is not None:
            yield offset + begin, data[begin:at]
            begin = None
    if begin is not None:
        yield offset + begin, data[begin:]


def extent_windows(cluster: Cluster, size_bytes: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, size_bytes, WINDOW_BYTES):
        yield begin, min(WINDOW_BYTES, size_bytes - begin)
        cluster.progress()


def _extents(image: Any, begin: int, width: int, *, whole_object: bool) -> list[tuple[int, int]]:
    """Return what was written in the window, of the parents too."""
    found: list[tuple[int, int]] = []

    def note(offset: int, length: int, exists: bool) -> None:
        if exists:
            found.append((offset, length))

    image.diff_iterate(begin, width, None, note, include_parent=True, whole_object=whole_object)
    return sorted(found)

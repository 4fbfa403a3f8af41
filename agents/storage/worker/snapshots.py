"""Snapshots of volumes: RBD snapshots of the volume's image, named by the snapshot's id.

A node that has a volume open can make snapshots of it too, and remove any: those whose names are no ids are not listed.
"""

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from agents.node.errors import VolumeInUse
from agents.storage.errors import ClusterFailed, SizeDiffers, SnapshotMissing, VolumeMissing
from agents.storage.worker import openings, revert_records
from agents.storage.worker.cluster import Cluster, has_exclusive_lock, opened
from agents.storage.worker.fencing import fence, holders, watchers
from agents.storage.worker.intents import working_on
from agents.storage.worker.names import is_id, is_of_user, unprotect

PAGE = 200


def ensure(cluster: Cluster, *, volume: str, pool: str, snapshot: str, size_bytes: int) -> dict[str, object]:
    """Take the snapshot, unless it exists. A guest goes on writing; its QEMU takes part in it.

    Raises:
        VolumeMissing: there is no such volume.
        SizeDiffers: the volume, or the snapshot that exists, has another size.
        VolumeInUse: a client that ended without a word, or sleeps, could change the snapshot later; or one may have a
            volume open that is for several writers.
        RevertUnfinished: the volume is a mixture of two contents.
    """
    with _opened(cluster, volume, pool=pool) as (ioctx, image):
        if image is None:
            raise VolumeMissing(f"There is no volume {volume} in pool {pool!r}.")
        found = _find(image, snapshot)
        if found is None:
            revert_records.require_finished(cluster, volume, pool=pool)
            _check_size("Volume", volume, int(image.size()), size_bytes)
            if has_exclusive_lock(image):
                _end_sleepers(cluster, ioctx, volume, pool=pool)
            else:
                _check_closed(cluster, image, volume, pool=pool)
            image.create_snap(snapshot)
            found = _find(image, snapshot)
        if found is None:  # a node whose QEMU has the lock takes it, and only says that it did
            raise ClusterFailed(f"The client that has volume {volume} open did not take the snapshot.")
        _check_size("Snapshot", snapshot, int(found["size"]), size_bytes)
        return _state(image, found)


def remove(cluster: Cluster, *, volume: str, pool: str, snapshot: str) -> bool:
    """Remove the snapshot; False if there was none. Its data stay as long as there are clones of it.

    Raises:
        ClusterFailed: a guest's QEMU, which removes it while it has the volume's lock, only says that it did.
        RevertUnfinished: it is being copied into the volume.
    """
    with _opened(cluster, volume, pool=pool) as (ioctx, image):
        found = None if image is None else _find(image, snapshot)
        if image is None or found is None:
            return False
        revert_records.require_finished(cluster, volume, pool=pool, to=snapshot)
        unprotect(ioctx, image.id(), found)
        image.remove_snap(snapshot)
        if _find(image, snapshot) is not None:
            raise ClusterFailed(f"The client that has volume {volume} open did not remove the snapshot.")
        return True


def page(cluster: Cluster, *, volume: str, pool: str, after: str) -> list[dict[str, object]]:
    """Return the next snapshots.

    Raises:
        VolumeMissing: there is no such volume.
    """
    with cluster.volumes(pool) as ioctx, opened(ioctx, volume) as image:
        if image is None:
            raise VolumeMissing(f"There is no volume {volume} in pool {pool!r}.")
        ours = (each for each in image.list_snaps() if each["name"] > after and _is_ours(each))
        return [_state(image, each) for each in heapq.nsmallest(PAGE, ours, key=lambda each: str(each["name"]))]


def first_ids(image: Any) -> tuple[list[str], bool]:
    """Return the ids of the open image's first snapshots, and whether it has more."""
    names = heapq.nsmallest(PAGE + 1, (str(each["name"]) for each in image.list_snaps() if _is_ours(each)))
    return names[:PAGE], len(names) > PAGE


def number_of(ioctx: Any, volume: str, snapshot: str) -> int | None:
    """Return RBD's number of the snapshot, which no other one ever has; None: there is none."""
    with opened(ioctx, volume) as image:
        return None if image is None else number_in(image, snapshot)


def number_in(image: Any, snapshot: str) -> int | None:
    """Return RBD's number of a snapshot of the open image; None: there is none."""
    found = _find(image, snapshot)
    return None if found is None else int(found["id"])


def size_of(ioctx: Any, volume: str, snapshot: str) -> int:
    """Return the size of a snapshot.

    Raises:
        SnapshotMissing: there is none.
    """
    with opened(ioctx, volume) as image:
        return size_in(image, volume, snapshot)


def size_in(image: Any | None, volume: str, snapshot: str) -> int:
    """Return the size of a snapshot of the open image, which is that of the volume. Raises as size_of."""
    found = None if image is None else _find(image, snapshot)
    if found is None:
        raise SnapshotMissing(f"There is no snapshot {snapshot} of volume {volume}.")
    return int(found["size"])


def check_unused(cluster: Cluster, image: Any | None, volume: str) -> None:
    """Raise VolumeInUse if a client has the open image open, which is that of the volume."""
    open_by = [] if image is None else watchers(cluster, image)
    if open_by:
        raise VolumeInUse(f"Volume {volume} is open by {', '.join(open_by)}.")


@contextmanager
def _opened(cluster: Cluster, volume: str, *, pool: str) -> Iterator[tuple[Any, Any]]:
    """Return the pool's I/O context, and the image to change; None if there is no such volume."""
    with (
        cluster.volumes(pool) as ioctx,
        working_on(cluster, ioctx, volume, pool=pool),
        opened(ioctx, volume, read_only=False) as image,
    ):
        yield ioctx, image


def _check_closed(cluster: Cluster, image: Any, volume: str, *, pool: str) -> None:
    """Raise VolumeInUse if a client may write to the volume, which is for several: each learns of a snapshot at another
    moment, and would change it until then.
    """
    check_unused(cluster, image, volume)
    if openings.is_open(cluster, volume=volume, pool=pool):
        raise VolumeInUse(f"Volume {volume} is shared, and a node has a key of it: close it before the snapshot.")


def _end_sleepers(cluster: Cluster, ioctx: Any, volume: str, *, pool: str) -> None:
    """Fence clients that have a lock alone. They would write with the state from before the snapshot, and so change it.

    Raises:
        VolumeInUse: a node has a key, so it may be a guest that is cut off for the moment.
    """
    asleep = holders(cluster, ioctx, volume).asleep
    if not asleep:
        return
    if openings.is_open(cluster, volume=volume, pool=pool):
        raise VolumeInUse(f"Volume {volume} is locked by {', '.join(sorted(asleep))}, which does not answer: close it.")
    fence(cluster, ioctx, volume, lambda address: address in asleep)


def _check_size(kind: str, name: str, found: int, expected: int) -> None:
    if found != expected:
        raise SizeDiffers(f"{kind} {name} has {found} bytes, not {expected}.")


def _find(image: Any, snapshot: str) -> dict[str, Any] | None:
    found = (each for each in image.list_snaps() if each["name"] == snapshot and _is_ours(each))
    return next(found, None)


def _is_ours(snapshot: dict[str, Any]) -> bool:
    """Return whether it is a snapshot as EnsureSnapshot makes it, and none that waits for its clones to go."""
    return is_of_user(snapshot) and is_id(snapshot["name"])


def _state(image: Any, snapshot: dict[str, Any]) -> dict[str, object]:
    taken_at = image.get_snap_timestamp(snapshot["id"]).replace(tzinfo=UTC)
    return {
        "snapshot_id": snapshot["name"],
        "size_bytes": int(snapshot["size"]),
        "taken_at_ms": int(taken_at.timestamp() * 1000),
    }

"""Reverts of volumes to their snapshots.

A copy that has begun is finished, by the call, its repetition or a round of `agents/storage/unfinished_reverts.py`: the
permit was for the whole copy, and no data goes to another place. Until then nothing opens the volume or takes a
snapshot.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import rados
import rbd

from agents.node.errors import VolumeInUse, VolumeWouldShrink
from agents.storage.errors import ClusterFailed, GenerationStale, VolumeMissing
from agents.storage.worker import openings, revert_records
from agents.storage.worker.cluster import Cluster, opened
from agents.storage.worker.fencing import fence, holders, watchers
from agents.storage.worker.intents import working_on
from agents.storage.worker.revert_records import Revert
from agents.storage.worker.snapshots import check_unused, size_in

REPORT_S = 0.5


def revert(
    cluster: Cluster, *, volume: str, pool: str, snapshot: str, size_bytes: int, generation: int
) -> dict[str, object]:
    """Give the volume the content of the snapshot, then the size.

    A repetition for the `generation` of the last revert does nothing: what was written since would be lost. A client
    that ended without a word, or sleeps, is fenced first: it could write what it had cached.

    Raises:
        GenerationStale: the last revert was for a newer generation, or for this one to another snapshot; or `finish`
            has said of this one that it had not begun.
        VolumeMissing, SnapshotMissing: there is none.
        VolumeWouldShrink: the snapshot is larger than the size.
        VolumeInUse: a client has the volume open, or a node has a key, with which it may be about to.
    """
    with cluster.volumes(pool) as ioctx, working_on(cluster, ioctx, volume, pool=pool):
        last = _last(cluster, volume, pool=pool, generation=generation, snapshot=snapshot)
        if last is not None and last.is_finished:
            return {"size_bytes": size_bytes, "watchers": sorted(holders(cluster, ioctx, volume).watching)}
        _copy(cluster, ioctx, volume, Revert(generation, snapshot, size_bytes, is_finished=False), pool=pool)
        return {"size_bytes": size_bytes, "watchers": []}


def finish(cluster: Cluster, *, volume: str, pool: str, snapshot: str, generation: int) -> bool:
    """Finish the revert if its copy has begun; False: it has not, and will not. Raises as revert.

    A call that is late, and waits for the volume's lock, is refused then.
    """
    with cluster.volumes(pool) as ioctx, working_on(cluster, ioctx, volume, pool=pool):
        if _is_closed(cluster, volume, pool=pool, generation=generation):
            return False
        last = _last(cluster, volume, pool=pool, generation=generation, snapshot=snapshot)
        if last is None:
            _close(cluster, ioctx, volume, pool=pool, generation=generation)
            return False
        if not last.is_finished:
            _copy(cluster, ioctx, volume, last, pool=pool)
        return True


def _is_closed(cluster: Cluster, volume: str, *, pool: str, generation: int) -> bool:
    last = revert_records.last(cluster, volume, pool=pool)
    return last is not None and (last.generation, last.snapshot) == (generation, "")


def _close(cluster: Cluster, ioctx: Any, volume: str, *, pool: str, generation: int) -> None:
    """Let no revert of this generation begin. A copy that has not ended stays on record: no node opens the volume."""
    last = revert_records.last(cluster, volume, pool=pool)
    with opened(ioctx, volume) as image:
        if image is not None and (last is None or last.is_finished):
            revert_records.write(cluster, volume, Revert(generation, snapshot=""), pool=pool)


def unfinished(cluster: Cluster, *, pool: str) -> list[dict[str, object]]:
    """Return the arguments of `finish`, for each revert of the pool that has begun and not ended."""
    return [
        {"volume": volume, "snapshot": each.snapshot, "generation": each.generation}
        for volume, each in revert_records.unfinished(cluster, pool=pool).items()
    ]


def _last(cluster: Cluster, volume: str, *, pool: str, generation: int, snapshot: str) -> Revert | None:
    """Return the volume's last revert if it is this one; None: it is older.

    Raises:
        GenerationStale: it is neither.
    """
    last = revert_records.last(cluster, volume, pool=pool)
    if last is None or last.generation < generation:
        return None
    if (last.generation, last.snapshot) != (generation, snapshot):
        before = f"reverted to snapshot {last.snapshot}" if last.snapshot else "asked for a revert that had not begun,"
        raise GenerationStale(
            f"Volume {volume} was {before} for its generation {last.generation}; "
            f"the call is for generation {generation} and snapshot {snapshot}."
        )
    return last


def _copy(cluster: Cluster, ioctx: Any, volume: str, wanted: Revert, *, pool: str) -> None:
    _check_revertible(ioctx, volume, pool=pool, wanted=wanted)
    if openings.is_open(cluster, volume=volume, pool=pool):
        raise VolumeInUse(f"A node has a key of volume {volume}: close it.")
    found = holders(cluster, ioctx, volume)
    if found.watching:
        raise VolumeInUse(f"Volume {volume} is open by {', '.join(sorted(found.watching))}.")
    if found.asleep:
        fence(cluster, ioctx, volume, lambda address: address in found.asleep)
    with rbd.Image(ioctx, volume) as image:
        check_unused(cluster, image, volume)
        revert_records.write(cluster, volume, wanted, pool=pool)
        with reported(cluster, pool, image.id()):
            image.rollback_to_snap(wanted.snapshot)
            if open_by := watchers(cluster, image):
                raise ClusterFailed(f"Volume {volume} was opened during the copy by {', '.join(open_by)}.")
            image.resize(wanted.size_bytes, False)
    revert_records.write(cluster, volume, replace(wanted, is_finished=True), pool=pool)


@contextmanager
def reported(cluster: Cluster, pool: str, image_id: str) -> Iterator[None]:
    """Report progress as long as the cluster answers for the image: librbd tells nothing of a rollback.

    A rollback whose objects are on a silent disk fails by itself, see `cluster.SETTINGS`.
    """
    is_over = threading.Event()

    def report() -> None:
        with cluster.volumes(pool) as ioctx:
            while not is_over.wait(REPORT_S):
                try:
                    ioctx.stat(f"rbd_header.{image_id}")
                except rados.Error:
                    return
                cluster.progress()

    reporting = threading.Thread(target=report, daemon=True)
    reporting.start()
    try:
        yield
    finally:
        is_over.set()
        reporting.join()


def _check_revertible(ioctx: Any, volume: str, *, pool: str, wanted: Revert) -> None:
    with opened(ioctx, volume) as image:
        if image is None:
            raise VolumeMissing(f"There is no volume {volume} in pool {pool!r}.")
        needed = size_in(image, volume, wanted.snapshot)
    if needed > wanted.size_bytes:
        raise VolumeWouldShrink(
            f"Snapshot {wanted.snapshot} has {needed} bytes; the volume is to have {wanted.size_bytes}."
        )

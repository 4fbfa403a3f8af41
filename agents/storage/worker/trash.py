"""The trash of a pool: removed volumes, until their data is deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import rados
import rbd

from agents.storage.worker import intents, parents, snapshots
from agents.storage.worker.cluster import Cluster, opened
from agents.storage.worker.names import is_id, unprotect


def empty(cluster: Cluster, *, pool: str, pools: Sequence[str]) -> int:
    """Delete the volumes of the trash, but for those that have clones or are not due; returns how many are left.

    `pools`: where clones may be.
    """
    left = 0
    with cluster.volumes(pool) as ioctx:
        entries = [entry for entry in rbd.RBD().trash_list(ioctx) if is_id(entry["name"])]
        for entry in entries:
            if not _is_due(entry) or not _delete(cluster, ioctx, entry["id"], pools=pools):
                left += 1
    return left


def name_of(cluster: Cluster, *, pool: str, volume: str, snapshot: str = "") -> str:
    """Return what a volume or a snapshot is called in the trash: IMAGE, or IMAGE@NUMBER; empty: it is not there."""
    with cluster.volumes(pool) as ioctx, opened(ioctx, volume) as image:
        if image is None:
            return ""
        if not snapshot:
            return str(image.id())
        number = snapshots.number_in(image, snapshot)
        return "" if number is None else f"{image.id()}@{number}"


def erased(cluster: Cluster, *, pool: str, names: Sequence[str]) -> list[str]:
    """Return those of the volumes and snapshots, by their names in the trash, whose data is deleted."""
    with cluster.volumes(pool) as ioctx:
        return [each for each in names if _is_erased(ioctx, each)]


def _is_erased(ioctx: Any, name: str) -> bool:
    image_id, _, number = name.partition("@")
    if not _has_header(ioctx, image_id):
        return True
    return bool(number) and not _has_snapshot(ioctx, image_id, int(number))


def _has_header(ioctx: Any, image_id: str) -> bool:
    """Return whether the image exists, also in the trash. Its header is deleted after its data."""
    try:
        ioctx.stat(f"rbd_header.{image_id}")
    except rados.ObjectNotFound:
        return False
    return True


def _has_snapshot(ioctx: Any, image_id: str, number: int) -> bool:
    """Return whether the image has the snapshot, also one that waits for its clones to go; in doubt it has."""
    try:
        with opened(ioctx, None, image_id=image_id) as image:
            return image is None or any(each["id"] == number for each in image.list_snaps())
    except (rbd.Error, rados.Error):  # a node has written something into its header
        return True


def _is_due(entry: dict[str, Any]) -> bool:
    """Return whether the image is due for deletion: an operator can put one into the trash for longer."""
    return bool(entry["deferment_end_time"].replace(tzinfo=UTC) <= datetime.now(UTC))


def _delete(cluster: Cluster, ioctx: Any, image_id: str, *, pools: Sequence[str]) -> bool:
    try:
        if _remove_snapshots(cluster, ioctx, image_id, pools=pools):
            rbd.RBD().trash_remove(ioctx, image_id, on_progress=cluster.on_progress)
            return True
    except (rbd.Error, rados.Error):  # a client has it open, or a node has written something into its header
        pass
    return False


def _remove_snapshots(cluster: Cluster, ioctx: Any, image_id: str, *, pools: Sequence[str]) -> bool:
    """Remove all snapshots that have no clones, unmanaged ones too; return whether the volume can be deleted."""
    with opened(ioctx, None, image_id=image_id, read_only=False) as image:
        snapshots = [] if image is None else list(image.list_snaps())
        free = [each for each in snapshots if not parents.has_real_clones(cluster, ioctx, image_id, each["id"])]
        # A flattening is recorded before the parent forgets the clone: read in the other order, it could be missed.
        if image_id in intents.detaching(cluster, pools):
            return False
        if image is None:
            return True
        for snapshot in free:
            parents.forget_clones(ioctx, image_id, snapshot["id"])
            unprotect(ioctx, image_id, snapshot)
            image.remove_snap_by_id(snapshot["id"])
        return not list(image.list_snaps())

"""The trash of a pool: removed volumes, until their data is deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import rados
import rbd

from agents.storage.worker import intents, parents
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


def erased(cluster: Cluster, *, pool: str, images: Sequence[str]) -> list[str]:
    """Return those of the images, by id, whose data are deleted: neither they nor their headers are there any more."""
    with cluster.volumes(pool) as ioctx:
        left = {str(entry["id"]) for entry in rbd.RBD().trash_list(ioctx)}
        return [each for each in images if each not in left and not _has_header(ioctx, each)]


def _has_header(ioctx: Any, image_id: str) -> bool:
    """Return whether the image exists. Its header is deleted after its data."""
    try:
        ioctx.stat(f"rbd_header.{image_id}")
    except rados.ObjectNotFound:
        return False
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

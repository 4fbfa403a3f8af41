"""The trash of a pool: removed volumes, until their data is deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

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
        needed = intents.detaching(cluster, pools) if entries else set()
        for entry in entries:
            if entry["id"] in needed or not _is_due(entry) or not _delete(cluster, ioctx, entry["id"]):
                left += 1
    return left


def _is_due(entry: dict[str, Any]) -> bool:
    """Return whether it may go already: an operator can put something there for longer."""
    return bool(entry["deferment_end_time"].replace(tzinfo=UTC) <= datetime.now(UTC))


def _delete(cluster: Cluster, ioctx: Any, image_id: str) -> bool:
    try:
        if _remove_snapshots(ioctx, image_id):
            rbd.RBD().trash_remove(ioctx, image_id, on_progress=cluster.on_progress)
            return True
    except rbd.Error:  # a client that ended without a word has it open
        pass
    return False


def _remove_snapshots(ioctx: Any, image_id: str) -> bool:
    """Remove the snapshots that have no clones, whoever made them; returns whether none is left."""
    with opened(ioctx, None, image_id=image_id, read_only=False) as image:
        if image is None:
            return True
        for snapshot in list(image.list_snaps()):
            if parents.clones(ioctx, image_id, snapshot["id"]):
                continue
            unprotect(ioctx, image_id, snapshot)
            image.remove_snap_by_id(snapshot["id"])
        return not list(image.list_snaps())

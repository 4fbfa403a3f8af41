"""Flattening: a clone gets all data of its own, so that deleted parents can go and chains stay short.

An open clone reads its chain of parents as it was when it was opened: if one of them were flattened and the next one
deleted, its guest would read zeros. And librbd hands the flattening of an open clone over to its guest. So a clone is
flattened only if it has no clones itself, nobody has it open, and no node has a key to open it.
"""

import heapq
import os
from collections.abc import Callable, Sequence
from typing import Any

import rados
import rbd

from agents.storage.errors import ClusterFailed
from agents.storage.worker import openings, parents
from agents.storage.worker.cluster import Cluster, opened
from agents.storage.worker.fencing import holders
from agents.storage.worker.intents import working_on
from agents.storage.worker.names import is_id
from agents.storage.worker.parents import Parent

MAX_PARENTS = 4
PAGE = 100


def find(cluster: Cluster, *, pools: Sequence[str], pool: str, after: str) -> dict[str, object]:
    """Return the first volume to flatten among the next ones, and the name to go on after; empty: none, the end.

    A node can write a parent into its volume's header: `problems` has why such a volume is passed over.
    """
    problems: list[str] = []
    trashed = {key for each in pools for key in _trashed(cluster, each)}
    with cluster.volumes(pool) as ioctx:
        names = heapq.nsmallest(PAGE, (name for name in rbd.RBD().list(ioctx) if name > after and is_id(name)))
        for name in names:
            try:
                if _detaching(cluster, ioctx, name, pool=pool, trashed=trashed) is not None:
                    return {"volume": name, "after": name, "problems": problems}
            except (ClusterFailed, rbd.Error, rados.Error) as exc:
                problems.append(f"{name}: {exc}")
            cluster.progress()
    return {"volume": "", "after": names[-1] if len(names) == PAGE else "", "problems": problems}


def flatten(cluster: Cluster, *, volume: str, pool: str, pools: Sequence[str]) -> bool:
    """Flatten the volume; False if it is no longer one to flatten. Ends the process at a request to stop."""
    trashed = {key for each in pools for key in _trashed(cluster, each)}
    with cluster.volumes(pool) as ioctx:
        drops = _detaching(cluster, ioctx, volume, pool=pool, trashed=trashed)
        if drops is None:
            return False
        with (
            working_on(cluster, ioctx, volume, pool=pool, detaching=[each.id for each in drops]),
            rbd.Image(ioctx, volume) as image,
        ):
            image.flatten(on_progress=_stoppable(cluster))
    return True


def _detaching(
    cluster: Cluster, ioctx: Any, name: str, *, pool: str, trashed: set[tuple[str, str]]
) -> list[Parent] | None:
    """Return the parents of a volume that is to be flattened, and can be; None if it is none."""
    with opened(ioctx, name) as image:
        if image is None:
            return None
        chain = parents.chain(cluster, ioctx, image)
        is_due = len(chain) > MAX_PARENTS or any((each.pool, each.id) in trashed for each in chain)
        if not is_due or parents.has_clones(ioctx, image):
            return None
    is_held = openings.is_open(cluster, volume=name, pool=pool) or holders(cluster, ioctx, name).all
    return None if is_held else chain


def _trashed(cluster: Cluster, pool: str) -> list[tuple[str, str]]:
    with cluster.volumes(pool) as ioctx:
        return [(pool, str(entry["id"])) for entry in rbd.RBD().trash_list(ioctx)]


def _stoppable(cluster: Cluster) -> Callable[[int, int], int]:
    """Return a function that librbd calls while it copies, and not while it changes the volume's parent after that."""

    def on_progress(done: int, total: int) -> int:
        if cluster.is_to_stop and done < total:
            os._exit(0)
        return cluster.on_progress(done, total)

    return on_progress

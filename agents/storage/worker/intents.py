"""Intents: while a process of the agent changes a volume, the cluster has a record of the process's address.

A process that is killed meanwhile leaves a lock, which a node's key cannot break. The next call that changes the
volume, or opens it for a node, fences that process first. The agent has one call at a time for a volume, so that the
record is that of an ended call.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from agents.node.errors import AgentError
from agents.storage.worker import parents, records
from agents.storage.worker.cluster import Cluster, opened
from agents.storage.worker.fencing import fence

RECORDS = "intents"  # an object of the pool


@contextmanager
def working_on(
    cluster: Cluster, ioctx: Any, volume: str, *, pool: str, detaching: Sequence[str] = ()
) -> Iterator[None]:
    """Finish the work of an ended process, and record this one. `detaching`: parents that a flattening drops, by id.

    After an error of Ceph the record stays: the process is killed then, whatever state its lock has.
    """
    settle(cluster, ioctx, volume, pool=pool)
    records.write(cluster, pool, RECORDS, volume, {"address": cluster.own_address, "detaching": list(detaching)})
    try:
        yield
    except AgentError:
        records.remove(cluster, pool, RECORDS, volume)
        raise
    records.remove(cluster, pool, RECORDS, volume)


def settle(cluster: Cluster, ioctx: Any, volume: str, *, pool: str) -> None:
    """Fence an ended process that was working on the volume, and finish its flattening if that has begun."""
    left = records.read(cluster, pool, RECORDS, prefix=volume, limit=1).get(volume)
    if left is None:
        return
    address = left["address"]
    if address != cluster.own_address:
        fence(cluster, ioctx, volume, lambda each: each == address)
    if left["detaching"]:
        _finish_flattening(cluster, ioctx, volume)
    records.remove(cluster, pool, RECORDS, volume)


def detaching(cluster: Cluster, pools: Sequence[str]) -> set[str]:
    """Return the ids of images that may not be deleted: a clone may still read them, though their lists lack it."""
    found = (records.read_all(cluster, pool, RECORDS) for pool in pools)
    return {each for intents in found for intent in intents.values() for each in intent["detaching"]}


def _finish_flattening(cluster: Cluster, ioctx: Any, volume: str) -> None:
    with opened(ioctx, volume, read_only=False) as image:
        if image is not None and parents.is_detached(cluster, ioctx, image):
            image.flatten(on_progress=cluster.on_progress)

"""Records of the agent in the cluster, as JSON: in the namespace where no node's key reaches them."""

import json
from contextlib import suppress
from typing import Any

import rados

from agents.storage.worker.cluster import Cluster

PAGE = 256  # Ceph answers at most 1024 keys at once


def read(cluster: Cluster, pool: str, name: str, *, prefix: str = "", after: str = "", limit: int) -> dict[str, Any]:
    """Return the records of the object `name` whose keys begin with `prefix` and are greater than `after`."""
    with cluster.images(pool) as ioctx, rados.ReadOpCtx() as operation:
        values, _ = ioctx.get_omap_vals(operation, after, prefix, limit)
        try:
            ioctx.operate_read_op(operation, name)
        except rados.ObjectNotFound:
            return {}
        return {key: json.loads(value) for key, value in values}


def read_all(cluster: Cluster, pool: str, name: str) -> dict[str, Any]:
    """Return all records of the object `name`, however many."""
    found: dict[str, Any] = {}
    while page := read(cluster, pool, name, after=max(found, default=""), limit=PAGE):
        found |= page
    return found


def write(cluster: Cluster, pool: str, name: str, key: str, value: object) -> None:
    with cluster.images(pool) as ioctx, rados.WriteOpCtx() as operation:
        ioctx.set_omap(operation, (key,), (json.dumps(value).encode(),))
        ioctx.operate_write_op(operation, name)


def remove(cluster: Cluster, pool: str, name: str, key: str) -> None:
    with cluster.images(pool) as ioctx, rados.WriteOpCtx() as operation:
        ioctx.remove_omap_keys(operation, (key,))
        with suppress(rados.ObjectNotFound):  # nothing was recorded in this pool before
            ioctx.operate_write_op(operation, name)

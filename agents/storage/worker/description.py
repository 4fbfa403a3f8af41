"""The cluster's state, for operators and for the placement of volumes."""

from datetime import UTC
from typing import Any

import rbd

from agents.storage.worker.cluster import Cluster
from agents.storage.worker.names import is_id

HEALTH = {"HEALTH_OK": "ok", "HEALTH_WARN": "degraded", "HEALTH_ERR": "error"}
FULL = frozenset({"nearfull", "backfillfull", "full", "full_quota"})
NO_POOL = "There is no pool {pool!r} for RBD in the cluster."
NO_SIZES = "The manager daemon reports no sizes: the use of the pools, and their capacity without a quota, are unknown."
MAX_PROBLEMS = 50


def describe(cluster: Cluster, *, pools: list[str]) -> dict[str, object]:
    health = cluster.command("health")
    checks = [check["summary"]["message"] for check in health["checks"].values() if not check.get("muted")]
    found = {each["pool_name"]: each for each in cluster.command("osd pool ls", detail="detail")}
    sizes = {each["name"]: each["stats"] for each in cluster.command("df", detail="detail")["pools"]}
    there = [pool for pool in pools if pool in found and "rbd" in found[pool]["application_metadata"]]
    trashes = {pool: trash_state(cluster, pool) for pool in there}
    problems = [*checks, *(NO_POOL.format(pool=pool) for pool in pools if pool not in there)]
    if not all(pool in sizes for pool in there):
        problems.append(NO_SIZES)
    return {
        "fsid": cluster.rados.get_fsid(),
        "monitors": cluster.monitors(),
        "pools": [pool_state(found[pool], sizes.get(pool)) | trashes[pool] for pool in there],
        "health": HEALTH.get(health["status"], "error"),
        "problems": problems[:MAX_PROBLEMS],
        "ceph_version": cluster.command("version")["version"],
    }


def trash_state(cluster: Cluster, pool: str) -> dict[str, int]:
    """Return how many volumes wait for their deletion, and since when (Unix time; 0: none waits).

    It reads from the pool's disks: monitors answer also while these are away.
    """
    with cluster.volumes(pool) as ioctx:
        removals = [each["deletion_time"] for each in rbd.RBD().trash_list(ioctx) if is_id(each["name"])]
    since = min(removals, default=None)
    return {
        "trash_count": len(removals),
        "trash_since_s": 0 if since is None else int(since.replace(tzinfo=UTC).timestamp()),
    }


def pool_state(pool: dict[str, Any], stats: dict[str, Any] | None) -> dict[str, object]:
    """Return the pool of `osd pool ls detail` with its sizes of `df detail`; None: nobody reports them.

    What is written counts, once for all replicas: `stored` counts the holes of clones and snapshots too. Monitors know
    the pool's quota also without the manager daemon; what exceeds it cannot be written.
    """
    replicas = pool["size"]
    used = stats["bytes_used"] // replicas if stats else 0
    quota = pool["quota_max_bytes"]
    free = stats["max_avail"] if stats else quota
    if quota:
        free = min(free, max(0, quota - used))
    return {
        "name": pool["pool_name"],
        "size_bytes": used + free,
        "used_bytes": used,
        "free_bytes": free,
        "replicas": replicas,
        "is_nearly_full": not FULL.isdisjoint(pool["flags_names"].split(",")),
    }

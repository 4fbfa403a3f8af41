"""The cluster's state, for operators and for the placement of volumes."""

from typing import Any

import rbd

from agents.storage.worker.cluster import NAMESPACE, Cluster

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
    for pool in there:
        _check_answers(cluster, pool)
    problems = [*checks, *(NO_POOL.format(pool=pool) for pool in pools if pool not in there)]
    if not all(pool in sizes for pool in there):
        problems.append(NO_SIZES)
    return {
        "fsid": cluster.rados.get_fsid(),
        "monitors": cluster.monitors(),
        "pools": [pool_state(found[pool], sizes.get(pool)) for pool in there],
        "health": HEALTH.get(health["status"], "error"),
        "problems": problems[:MAX_PROBLEMS],
        "ceph_version": cluster.command("version")["version"],
    }


def _check_answers(cluster: Cluster, pool: str) -> None:
    """Read something of the pool: monitors answer also while the disks are away."""
    with cluster.volumes(pool) as ioctx:
        rbd.RBD().namespace_exists(ioctx, NAMESPACE)


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

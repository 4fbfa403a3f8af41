"""Pools of a storage cluster: their rows, by its reports, and the nodes that can open images in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from controlplane.kernel.units import GIB
from controlplane.nodes.models import RBD, Pool
from controlplane.nodes.pools import give_trait, keep_size, withdraw_trait
from controlplane.storage_clusters.errors import StorageClusterInUse
from controlplane.storage_clusters.models import StorageCluster

PROBLEMS = MISSING, CONFLICT, SHRUNK, NEARLY_FULL = (
    "pool-missing",  # a pool that has disks is not reported any more
    "pool-conflict",  # the zone has another pool of that name, or no row can have it
    "pool-shrunk",  # the pool can take less than what is allocated of it
    "nearly-full",  # Ceph reports that a pool, or the cluster, is nearly full
)
NAME = re.compile(r"[-a-zA-Z0-9_]{1,40}")


@dataclass(frozen=True, slots=True)
class ReportedClusterPool:
    """A pool in a report. `size_bytes`: what can be written to it in all; `used_bytes`: of these, what is written.

    Both are 0 where Ceph's manager daemon does not report them. `trash_count`: removed volumes whose data is not
    deleted yet, the oldest removed at `trash_since`; None: the storage agent's release does not count them.
    """

    name: str
    size_bytes: int
    used_bytes: int
    replicas: int
    is_nearly_full: bool
    trash_count: int | None = None
    trash_since: datetime | None = None


def pool_uuid(fsid: UUID, name: str) -> UUID:
    return uuid5(fsid, name)


def record_pools(
    cluster: StorageCluster, fsid: UUID, reported: Sequence[ReportedClusterPool], *, is_complete: bool
) -> set[str]:
    """Record the pools of a report. Returns the problems with them.

    `is_complete`: a pool that is not in the report does not exist any more.
    """
    problems: set[str] = set()
    for each in reported:
        problems |= _record(cluster, fsid, each)
    if is_complete:
        gone = Pool.objects.filter(cluster=cluster).exclude(uuid__in=[pool_uuid(fsid, each.name) for each in reported])
        problems |= {MISSING for pool in gone if not _delete(pool)}
    return problems


def delete_all(cluster: StorageCluster) -> None:
    """Delete the rows of the cluster's pools. Raises StorageClusterInUse."""
    for pool in Pool.objects.filter(cluster=cluster).order_by("name"):
        if not _delete(pool):
            raise StorageClusterInUse(pool=pool.name)


def _record(cluster: StorageCluster, fsid: UUID, reported: ReportedClusterPool) -> set[str]:
    uuid = pool_uuid(fsid, reported.name)
    problems = {NEARLY_FULL} if reported.is_nearly_full else set()
    try:
        pool = Pool.objects.filter(uuid=uuid, cluster=cluster).first() or _create(cluster, fsid, reported)
    except IntegrityError:
        return problems | {CONFLICT}
    if pool is None:
        return problems | {CONFLICT}
    give_trait(pool)
    rows = Pool.objects.filter(pk=pool.pk)
    rows.update(
        replicas=reported.replicas,
        is_reported_nearly_full=reported.is_nearly_full,
        trash_count=reported.trash_count,
        trash_since=reported.trash_since if reported.trash_count else None,
    )
    if not reported.size_bytes:
        return problems
    rows.update(written_gib=-(-reported.used_bytes // GIB))
    return problems if keep_size(pool, reported.size_bytes // GIB) else problems | {SHRUNK}


def _create(cluster: StorageCluster, fsid: UUID, reported: ReportedClusterPool) -> Pool | None:
    """Create the row. None: its name cannot be a pool's. Raises IntegrityError: another pool has the name or UUID."""
    if not NAME.fullmatch(reported.name):
        return None
    with transaction.atomic():
        return Pool.objects.create(
            name=reported.name,
            zone_id=cluster.zone_id,
            uuid=pool_uuid(fsid, reported.name),
            path=f"rbd:{fsid}/{reported.name}",
            engine=RBD,
            cluster=cluster,
        )


def _delete(pool: Pool) -> bool:
    """Delete the row. False: a disk is in the pool, or was, and names it."""
    try:
        with transaction.atomic():
            pool.delete()
    except ProtectedError:
        return False
    withdraw_trait(pool)
    return True

"""Pools: the nodes' reports of shared storage, and the nodes that have each pool."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Func, Q, QuerySet, Value

from controlplane.nodes import incidents
from controlplane.nodes.models import FOLDER, RBD, Incident, Node, Pool

log = logging.getLogger(__name__)

INCIDENTS = MISMATCH, SHRUNK = "pool-mismatch", "pool-shrunk"
WHYS = ("silent", "mismatch", "unmounted")
RBD_TRAIT = "rbd"  # of nodes whose QEMU and libvirt can open images of a Ceph cluster
# Pools with the capability of snapshots: storage agents that report it take them, nodes do not. The second one: they
# know the permits for all disks of an instance. The third one: the lists of volumes have their snapshots.
SNAPSHOTS, INSTANCE_SNAPSHOTS, SNAPSHOT_LISTS = "snapshots", "instance-snapshots", "snapshot-lists"
HAS_SNAPSHOTS = Q(cluster__capabilities__contains=[SNAPSHOTS])
# Pools whose storage agent also sends the content of snapshots, of which images are made.
SNAPSHOT_READS = "snapshot-reads"
HAS_SNAPSHOT_READS = Q(cluster__capabilities__contains=[SNAPSHOTS, SNAPSHOT_READS])
# Pools whose storage agent keeps the keys of a volume apart that is open in two pools of a cluster, as while it moves.
POOL_MOVES = "pool-moves"
# Pools whose storage agent makes volumes that several nodes have open at once; and the trait of nodes that share them.
MULTI_ATTACH = "multi-attach"
HAS_MULTI_ATTACH = Q(cluster__capabilities__contains=[MULTI_ATTACH])


@dataclass(frozen=True)
class ReportedPool:
    """A pool as a node reports it."""

    name: str
    uuid: UUID
    path: str
    size_gib: int


@dataclass(frozen=True)
class PoolsOfName:
    """The pools of one name, of which each zone has at most one. `replicas`: the fewest; None: not reported."""

    zones: tuple[str, ...]
    replicas: int | None
    has_snapshots: bool


def pools_by_name(names: Iterable[str]) -> dict[str, PoolsOfName]:
    """Return the pools by name, in one query. `has_snapshots`: any of them has."""
    pools: dict[str, list[Pool]] = {}
    for pool in Pool.objects.filter(name__in=set(names)).select_related("cluster").order_by("zone"):
        pools.setdefault(pool.name, []).append(pool)
    return {name: _of_name(found) for name, found in pools.items()}


def _of_name(pools: Sequence[Pool]) -> PoolsOfName:
    replicas = [pool.replicas for pool in pools]
    return PoolsOfName(
        zones=tuple(pool.zone_id for pool in pools),
        replicas=None if None in replicas else min(each for each in replicas if each is not None),
        has_snapshots=any(map(has_snapshots, pools)),
    )


def lists_snapshots(pool: Pool) -> bool:
    """Tell if a missing snapshot in the list of a volume proves something."""
    return _has(pool, SNAPSHOT_LISTS)


def has_snapshots(pool: Pool | None) -> bool:
    """Tell if snapshots of the disks in the pool can be taken; None: of disks that one node alone has."""
    return _has(pool, SNAPSHOTS)


def has_instance_snapshots(pool: Pool | None) -> bool:
    """Tell if the disk in the pool can have snapshots of one moment with other disks of its instance."""
    return _has(pool, INSTANCE_SNAPSHOTS)


def has_pool_moves(pool: Pool) -> bool:
    """Tell if disks in the pool of a storage cluster can move to another such pool, and come from there."""
    return _has(pool, POOL_MOVES)


def has_multi_attach(pool: Pool) -> bool:
    """Tell if volumes can be made in the pool that several nodes have open at once."""
    return _has(pool, MULTI_ATTACH)


def has_snapshot_reads(pool: Pool | None) -> bool:
    """Tell if images can be made of the disks in the pool; None: of disks that one node alone has."""
    return _has(pool, SNAPSHOTS, SNAPSHOT_READS)


def _has(pool: Pool | None, *capabilities: str) -> bool:
    """Tell if the pool is of a storage cluster whose agent reports these capabilities."""
    return pool is not None and pool.cluster is not None and set(capabilities) <= set(pool.cluster.capabilities)


def record_pools(node: Node, reported: Sequence[ReportedPool]) -> list[str]:
    """Return the traits of the pools that the node has.

    A pool that differs from the zone's pool of that name is an incident, and does not count: a volume created there
    would be on no other node.
    """
    if not reported:
        return []
    recorded = {
        pool.name: pool for pool in Pool.objects.filter(zone=node.zone_id, name__in=[each.name for each in reported])
    }
    pools = [(each, recorded.get(each.name) or _found(node, each)) for each in reported]
    same = [pool for each, pool in pools if pool is not None and _is_same(pool, each)]
    shrunk = [pool.name for each, pool in pools if pool in same and not keep_size(pool, each.size_gib)]
    _report_incidents(node, MISMATCH, [each for each, pool in pools if pool not in same])
    _report_incidents(node, SHRUNK, [each for each in reported if each.name in shrunk])
    return sorted(pool.trait for pool in same if pool is not None)


def cluster_traits(node: Node, traits: Sequence[str]) -> list[str]:
    """Return the traits of the pools of storage clusters that a node has, if it reports these `traits`."""
    if RBD_TRAIT not in traits:
        return []
    return sorted(pool.trait for pool in Pool.objects.filter(zone=node.zone_id, engine=RBD))


def give_trait(pool: Pool) -> None:
    """Give the pool's trait to the nodes of its zone that can open images of a cluster, before their next heartbeat."""
    nodes = Node.objects.filter(zone=pool.zone_id, traits__contains=[RBD_TRAIT])
    _edit_traits(nodes.exclude(traits__contains=[pool.trait]), pool, "array_append")


def withdraw_trait(pool: Pool) -> None:
    """Take the trait of a deleted pool from the nodes of its zone."""
    _edit_traits(Node.objects.filter(zone=pool.zone_id, traits__contains=[pool.trait]), pool, "array_remove")


def _edit_traits(nodes: QuerySet[Node], pool: Pool, function: str) -> None:
    nodes.update(traits=Func(F("traits"), Value(pool.trait), function=function))


def _is_same(pool: Pool, reported: ReportedPool) -> bool:
    return (pool.engine, pool.uuid, pool.path) == (FOLDER, reported.uuid, reported.path)


def _found(node: Node, reported: ReportedPool) -> Pool | None:
    """Create the pool from the zone's first report. None: the report differs from the known pool."""
    try:
        with transaction.atomic():
            pool = Pool.objects.create(
                name=reported.name,
                zone_id=node.zone_id,
                uuid=reported.uuid,
                path=reported.path,
                capacity_gib=reported.size_gib,
            )
    except IntegrityError:
        return Pool.objects.filter(zone=node.zone_id, name=reported.name).first()
    log.info("node %s reported the new pool %s of zone %s", node.name, pool.name, node.zone_id)
    return pool


def keep_size(pool: Pool | None, size_gib: int) -> bool:
    """Update the size; False when it is below the space in use."""
    if pool is None or pool.capacity_gib == size_gib:
        return True
    try:
        with transaction.atomic():
            Pool.objects.filter(pk=pool.pk).update(capacity_gib=size_gib)
    except IntegrityError:
        return False
    return True


def _report_incidents(node: Node, kind: str, wrong: Sequence[ReportedPool]) -> None:
    for each in wrong:
        incidents.report(node, kind, each.name, uuid=str(each.uuid), path=each.path, size_gib=each.size_gib)
    incidents.end(node, kind, but=[each.name for each in wrong])


def nodes_with_pool(pool: Pool) -> QuerySet[Node]:
    """Return the reachable nodes that have the pool."""
    return Node.objects.filter(zone=pool.zone_id, state="ready", traits__contains=[pool.trait]).order_by("pk")


@dataclass(frozen=True)
class MissingNode:
    """A node that should have a pool and does not.

    `why`: `silent`, it had the pool at its last heartbeat; `mismatch`, it has another one under that name; `unmounted`,
    guests on it have disks there, and it does not report the pool.
    """

    node: Node
    why: str


@dataclass(frozen=True)
class PoolCoverage:
    """The nodes that have a pool, and those that should, by name."""

    nodes: list[Node]
    missing: list[MissingNode]


def pool_coverage(pools: Sequence[Pool], users: Mapping[UUID, set[UUID]]) -> dict[UUID, PoolCoverage]:
    """Return the coverage by pool id. `users`: the nodes whose guests have disks in each."""
    zones, names = {pool.zone_id for pool in pools}, [pool.name for pool in pools]
    open_ones = Incident.objects.filter(kind=MISMATCH, ended_at=None, node__zone__in=zones, name__in=names)
    mismatched = set(open_ones.values_list("node_id", "name"))
    node_ids = {node for node, _ in mismatched}.union(*users.values())
    near = Q(zone__in=zones, traits__overlap=[pool.trait for pool in pools]) | Q(pk__in=node_ids)
    nodes = list(Node.objects.filter(near).exclude(admin_state="retired").order_by("name"))
    coverage: dict[UUID, PoolCoverage] = {}
    for pool in pools:
        standing = coverage[pool.pk] = PoolCoverage([], [])
        for node in nodes:
            if node.zone_id != pool.zone_id:
                continue
            if why := _why_missing(node, pool, (node.pk, pool.name) in mismatched, node.pk in users.get(pool.pk, ())):
                standing.missing.append(MissingNode(node, why))
            elif pool.trait in node.traits:
                standing.nodes.append(node)
    return coverage


def _why_missing(node: Node, pool: Pool, is_mismatched: bool, is_user: bool) -> str:
    """Return why the node misses the pool; empty if it has the pool, or need not."""
    if node.state != "ready":
        return "silent" if pool.trait in node.traits else ""
    if pool.trait in node.traits:
        return ""
    return "mismatch" if is_mismatched else "unmounted" if is_user else ""

"""Checks of the storage cluster, for the judge: its images, snapshots and keys are those of the rows."""

import json
from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from agents.lab.ceph import POOL, CephCluster
from agents.storage.key_names import key_ends
from controlplane.compute.models import Instance
from controlplane.kernel.units import GIB
from controlplane.nodes.models import Pool
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters import volume_calls
from controlplane.storage_clusters.models import StorageClusterIncident
from controlplane.storage_clusters.services import MISSING_SNAPSHOT, MISSING_VOLUME
from controlplane.storage_clusters.volume_calls import ListedVolume

NAMESPACE, OPENINGS, REVERTS = "andromede", "openings", "reverts"  # of the storage agent's records
MOST_RECORDS = 1000
THERE = Q(node__isnull=False) & ~Q(state="deleted")


def images() -> list[str]:
    """Check that a pool has one image of each disk that is in it, of its size, with its snapshots, and nothing else."""
    return [line for pool in Pool.objects.filter(cluster__isnull=False) for line in _images_of(pool)]


def incidents() -> list[str]:
    """Check that no volume or snapshot is taken for lost."""
    rows = StorageClusterIncident.objects.filter(ended_at=None, kind__in=(MISSING_VOLUME, MISSING_SNAPSHOT))
    return [f"incident of the cluster: {row.kind} {row.name}" for row in rows]


def records(cluster: CephCluster) -> list[str]:
    """Check that each key is of an opening, each opening of a node that has the disk, and that no revert is half done.

    A stopped instance may have lost its openings, as in a migration that was called off.
    """
    users = (each["entity"] for each in cluster.command("auth ls")["auth_dump"])
    keys = {name.removeprefix("client.v-") for name in users if name.startswith("client.v-")}
    openings, reverts = _recorded(cluster, OPENINGS), _recorded(cluster, REVERTS)
    findings = [f"the key of {name} has no opening" for name in sorted(keys - openings.keys())]
    findings += [f"the opening {name} has no key" for name in sorted(openings.keys() - keys)]
    findings += [f"{name} is open, where no row has it" for name in sorted(openings.keys() - _may_be_open(cluster))]
    half = [volume for volume, each in reverts.items() if not json.loads(each)["is_finished"]]
    return findings + [f"the revert of volume {volume} is half done" for volume in sorted(half)]


def _images_of(pool: Pool) -> Iterable[str]:
    there = {each.name: each for each in _listed(pool)}
    expected = {str(pk): size for pk, size in _disks(pool)}
    yield from (f"the cluster has {name}, which is no disk" for name in sorted(there.keys() - expected.keys()))
    yield from (f"the cluster has lost the disk {name}" for name in sorted(expected.keys() - there.keys()))
    for name in sorted(there.keys() & expected.keys()):
        if there[name].size_bytes < expected[name] * GIB:
            yield f"the disk {name} has {there[name].size_bytes} bytes instead of {expected[name]} GiB"
    rows = Snapshot.objects.filter(pool=pool).exclude(state="deleted")
    wanted = {(str(row.volume_id), str(row.pk)): row.state for row in rows}
    taken = {(name, snapshot) for name, each in there.items() for snapshot in each.snapshots}
    yield from (f"the cluster has the snapshot {key}, which no row has" for key in sorted(taken - wanted.keys()))
    lost = {key for key, state in wanted.items() if state == "available"} - taken
    yield from (f"the cluster has lost the snapshot {key}" for key in sorted(lost))


def _listed(pool: Pool) -> Iterable[ListedVolume]:
    after = ""
    while page := volume_calls.list_volumes(pool, after=after):
        yield from page
        after = page[-1].name


def _disks(pool: Pool) -> Iterable[tuple[UUID, int]]:
    yield from Volume.objects.filter(THERE, pool=pool).values_list("pk", "size_gib")
    for instance in Instance.objects.filter(THERE, root_pool=pool, boot_volume=None):
        yield instance.root_volume_id, instance.disk_gib


def _may_be_open(cluster: CephCluster) -> set[str]:
    """Return the names of openings that rows let be."""
    with cluster.client() as client, client.open_ioctx(POOL) as ioctx:
        pool_id = ioctx.get_pool_id()
    volumes = Volume.objects.filter(THERE, pool__cluster__isnull=False).values_list("pk", "node_id")
    instances = Instance.objects.filter(THERE, root_pool__cluster__isnull=False)
    pairs = [*volumes, *instances.values_list("root_volume_id", "node_id")]
    ends = [(disk, key_ends(str(node), pool_id=pool_id)) for disk, node in pairs if node is not None]
    return {f"{disk}.{end}" for disk, each in ends for end in (each.of_node, each.of_pool)}


def _recorded(cluster: CephCluster, name: str) -> dict[str, bytes]:
    """Return the storage agent's records in this object."""
    import rados  # Debian's

    with cluster.client() as client, client.open_ioctx(POOL) as ioctx, rados.ReadOpCtx() as reading:
        ioctx.set_namespace(NAMESPACE)
        values, _ = ioctx.get_omap_vals(reading, "", "", MOST_RECORDS)
        try:
            ioctx.operate_read_op(reading, name)
        except rados.ObjectNotFound:
            return {}
        return dict(values)

"""Snapshots in tests of requests: what a worker and a storage agent would do is written into the rows."""

from datetime import timedelta

from agents.storage.servicer import CAPABILITIES
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import RBD, Node, Pool
from controlplane.operations.models import Operation, ResourceLock
from controlplane.quotas import services as quotas
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters.models import StorageCluster
from tests.api.client import Answer


def ended(answer: Answer) -> Answer:
    """End the operation of the answer."""
    operation_id = answer.operation["id"]
    ResourceLock.objects.filter(operation_id=operation_id).delete()
    Operation.objects.filter(pk=operation_id).update(state="succeeded", finished_at=clock.now())
    return answer


def taken(answer: Answer) -> Snapshot:
    """End the creation of a snapshot."""
    snapshots = Snapshot.objects.filter(pk=ended(answer).body["id"])
    snapshots.update(state="available", taken_at=clock.now())
    return snapshots.get()


def in_cluster(volume: Volume, *, name: str = "rbd") -> Pool:
    """Let the volume be in a new pool of a storage cluster, which its node has. Nothing is moved."""
    node = Node.objects.get(pk=volume.node_id)
    fields = {"zone": node.zone, "address": "10.0.7.28:7447", "capabilities": list(CAPABILITIES)}
    cluster, _ = StorageCluster.objects.get_or_create(name="ceph-8", defaults=fields)
    pool = Pool.objects.create(
        name=name,
        zone=node.zone,
        uuid=new_id(),
        path=f"rbd:{new_id()}/{name}",
        engine=RBD,
        cluster=cluster,
        capacity_gib=1000,
    )
    Node.objects.filter(pk=node.pk).update(traits=[*node.traits, pool.trait])
    Volume.objects.filter(pk=volume.pk).update(pool=pool)
    return pool


def out_of_cluster(volume: Volume, pool: Pool) -> None:
    """Undo in_cluster; the volume's snapshots are forgotten."""
    for snapshot in Snapshot.objects.filter(pool=pool):
        quotas.release(snapshot.pk)
        snapshot.delete()
    Volume.objects.filter(pk=volume.pk).update(pool=None)
    node = Node.objects.get(pk=volume.node_id)
    Node.objects.filter(pk=node.pk).update(traits=[trait for trait in node.traits if trait != pool.trait])
    pool.delete()
    StorageCluster.objects.filter(pk=pool.cluster_id).delete()


def make_snapshot(volume: Volume, *, name: str = "before", pool: Pool | None = None) -> Snapshot:
    """Make the row of a snapshot that was taken an hour ago."""
    return Snapshot.objects.create(
        project=volume.project,
        name=name,
        state="available",
        volume=volume,
        pool=pool or volume.pool,
        size_gib=volume.size_gib,
        taken_at=clock.now() - timedelta(hours=1),
    )

"""Snapshots of volumes in the pool of a storage cluster, as users request them."""

from typing import Any
from uuid import UUID

from controlplane.catalog.models import Image, VolumeType
from controlplane.compute.volume_reverts import volume_revert
from controlplane.operations.models import Operation
from controlplane.reconcilers import storage_clusters
from controlplane.storage.image_sources import NewImageOf, Source, image_create
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import NewVolume, volume_create
from controlplane.storage.snapshots import NewSnapshot, snapshot_create
from controlplane.storage.snapshots import snapshot_delete as delete
from tests.storage_agent import FSID, FakeStorageAgent
from tests.world import Cloud, FakeMachine

POOL, SECOND = "rbd", "second"


def cluster(cloud: Cloud, *machines: FakeMachine, pool: str = POOL) -> VolumeType:
    """Give these nodes and the first one the pool of a new storage cluster; return its volume type."""
    number = len(cloud.world.clusters)
    fsid = UUID(int=FSID.int + number)
    agent = FakeStorageAgent(cloud.world.folder, zone=cloud.machine.row.zone_id, name=f"ceph-{number + 1}", fsid=fsid)
    agent.description.pools[0].name = pool
    agent.enrol()
    cloud.world.started.enter_context(agent.serving())
    cloud.world.clusters.append(agent)
    return _reported(cloud, pool, *machines)


def second_pool(cloud: Cloud, *machines: FakeMachine) -> VolumeType:
    """Give the first cluster another pool; return its volume type."""
    cloud.world.clusters[0].add_pool(SECOND)
    return _reported(cloud, SECOND, *machines)


def _reported(cloud: Cloud, pool: str, *machines: FakeMachine) -> VolumeType:
    storage_clusters.reconcile()
    for machine in (cloud.machine, *machines):
        machine.fake.more_traits = tuple({*machine.fake.more_traits, "rbd"})
        machine.heartbeat()
    return VolumeType.objects.create(pk=pool, description="in a storage cluster", pool=pool)


def ask_snapshot(cloud: Cloud, volume: Volume, name: str = "then") -> tuple[Snapshot, Operation]:
    return snapshot_create(cloud.tenant.actor, volume, NewSnapshot(name))


def delete_snapshot(cloud: Cloud, snapshot: Snapshot) -> Operation:
    return delete(cloud.tenant.actor, snapshot)


def ask_revert(cloud: Cloud, snapshot: Snapshot) -> Operation:
    return volume_revert(cloud.tenant.actor, snapshot.volume, snapshot=snapshot)


def ask_image(cloud: Cloud, source: Source, name: str = "golden", **more: Any) -> tuple[Image, Operation]:
    return image_create(cloud.tenant.actor, source, NewImageOf(name, **more))


def ask_clone(
    cloud: Cloud, snapshot: Snapshot, name: str = "clone", *, volume_type: VolumeType, size_gib: int | None = None
) -> tuple[Volume, Operation]:
    new = NewVolume(name=name, size_gib=size_gib or snapshot.size_gib, volume_type=volume_type, snapshot=snapshot)
    return volume_create(cloud.tenant.actor, snapshot.project, new)

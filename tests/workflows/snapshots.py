"""Snapshots of volumes in the pool of a storage cluster: rows and operations as services write them."""

from django.db import transaction
from django.db.models import F

from controlplane.catalog.io_limits import io_limits
from controlplane.catalog.models import VolumeType
from controlplane.kernel.ids import new_id
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.placement import lineage
from controlplane.placement.effective_policies import DataSource
from controlplane.placement.lineage import NewData
from controlplane.quotas import services as quotas
from controlplane.reconcilers import storage_clusters
from controlplane.storage.models import Snapshot, Volume
from tests.storage_agent import FakeStorageAgent
from tests.world import Cloud, FakeMachine

POOL = "rbd"


def cluster(cloud: Cloud, *machines: FakeMachine) -> VolumeType:
    """Give these nodes and the first one the pool of a new storage cluster; return its volume type."""
    agent = FakeStorageAgent(cloud.world.folder, zone=cloud.machine.row.zone_id)
    agent.description.pools[0].name = POOL
    agent.enrol()
    cloud.world.started.enter_context(agent.serving())
    cloud.world.clusters.append(agent)
    storage_clusters.reconcile()
    for machine in (cloud.machine, *machines):
        machine.fake.more_traits = (*machine.fake.more_traits, "rbd")
        machine.heartbeat()
    return VolumeType.objects.create(pk=POOL, description="in a storage cluster", pool=POOL)


@transaction.atomic
def ask_snapshot(cloud: Cloud, volume: Volume, name: str = "then") -> tuple[Snapshot, Operation]:
    assert volume.pool is not None
    snapshot = Snapshot(
        id=new_id(), project=volume.project, name=name, volume=volume, pool=volume.pool, size_gib=volume.size_gib
    )
    data = NewData(snapshot.pk, "snapshot", volume.project)
    lineage.record_data(data, [DataSource.of(volume)], extra_rows=[snapshot])
    resources = [snapshot.pk, volume.pk]
    request = OperationRequest("snapshot.create", volume.project_id, resources, {}, resource_name=name)
    return snapshot, enqueue(cloud.tenant.actor, request)


@transaction.atomic
def delete_snapshot(cloud: Cloud, snapshot: Snapshot) -> Operation:
    Snapshot.objects.filter(pk=snapshot.pk).update(is_deleting=True)
    request = OperationRequest(
        "snapshot.delete",
        snapshot.project_id,
        [snapshot.pk],
        resource_name=snapshot.name,
        is_cancellable=False,
        preempts=True,
    )
    return enqueue(cloud.tenant.actor, request)


@transaction.atomic
def ask_revert(cloud: Cloud, snapshot: Snapshot) -> Operation:
    volume = snapshot.volume
    lineage.add_source(DataSource.of(volume), DataSource.of(snapshot), kind="volume")
    Volume.objects.filter(pk=volume.pk).update(generation=F("generation") + 1)
    args = {"snapshot": str(snapshot.pk)}
    resources = [volume.pk, snapshot.pk]
    request = OperationRequest("volume.revert", volume.project_id, resources, args, resource_name=volume.name)
    return enqueue(cloud.tenant.actor, request)


@transaction.atomic
def ask_clone(
    cloud: Cloud, snapshot: Snapshot, name: str = "clone", *, volume_type: VolumeType, size_gib: int | None = None
) -> tuple[Volume, Operation]:
    size_gib = size_gib or snapshot.size_gib
    limits = io_limits(volume_type, size_gib)
    volume = Volume(
        id=new_id(),
        project=snapshot.project,
        name=name,
        size_gib=size_gib,
        volume_type=volume_type,
        snapshot=snapshot,
        iops_limit=limits.iops,
        mb_per_s_limit=limits.mb_per_s,
    )
    data = NewData(volume.pk, "volume", volume.project)
    lineage.record_data(data, [DataSource.of(snapshot)], extra_rows=[volume])
    quotas.claim(volume.project_id, volume.pk, volumes=1, storage_gib=size_gib)
    args: dict[str, object] = {"zones": [], "near": [], "host": None}
    request = OperationRequest("volume.create", volume.project_id, [volume.pk], args, resource_name=name)
    return volume, enqueue(cloud.tenant.actor, request)

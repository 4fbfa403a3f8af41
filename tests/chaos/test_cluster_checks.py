"""The checks of the storage cluster find each kind of damage that is planted in an undamaged one."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.storage.key_names import key_ends
from controlplane.kernel.ids import new_id
from controlplane.kernel.units import GIB
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters.models import StorageClusterIncident
from scripts.chaos import cluster_checks
from tests.storage_agent import FakeSnapshot, FakeStorageAgent
from tests.workflows import shared_pool
from tests.workflows.shared_pool import Shared, taken

shared, agent = shared_pool.shared, shared_pool.agent
Damage = Callable[[FakeStorageAgent], object]


def image_without_row(agent: FakeStorageAgent) -> None:
    agent.volumes[new_id()] = GIB


def lost_image(agent: FakeStorageAgent) -> None:
    agent.volumes.clear()
    agent.keys.clear()


def image_too_small(agent: FakeStorageAgent) -> None:
    agent.volumes.update(dict.fromkeys(agent.volumes, 1))


def snapshot_without_row(agent: FakeStorageAgent) -> None:
    agent.snapshots[new_id()] = FakeSnapshot(Volume.objects.get().pk, GIB, 0, 0)


def lost_snapshot(agent: FakeStorageAgent) -> None:
    agent.snapshots.clear()


def deleted_row(agent: FakeStorageAgent) -> None:
    Snapshot.objects.update(state="deleted")


DAMAGES: dict[Damage, str] = {
    image_without_row: "which is no disk",
    lost_image: "has lost the disk",
    image_too_small: "has 1 bytes",
    snapshot_without_row: "which no row has",
    lost_snapshot: "has lost the snapshot",
    deleted_row: "which no row has",
}


@pytest.mark.parametrize("plant", DAMAGES)
def test_damage_of_the_cluster_is_found(shared: Shared, agent: FakeStorageAgent, plant: Damage) -> None:
    taken(shared)
    assert cluster_checks.images() == []
    plant(agent)
    assert DAMAGES[plant] in "".join(cluster_checks.images())


def test_missing_snapshot_is_found(shared: Shared, agent: FakeStorageAgent) -> None:
    assert cluster_checks.incidents() == []
    StorageClusterIncident.objects.create(
        cluster=agent.row, kind="missing-snapshot", name="x", observed_at=agent.row.created_at
    )
    assert len(cluster_checks.incidents()) == 1


@pytest.mark.parametrize("is_moved", [False, True])
def test_records_of_the_cluster_are_compared(shared: Shared, ceph: CephCluster, is_moved: bool) -> None:
    from agents.storage.worker.openings import Opening
    from agents.storage.worker.revert_records import Revert

    volume = shared.volume()
    assert volume.node_id is not None
    with ceph.client() as client, client.open_ioctx(POOL) as ioctx:
        ends = key_ends(str(volume.node_id), pool_id=ioctx.get_pool_id())
    name = f"{volume.pk}.{ends.of_pool if is_moved else ends.of_node}"
    before = set(cluster_checks.records(ceph))  # of other tests with this cluster

    def found() -> str:
        return "".join(set(cluster_checks.records(ceph)) - before)

    ceph.command("auth get-or-create", entity=f"client.v-{name}", caps=["mon", "allow r"])
    assert found() == f"the key of {name} has no opening"
    with recorded(ceph, cluster_checks.OPENINGS, name, asdict(Opening(name, 1))):
        assert found() == ""
        ceph.command("auth rm", entity=f"client.v-{name}")
        assert found() == f"the opening {name} has no key"
        Volume.objects.update(state="deleted", node=None)
        assert "where no row has it" in found()
    begun = asdict(Revert(1, "snapshot", is_finished=False))
    with recorded(ceph, cluster_checks.REVERTS, str(volume.pk), begun | {"is_finished": True}):
        assert "half done" not in found()
    with recorded(ceph, cluster_checks.REVERTS, str(volume.pk), begun):
        assert "half done" in found()


@contextmanager
def recorded(ceph: CephCluster, name: str, key: str, value: object) -> Iterator[None]:
    """Have a record in the object `name` until the end: the storage agents of other tests read all records."""
    import rados

    with ceph.client() as client, client.open_ioctx(POOL) as ioctx, rados.WriteOpCtx() as operation:
        ioctx.set_namespace(cluster_checks.NAMESPACE)
        ioctx.set_omap(operation, (key,), (json.dumps(value).encode(),))
        ioctx.operate_write_op(operation, name)
        try:
            yield
        finally:
            with rados.WriteOpCtx() as removal:
                ioctx.remove_omap_keys(removal, (key,))
                ioctx.operate_write_op(removal, name)

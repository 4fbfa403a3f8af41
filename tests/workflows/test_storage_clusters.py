"""Storage clusters: what their agents report, the pools that come from it, and which nodes and disks may use them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agents.node import enrol, pki
from agents.node.adapters import pools
from agents.node.adapters.pools import Pools
from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import VolumeType
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.units import GIB
from controlplane.nodes.models import Incident, Pool
from controlplane.nodes.pools import nodes_with_pool
from controlplane.placement.errors import InsufficientCapacity
from controlplane.placement.models import Allocation
from controlplane.reconcilers import storage_clusters as reconciler
from controlplane.storage_clusters.errors import StorageClusterInUse
from controlplane.storage_clusters.models import StorageCluster, StorageClusterIncident
from controlplane.storage_clusters.services import storage_cluster_delete
from tests.storage_agent import FSID, FakeStorageAgent, storage_pool
from tests.workflows.helpers import ask_volume, done, fresh
from tests.world import Cloud

ZONE = "fr-idf-1"


@pytest.fixture
def agent(cloud: Cloud, tmp_path: Path, settings: Settings) -> Iterator[FakeStorageAgent]:
    created = FakeStorageAgent(tmp_path, zone=ZONE)
    created.enrol()
    with created.serving():
        yield created


def later(agent: FakeStorageAgent) -> None:
    """Make the last answer an old one."""
    StorageCluster.objects.filter(pk=agent.row.pk).update(
        created_at=agent.row.created_at - timedelta(minutes=5), last_seen_at=None
    )


# ---- reports


def test_report_is_recorded_with_its_pools(agent: FakeStorageAgent) -> None:
    agent.description.pools.append(storage_pool("images", size_gib=50, used_gib=3))
    assert reconciler.reconcile() == 1
    row = agent.reported()
    assert (row.fsid, row.health, row.problem, row.monitors) == (FSID, "ok", "", ["10.0.7.21:3300"])
    assert (row.ceph_version, row.last_seen_at is not None) == ("18.2.7", True)
    pool = Pool.objects.get(name="images")
    assert (pool.engine, pool.cluster, pool.zone_id, pool.path) == ("rbd", row, ZONE, f"rbd:{FSID}/images")
    assert (pool.capacity_gib, pool.written_gib, pool.replicas, pool.used_gib) == (50, 3, 3, 0)
    reconciler.reconcile()
    assert Pool.objects.get(name="images").uuid == pool.uuid
    assert agent.incidents() == []


def test_trash_is_recorded_by_pool(agent: FakeStorageAgent) -> None:
    (pool,) = agent.description.pools
    reconciler.reconcile()
    assert (Pool.objects.get().trash_count, Pool.objects.get().trash_since) == (None, None), "an older agent"
    for count, since_s, recorded in (
        (2, 1_780_000_000, (2, datetime.fromtimestamp(1_780_000_000, UTC))),
        (0, 5, (0, None)),
    ):
        pool.trash_count, pool.trash_since_s = count, since_s
        reconciler.reconcile()
        row = Pool.objects.get()
        assert (row.trash_count, row.trash_since) == recorded
    pool.trash_count, pool.trash_since_s = 2**32 - 1, 2**64 - 1  # of an agent that lies
    reconciler.reconcile()
    row = Pool.objects.get()
    assert row.trash_count == 2**31 - 1 and row.trash_since is not None and row.trash_since <= clock.now()


def test_problems_are_incidents_while_they_last(agent: FakeStorageAgent) -> None:
    agent.description.health = "degraded"
    agent.description.problems.append("OSD_DOWN: 1 osds down")
    agent.description.pools[0].is_nearly_full = True
    reconciler.reconcile()
    row = agent.reported()
    assert (row.health, row.problem, row.health_problems) == ("degraded", "degraded", ["OSD_DOWN: 1 osds down"])
    assert Pool.objects.get().is_nearly_full
    assert agent.incidents() == [("degraded", True), ("nearly-full", True)]
    agent.description.health = "error"
    reconciler.reconcile()
    reconciler.reconcile()
    assert set(agent.incidents()) == {("degraded", False), ("nearly-full", True), ("error", True)}
    agent.description.health = "ok"
    agent.description.pools[0].is_nearly_full = False
    reconciler.reconcile()
    assert {is_open for _, is_open in agent.incidents()} == {False}
    assert not Pool.objects.get().is_nearly_full
    verbs = set(AuditEntry.objects.filter(resource_id=agent.row.pk).values_list("verb", flat=True))
    assert {"incident.storage-degraded", "incident.storage-nearly-full", "incident.storage-error"} <= verbs


def test_cluster_that_does_not_answer_its_agent_keeps_its_pools(agent: FakeStorageAgent) -> None:
    reconciler.reconcile()
    agent.description.Clear()
    agent.description.health = "silent"
    reconciler.reconcile()
    row = agent.reported()
    assert (row.fsid, row.health, row.problem) == (FSID, "silent", "silent")
    agent.description.health = "error"
    agent.description.problems.append("The key is not known.")
    reconciler.reconcile()
    row = agent.reported()
    assert (row.fsid, row.problem, row.health_problems) == (FSID, "error", ["The key is not known."])
    assert Pool.objects.get().capacity_gib == 100


def test_silent_agent_is_an_incident_after_a_while(cloud: Cloud, tmp_path: Path) -> None:
    agent = FakeStorageAgent(tmp_path, zone=ZONE)
    assert reconciler.reconcile() == 0, "it has no certificate, and is not called"
    agent.enrol()
    reconciler.reconcile()
    assert agent.incidents() == []
    later(agent)
    assert reconciler.reconcile() == 0
    assert agent.incidents() == [("silent", True)]
    with agent.serving():
        assert reconciler.reconcile() == 1
    assert agent.incidents() == [("silent", False)]


def test_report_of_another_cluster_is_not_accepted(agent: FakeStorageAgent) -> None:
    reconciler.reconcile()
    agent.description.fsid = str(FSID).replace("1", "2")
    agent.description.pools[0].size_bytes = 7 * GIB
    agent.description.monitors[:] = ["10.9.9.9:3300"]
    reconciler.reconcile()
    row = agent.reported()
    assert (row.fsid, row.problem, row.monitors) == (FSID, "fsid-changed", ["10.0.7.21:3300"])
    assert Pool.objects.get().capacity_gib == 100
    assert agent.incidents() == [("fsid-changed", True)]


def test_cluster_belongs_to_one_row(agent: FakeStorageAgent, tmp_path: Path) -> None:
    reconciler.reconcile()
    second = FakeStorageAgent(tmp_path, zone=ZONE, name="ceph-2")
    second.enrol()
    with second.serving():
        assert reconciler.reconcile() == 2
    assert (second.reported().fsid, second.reported().problem) == (None, "fsid-taken")
    assert Pool.objects.get().cluster == agent.row


@pytest.mark.parametrize("fsid", ["", "no-uuid"])
def test_malformed_report_is_refused(agent: FakeStorageAgent, fsid: str) -> None:
    agent.description.fsid = fsid
    assert reconciler.reconcile() == 0
    assert agent.incidents() == [("refused", True)]


def test_hostile_texts_fit_their_columns(agent: FakeStorageAgent) -> None:
    agent.description.problems.extend(["a\0b" * 500] * 500)
    agent.description.ceph_version = "ceph version " + "9" * 500
    agent.description.health = "excellent"
    agent.description.pools.extend([storage_pool(name) for name in ("\0", "a" * 41, "Ünïcode", "../up")])
    agent.description.pools[0].used_bytes = 2**64 - 1
    reconciler.reconcile()
    row = agent.reported()
    assert (row.health, len(row.health_problems), len(row.ceph_version)) == ("error", 20, 64)
    assert [pool.name for pool in Pool.objects.all()] == ["vms"]
    assert ("pool-conflict", True) in agent.incidents()


def test_trust_documents_are_sent_once(cloud: Cloud, agent: FakeStorageAgent) -> None:
    reconciler.reconcile()
    first = agent.trust[-1]
    assert first.keyset and len(first.charters) == 1
    row = agent.reported()
    assert row.keyset_version == agent.held.keyset_version == 1
    reconciler.reconcile()
    assert not agent.trust[-1].keyset and not agent.trust[-1].floor
    StorageCluster.objects.update(charters_sent_at=row.last_seen_at)
    reconciler.reconcile()
    assert not agent.trust[-1].ByteSize()
    agent.held.Clear()
    reconciler.reconcile()
    reconciler.reconcile()
    assert agent.trust[-1].keyset and len(agent.trust[-1].charters) == 1, "an agent that lost its state gets all again"


def test_agent_that_refuses_the_documents_is_an_incident(agent: FakeStorageAgent) -> None:
    agent.held.keyset_version = 10
    assert reconciler.reconcile() == 0
    assert agent.incidents() == [("refused", True)]


# ---- pools and nodes


def test_nodes_that_can_open_images_have_the_pools(cloud: Cloud, agent: FakeStorageAgent) -> None:
    cloud.fake.more_traits = (*cloud.fake.more_traits, "rbd")
    cloud.machine.heartbeat()
    without = cloud.world.add_machine(ZONE, name="without")
    reconciler.reconcile()
    pool = Pool.objects.get()
    assert list(nodes_with_pool(pool)) == [cloud.machine.row]
    cloud.machine.heartbeat()
    assert fresh(cloud.machine.row).traits.count("pool:vms") == 1
    assert "pool:vms" not in fresh(without.row).traits
    cloud.fake.more_traits = ()
    cloud.machine.heartbeat()
    assert list(nodes_with_pool(pool)) == []


def test_node_cannot_claim_a_pool_of_a_cluster(cloud: Cloud, agent: FakeStorageAgent, tmp_path: Path) -> None:
    reconciler.reconcile()
    folder = tmp_path / "pool"
    folder.mkdir()
    pools.make(folder)
    cloud.fake.pools = Pools({"vms": folder})
    cloud.machine.heartbeat()
    assert "pool:vms" not in fresh(cloud.machine.row).traits
    assert Incident.objects.get(kind="pool-mismatch", ended_at=None).name == "vms"


def test_pool_with_a_name_of_a_folder_is_a_conflict(cloud: Cloud, agent: FakeStorageAgent, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    pools.make(folder)
    cloud.fake.pools = Pools({"vms": folder})
    cloud.machine.heartbeat()
    reconciler.reconcile()
    assert Pool.objects.get().engine == "folder"
    assert (agent.reported().health, agent.incidents()) == ("ok", [("pool-conflict", True)])


def test_row_of_a_missing_pool_is_deleted(cloud: Cloud, agent: FakeStorageAgent) -> None:
    cloud.fake.more_traits = (*cloud.fake.more_traits, "rbd")
    cloud.machine.heartbeat()
    reconciler.reconcile()
    agent.description.health = "error"
    del agent.description.pools[:]
    reconciler.reconcile()
    assert Pool.objects.count() == 1, "a cluster in error may report less than it has"
    agent.description.health = "ok"
    reconciler.reconcile()
    assert not Pool.objects.exists()
    assert "pool:vms" not in fresh(cloud.machine.row).traits


def test_pool_with_disks_is_kept(cloud: Cloud, agent: FakeStorageAgent) -> None:
    reconciler.reconcile()
    volume, operation = ask_volume(cloud)
    done(operation)
    Allocation.objects.filter(consumer_id=volume.pk).update(pool=Pool.objects.get(), pool_gib=40)
    agent.description.pools[0].size_bytes = 30 * GIB
    reconciler.reconcile()
    assert (Pool.objects.get().capacity_gib, agent.reported().problem) == (100, "pool-shrunk")
    with pytest.raises(StorageClusterInUse):
        storage_cluster_delete(SYSTEM, agent.reported())
    del agent.description.pools[:]
    reconciler.reconcile()
    assert (Pool.objects.count(), agent.reported().problem) == (1, "pool-missing")
    Allocation.objects.filter(consumer_id=volume.pk).update(pool=None, pool_gib=0)
    storage_cluster_delete(SYSTEM, agent.reported())
    assert not Pool.objects.exists() and not StorageClusterIncident.objects.exists()


def test_size_that_ceph_does_not_report_changes_nothing(agent: FakeStorageAgent) -> None:
    reconciler.reconcile()
    agent.description.pools[0].size_bytes = agent.description.pools[0].used_bytes = 0
    reconciler.reconcile()
    assert (Pool.objects.get().capacity_gib, agent.incidents()) == (100, [])


# ---- placement


def test_nearly_full_folder_takes_no_new_disk(cloud: Cloud, tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    pools.make(folder)
    cloud.fake.pools = Pools({"shared": folder})
    cloud.machine.heartbeat()
    Pool.objects.update(capacity_gib=100)
    volume_type = VolumeType.objects.create(pk="shared", description="Shared.", pool="shared")
    volume, operation = ask_volume(cloud, size_gib=96, volume_type=volume_type)
    done(operation)
    with pytest.raises(InsufficientCapacity) as refused:
        ask_volume(cloud, "more", size_gib=1, volume_type=volume_type)
    assert "is nearly full" in str(refused.value.facts["explanation"])
    settings.POOL_NEARLY_FULL_PERCENT = 96
    done(ask_volume(cloud, "more", size_gib=1, volume_type=volume_type)[1])


# ---- enrolment


def test_command_creates_and_certifies(cloud: Cloud, tmp_path: Path) -> None:
    request, out = tmp_path / "agent.csr", tmp_path / "agent.crt"
    request.write_text(enrol.request(tmp_path / "state", "ceph-7"))
    of = ["ceph-7", "--csr", str(request), "--out", str(out)]
    with pytest.raises(CommandError, match="no storage cluster 'ceph-7'"):
        call_command("certify_storage_agent", *of)
    call_command("certify_storage_agent", *of, "--zone", ZONE, "--address", "10.0.7.21:7447")
    row = StorageCluster.objects.get(name="ceph-7")
    first, identity = row.certificate_sha256, pki.identity(out.read_bytes(), kind=pki.STORAGE)
    assert (identity.node_id, identity.zone) == (row.pk, ZONE)
    call_command("certify_storage_agent", *of)  # a renewal
    assert fresh(row).certificate_sha256 != first

"""Orphans in storage clusters: images that no row expects, and volumes that the cluster does not have."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from agents.node.errors import BadRequest, VolumeInUse
from agents.storage.errors import ClusterSilent
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.compute.errors import DataMissing
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_delete
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.kernel.units import GIB
from controlplane.nodes import orphans as services
from controlplane.nodes.errors import OrphanForeign
from controlplane.nodes.models import Incident, Orphan, Pool
from controlplane.operations.models import Operation, ResourceLock
from controlplane.placement.models import Allocation
from controlplane.quotas import services as quotas
from controlplane.reconcilers import cluster_orphans, orphans, storage_clusters
from controlplane.reconcilers.cluster_orphans import PAGES_PER_RUN
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import volume_delete, volume_recreate
from controlplane.storage_clusters import volume_calls
from tests.storage_agent import FakeStorageAgent, storage_pool
from tests.workflows import shared_pool
from tests.workflows.helpers import done, fresh
from tests.workflows.shared_pool import NAME, Shared
from tests.world import follow, run

OPERATOR = Actor(new_id(), new_id(), None, "", is_operator=True)


@pytest.fixture
def shared(shared: Shared, settings: Settings) -> Shared:
    settings.QUARANTINE_AFTER_S = 0
    return shared


def long_ago(*rows: Volume | Instance) -> None:
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(updated_at=clock.now() - timedelta(hours=1))


def lose_row(volume: Volume) -> None:
    """Delete the row, as a restored older backup would; the image stays."""
    Allocation.objects.filter(consumer_id=volume.pk).delete()
    Volume.objects.filter(pk=volume.pk).update(state="deleted", node=None)
    long_ago(volume)


def states() -> dict[str, str]:
    return dict(Orphan.objects.filter(node=None).values_list("name", "state"))


def orphan() -> Orphan:
    """Return the one in the cluster; a node that had its volume open has one too."""
    return Orphan.objects.get(node=None)


def lose_images(agent: FakeStorageAgent) -> None:
    agent.volumes.clear()
    agent.keys.clear()


def discard(row: Orphan) -> Orphan:
    return services.orphan_discard(OPERATOR, row, name=row.name, reason="nobody needs it")


def missing(agent: FakeStorageAgent) -> set[str]:
    rows = agent.row.incidents.filter(kind="missing-volume", ended_at=None)
    return set(rows.values_list("name", flat=True))


def test_expected_images_are_no_orphans(shared: Shared, agent: FakeStorageAgent) -> None:
    instance, volume = shared.instance(host="other"), shared.volume()
    shared.attach(instance, volume)
    long_ago(fresh(instance), fresh(volume))
    assert len(agent.volumes) == 2
    assert orphans.reconcile() == 0
    assert states() == {} and not missing(agent) and not Incident.objects.exists()


def test_image_without_a_row_is_found_once_and_stays(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    lose_row(volume)
    for _ in range(3):
        orphans.reconcile()
    row = orphan()
    assert (row.kind, row.name, row.resource_id, row.state) == ("volume", str(volume.pk), volume.pk, "found")
    assert (row.node, row.pool, row.zone_id, row.size_bytes) == (None, shared.pool, shared_pool.ZONE, 2 * GIB)
    assert volume.pk in agent.volumes and "remove" not in agent.calls
    entry = AuditEntry.objects.get(verb="orphan.find", resource_id=row.pk)
    assert (entry.facts["storage_cluster"], entry.facts["pool"]) == (agent.row.name, NAME)


def test_discarded_image_goes_to_the_trash(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    lose_row(volume)
    orphans.reconcile()
    discard(orphan())
    orphans.reconcile()
    row = orphan()
    assert (row.state, row.evidence["was_present"], row.evidence["size_bytes"]) == ("discarded", True, 2 * GIB)
    assert agent.volumes == {}
    records = EvidenceRecord.objects.filter(kind="incident", document__contains="orphan-discarded")
    assert f'"pool":"{NAME}"' in str(records.get().document)
    orphans.reconcile()
    assert states() == {str(volume.pk): "discarded"}


def test_released_image_is_an_orphan_until_it_disappears(shared: Shared, agent: FakeStorageAgent) -> None:
    lose_row(shared.volume())
    orphans.reconcile()
    services.orphan_release(OPERATOR, orphan(), reason="our own copy")
    for _ in range(2):
        orphans.reconcile()
    assert orphan().state == "released"
    lose_images(agent)
    orphans.reconcile()
    assert orphan().state == "gone"


def test_image_that_a_client_has_open_is_deleted_when_it_is_closed(shared: Shared, agent: FakeStorageAgent) -> None:
    lose_row(shared.volume())
    orphans.reconcile()
    discard(orphan())
    agent.failures["remove"] = VolumeInUse("It is open by 10.0.7.9:0/123.")
    orphans.reconcile()
    row = orphan()
    assert (row.state, row.requested_action, len(agent.volumes)) == ("found", "discard", 1)
    assert row.problem == cluster_orphans.OPEN
    agent.failures.clear()
    orphans.reconcile()
    assert (orphan().state, agent.volumes) == ("discarded", {})


def test_image_that_a_row_expects_by_now_is_not_deleted(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    lose_row(volume)
    orphans.reconcile()
    discard(orphan())
    Volume.objects.filter(pk=volume.pk).update(state="available", node=shared.here.row)
    orphans.reconcile()
    assert (agent.volumes.keys(), states()) == ({volume.pk}, {str(volume.pk): "gone"})


def test_recreated_volume_waits_for_the_deletion_of_its_orphan(
    shared: Shared, agent: FakeStorageAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tenant asks between the check of the rows and the deletion in the cluster."""
    volume = shared.volume()
    lose_row(volume)
    Volume.objects.filter(pk=volume.pk).update(state="error", pool=None)
    long_ago(volume)
    quotas.release(volume.pk)
    orphans.reconcile()
    discard(orphan())
    begun: list[Operation] = []

    def remove(pool: Pool, volume_id: UUID, *, generation: int) -> bool:
        begun.append(volume_recreate(shared.cloud.tenant.actor, fresh(volume), zones=(), near=(), host=None))
        assert run(begun[0]).state == "running"
        return remove_volume(pool, volume_id, generation=generation)

    remove_volume = volume_calls.remove_volume
    monkeypatch.setattr(volume_calls, "remove_volume", remove)
    orphans.reconcile()
    assert follow(begun[0]).state == "succeeded"
    assert (agent.volumes.keys(), orphan().state) == ({volume.pk}, "discarded")


def test_pool_that_fails_holds_up_no_other(shared: Shared, agent: FakeStorageAgent) -> None:
    agent.description.pools.append(storage_pool("a-pool"))
    storage_clusters.reconcile()
    lose_row(shared.volume())
    agent.failing_pools["a-pool"] = ClusterSilent("The cluster does not answer.")
    orphans.reconcile()
    assert len(states()) == 1


def test_foreign_image_is_an_orphan_that_only_its_owner_deletes(shared: Shared, agent: FakeStorageAgent) -> None:
    agent.foreign["golden"] = GIB
    orphans.reconcile()
    row = orphan()
    assert (row.name, row.resource_id, row.kind) == ("golden", None, "volume")
    with pytest.raises(OrphanForeign):
        discard(row)
    services.orphan_release(OPERATOR, row, reason="it is ours")
    orphans.reconcile()
    assert states() == {"golden": "released"}


def test_image_of_a_volume_in_the_making_is_no_orphan(shared: Shared, agent: FakeStorageAgent) -> None:
    """Row, image, and then the list: the rows are read after it."""
    volume = shared.volume()
    assert orphans.reconcile() == 0
    Allocation.objects.filter(consumer_id=volume.pk).delete()
    Volume.objects.filter(pk=volume.pk).update(pool=None)  # as after its creation has failed
    long_ago(volume)
    ResourceLock.objects.create(resource_id=volume.pk, operation=shared.ask("second")[1])
    assert orphans.reconcile() == 0 and states() == {}


def test_volume_that_is_deleted_after_the_list_was_read_is_no_orphan(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    operation = volume_delete(shared.cloud.tenant.actor, volume, attached_to=None)
    ended: list[Operation] = []

    def meanwhile(execute: Callable[..., object], *query: object) -> object:
        if not ended and "list" in agent.calls:
            ended.append(operation)
            done(operation)
        return execute(*query)

    with connection.execute_wrapper(meanwhile):
        orphans.reconcile()
    assert agent.volumes == {} and fresh(volume).state == "deleted"
    assert states() == {} and not missing(agent)


def test_root_disk_of_a_deleted_instance_is_no_orphan(shared: Shared, agent: FakeStorageAgent) -> None:
    instance = shared.instance(host="other")
    operation = instance_delete(SYSTEM, instance)
    assert orphans.reconcile() == 0
    assert run(operation).state == "succeeded"
    assert orphans.reconcile() == 0 and agent.volumes == {}


def test_volume_with_snapshots_is_expected(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    project = shared.cloud.tenant.project
    snapshot = Snapshot.objects.create(project=project, name="s", volume=volume, pool=shared.pool, size_gib=2)
    lose_row(volume)
    assert cluster_orphans.reconcile() == 0 and states() == {}
    Snapshot.objects.filter(pk=snapshot.pk).update(state="deleted")
    cluster_orphans.reconcile()
    assert states() == {str(volume.pk): "found"}


def test_missing_volume_is_an_incident_of_the_cluster(shared: Shared, agent: FakeStorageAgent) -> None:
    volume, instance = shared.volume(), shared.instance(host="other")
    root_volume = Volume.objects.get(pk=instance.boot_volume_id)
    lost = dict(agent.volumes)
    lose_images(agent)
    orphans.reconcile()
    assert not missing(agent), "they have just changed"
    long_ago(volume, instance, root_volume)
    orphans.reconcile()
    assert missing(agent) == {f"{NAME}/{volume.pk}", f"{NAME}/{instance.root_id}"}
    orphans.reconcile()
    assert {(fresh(row).last_error or {}).get("code") for row in (volume, instance)} == {DataMissing.code}
    assert not Incident.objects.exists(), "no node has lost them"
    storage_clusters.reconcile()
    assert len(missing(agent)) == 2, "a report of the cluster does not end them"
    agent.volumes.update(lost)
    for _ in range(2):
        orphans.reconcile()
    assert not missing(agent)
    assert {fresh(row).last_error for row in (volume, instance)} == {None}


def test_incident_of_a_missing_volume_ends_with_the_volume(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    lose_images(agent)
    long_ago(volume)
    orphans.reconcile()
    assert missing(agent)
    done(volume_delete(shared.cloud.tenant.actor, fresh(volume), attached_to=None))
    orphans.reconcile()
    assert not missing(agent)


def test_node_without_the_keys_has_lost_no_data(shared: Shared, agent: FakeStorageAgent) -> None:
    instance = shared.instance(host="other")
    shared.attach(instance, shared.volume())
    long_ago(fresh(instance), *Volume.objects.all())
    shared.other.fake.opened.clear()  # by a reboot
    orphans.reconcile()
    assert not Incident.objects.filter(kind="missing-volume").exists()


def refused(shared: Shared, agent: FakeStorageAgent) -> None:
    agent.failures["list"] = BadRequest("pool", "is none that this storage agent was started for")


def silent(shared: Shared, agent: FakeStorageAgent) -> None:
    agent.failures["list"] = ClusterSilent("The cluster does not answer.")


def other_cluster(shared: Shared, agent: FakeStorageAgent) -> None:
    """The agent reaches another cluster since its last report."""
    agent.description.fsid = "9f7d5d1e-5b4a-4f43-9c0e-2b8c3f1f3a99"


def known_as_silent(shared: Shared, agent: FakeStorageAgent) -> None:
    type(agent.row).objects.filter(pk=agent.row.pk).update(problem="silent")


@pytest.mark.parametrize("break_it", [silent, refused, other_cluster, known_as_silent])
def test_cluster_that_does_not_answer_proves_nothing(
    shared: Shared, agent: FakeStorageAgent, break_it: Callable[[Shared, FakeStorageAgent], None]
) -> None:
    volume = shared.volume()
    long_ago(volume)
    lose_images(agent)
    agent.volumes[new_id()] = GIB
    break_it(shared, agent)
    assert orphans.reconcile() == 0
    assert states() == {} and not missing(agent)


def test_many_images_are_compared_over_several_runs(shared: Shared, agent: FakeStorageAgent) -> None:
    """A run makes a bounded number of calls and queries, whatever the pool has; what is beyond waits for the next."""
    agent.page = 2
    lost = shared.volume()
    lose_images(agent)
    agent.volumes = {UUID(int=number << 96): GIB for number in range(1, 2 * PAGES_PER_RUN + 4)}
    long_ago(lost)
    del agent.calls[:]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        cluster_orphans.reconcile()
    assert agent.calls == ["list"] * PAGES_PER_RUN
    assert len(states()) == 2 * PAGES_PER_RUN
    del agent.calls[:]
    with CaptureQueriesContext(connection) as repeated:
        cluster_orphans.reconcile()
    assert agent.calls == ["list"] * 3, "the rest, and the end"
    assert len(states()) == len(agent.volumes)
    assert missing(agent) == {f"{NAME}/{lost.pk}"}
    assert Pool.objects.get(name=NAME).compared_until == ""
    del agent.volumes[UUID(int=1 << 96)]
    cluster_orphans.reconcile()
    assert states()[str(UUID(int=1 << 96))] == "gone"
    assert len(repeated) < len(queries)


def test_decision_waits_for_no_comparison(shared: Shared, agent: FakeStorageAgent) -> None:
    agent.page = 1
    agent.volumes = {UUID(int=number << 96): GIB for number in range(1, PAGES_PER_RUN + 3)}
    cluster_orphans.reconcile()
    discard(Orphan.objects.get(name=str(UUID(int=1 << 96))))
    cluster_orphans.reconcile()
    assert states()[str(UUID(int=1 << 96))] == "discarded"

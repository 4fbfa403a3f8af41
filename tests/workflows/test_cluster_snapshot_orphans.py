"""Snapshots in storage clusters that no row expects, and those that the cluster does not have."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from controlplane.catalog.models import Image
from controlplane.compute.errors import DataMissing
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.kernel.units import GIB
from controlplane.nodes import orphans as services
from controlplane.nodes.models import Orphan
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.reconcilers import orphans, storage_clusters
from controlplane.reconcilers.cluster_snapshot_orphans import PAGES_OF_A_VOLUME
from controlplane.storage.models import Snapshot, Volume
from tests.storage_agent import FakeSnapshot, FakeStorageAgent
from tests.workflows.helpers import done, fresh
from tests.workflows.shared_pool import NAME, Shared, taken
from tests.workflows.snapshots import delete_snapshot
from tests.workflows.test_cluster_orphans import OPERATOR, discard, lose_row


def long_ago() -> None:
    for model in (Volume, Snapshot):
        model.objects.update(updated_at=clock.now() - timedelta(hours=1))


def late(agent: FakeStorageAgent, volume_id: UUID, snapshot_id: UUID | None = None) -> UUID:
    """A call that came too late leaves a snapshot."""
    snapshot_id = snapshot_id or new_id()
    agent.snapshots[snapshot_id] = FakeSnapshot(volume_id, 2 * GIB, 0, 0)
    return snapshot_id


def states() -> dict[str, str]:
    return dict(Orphan.objects.filter(kind="snapshot").values_list("name", "state"))


def missing(agent: FakeStorageAgent) -> set[str]:
    return set(agent.row.incidents.filter(kind="missing-snapshot", ended_at=None).values_list("name", flat=True))


def test_expected_snapshots_are_no_orphans(shared: Shared, agent: FakeStorageAgent) -> None:
    taken(shared)
    long_ago()
    assert orphans.reconcile() == 0
    assert states() == {} and not missing(agent)


def test_snapshot_for_an_image_is_no_orphan_while_the_image_is_made(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = taken(shared).volume
    source = {"source_kind": "volume", "source_id": volume.pk, "source_name": volume.name}
    image = Image.objects.create(name="golden", format="qcow2", project=volume.project, state="importing", **source)
    late(agent, volume.pk, image.pk)
    long_ago()
    Image.objects.filter(pk=image.pk).update(updated_at=clock.now() - timedelta(hours=1))
    assert orphans.reconcile() == 0
    assert states() == {}
    Image.objects.filter(pk=image.pk).update(state="deleted")
    request = OperationRequest("image.create", volume.project_id, [image.pk], {}, resource_name="golden")
    operation = enqueue(SYSTEM, request)
    ResourceLock.objects.all().delete()
    assert orphans.reconcile() == 0, "its operation lives"
    Operation.objects.filter(pk=operation.pk).update(state="cancelled", finished_at=clock.now())
    orphans.reconcile()
    assert states() == {f"{volume.pk}@{image.pk}": "found"}


def test_late_snapshot_is_found_once_and_removed_when_an_operator_decides(
    shared: Shared, agent: FakeStorageAgent
) -> None:
    kept = taken(shared)
    left = late(agent, kept.volume_id)
    long_ago()
    for _ in range(3):
        orphans.reconcile()
    row = Orphan.objects.get(kind="snapshot")
    assert (row.name, row.resource_id, row.state) == (f"{kept.volume_id}@{left}", left, "found")
    assert (row.node, row.pool) == (None, shared.pool)
    discard(row)
    ResourceLock.objects.create(resource_id=kept.volume_id, operation=shared.ask("web")[1])
    orphans.reconcile()
    assert left in agent.snapshots, "an operation has the volume"
    ResourceLock.objects.filter(resource_id=kept.volume_id).delete()
    orphans.reconcile()
    row.refresh_from_db()
    assert (row.state, row.evidence["was_present"]) == ("discarded", True)
    assert agent.snapshots.keys() == {kept.pk}


def test_snapshot_that_a_row_expects_by_now_is_not_removed(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    Snapshot.objects.update(state="deleted")
    long_ago()
    orphans.reconcile()
    discard(Orphan.objects.get(kind="snapshot"))
    Snapshot.objects.update(state="available")
    orphans.reconcile()
    assert snapshot.pk in agent.snapshots
    assert set(states().values()) == {"gone"}


def released(agent: FakeStorageAgent, volume_id: UUID, snapshot_id: UUID) -> None:
    services.orphan_release(OPERATOR, Orphan.objects.get(kind="snapshot"), reason="our own")
    orphans.reconcile()
    assert states() == {f"{volume_id}@{snapshot_id}": "released"}
    del agent.snapshots[snapshot_id]


def gone_with_its_volume(agent: FakeStorageAgent, volume_id: UUID, snapshot_id: UUID) -> None:
    agent.volumes.clear()
    agent.keys.clear()
    del agent.snapshots[snapshot_id]


@pytest.mark.parametrize("go", [released, gone_with_its_volume])
def test_orphan_that_is_not_there_any_more_is_gone(
    shared: Shared, agent: FakeStorageAgent, go: Callable[[FakeStorageAgent, UUID, UUID], None]
) -> None:
    volume = shared.volume()
    left = late(agent, volume.pk)
    orphans.reconcile()
    assert states() == {f"{volume.pk}@{left}": "found"}
    go(agent, volume.pk, left)
    orphans.reconcile()
    assert states() == {f"{volume.pk}@{left}": "gone"}


def deleted_row(shared: Shared, agent: FakeStorageAgent) -> None:
    """A deletion that has just ended was under way when the list was read."""
    snapshot = taken(shared)
    done(delete_snapshot(shared.cloud, snapshot))
    late(agent, snapshot.volume_id, snapshot.pk)


def under_an_operation(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    late(agent, volume.pk)
    ResourceLock.objects.create(resource_id=volume.pk, operation=shared.ask("web")[1])
    long_ago()


def of_an_orphan(shared: Shared, agent: FakeStorageAgent) -> None:
    """The orphaned volume goes with its snapshots."""
    volume = shared.volume()
    late(agent, volume.pk)
    lose_row(volume)


def of_an_older_agent(shared: Shared, agent: FakeStorageAgent) -> None:
    """Its lists have no snapshots: none is missing, nor is one that it would not list gone."""
    late(agent, taken(shared).volume_id)
    agent.snapshots.clear()
    agent.description.capabilities.remove("snapshot-lists")
    storage_clusters.reconcile()
    long_ago()


@pytest.mark.parametrize("prepare", [deleted_row, under_an_operation, of_an_orphan, of_an_older_agent])
def test_unproven_findings_change_nothing(
    shared: Shared, agent: FakeStorageAgent, prepare: Callable[[Shared, FakeStorageAgent], None]
) -> None:
    prepare(shared, agent)
    orphans.reconcile()
    assert states() == {} and not missing(agent)


def test_missing_snapshot_is_an_incident_until_it_is_there(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    lost = agent.snapshots.pop(snapshot.pk)
    orphans.reconcile()
    assert not missing(agent), "it has just changed"
    long_ago()
    changed_at = fresh(snapshot).updated_at
    for _ in range(2):
        orphans.reconcile()
    assert missing(agent) == {f"{NAME}/{snapshot.volume_id}@{snapshot.pk}"}
    assert (fresh(snapshot).last_error or {}).get("code") == DataMissing.code
    agent.snapshots[snapshot.pk] = lost
    orphans.reconcile()
    assert (missing(agent), fresh(snapshot).last_error, fresh(snapshot).updated_at) == (set(), None, changed_at)


def test_incident_of_a_missing_snapshot_ends_with_the_snapshot(shared: Shared, agent: FakeStorageAgent) -> None:
    snapshot = taken(shared)
    agent.snapshots.clear()
    long_ago()
    orphans.reconcile()
    assert missing(agent)
    done(delete_snapshot(shared.cloud, fresh(snapshot)))
    orphans.reconcile()
    assert not missing(agent)


def test_many_snapshots_of_a_volume_are_compared_in_bounded_lists(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    agent.page = 2
    for number in range(1, 2 * PAGES_OF_A_VOLUME + 6):
        late(agent, volume.pk, UUID(int=number << 96))
    Snapshot.objects.create(
        pk=UUID(int=99 << 96),
        project=volume.project,
        name="beyond",
        volume=volume,
        pool=shared.pool,
        size_gib=2,
        state="available",
        taken_at=clock.now(),
    )
    long_ago()
    del agent.calls[:]
    orphans.reconcile()
    assert agent.calls.count("list-snapshots") == PAGES_OF_A_VOLUME
    assert len(states()) == 2 + 2 * PAGES_OF_A_VOLUME
    assert not missing(agent), "it is behind what was compared"

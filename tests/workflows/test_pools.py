"""Disks in a pool that two nodes share, over real gRPC: created once, opened where needed, deleted once.

The pool is a folder that the nodes have mounted, or of a storage cluster, whose agent makes the disks for them.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from django.db.models import Sum

from agents.node.adapters import pools
from agents.node.adapters.pools import Pools
from agents.node.errors import AdapterError
from controlplane.audit.residency import Interval
from controlplane.audit.selectors import residency_of
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.errors import PoolElsewhere, VolumeElsewhere
from controlplane.compute.migration import instance_migrate, migration_obstacles
from controlplane.compute.models import Instance, Migration
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.resize import instance_resize
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.units import GIB
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.models import Incident, Inventory, Node, NodeRemoval, Pool
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, NoPlace
from controlplane.placement.models import Allocation
from controlplane.reconcilers import capacity_drift, node_removals, quota_drift
from controlplane.storage.models import Volume
from controlplane.storage.services import NewVolume, volume_create, volume_delete, volume_grow
from controlplane.workflows import node_steps
from controlplane.workflows.node_steps import Disk
from controlplane.workflows.registry import WORKFLOWS
from controlplane.workflows.workflow_types import Effect
from tests.nightly import one_of, thinned
from tests.workflows import shared_pool
from tests.workflows.helpers import (
    Broken,
    Killed,
    altered,
    delete_everything,
    die,
    done,
    explode,
    followed_by_another_worker,
    fresh,
    picture,
    run_on,
    then,
    undone_twice,
)
from tests.workflows.shared_pool import NAME, Shared
from tests.world import Cloud, follow, make_flavor, run

TURNS = count()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test in both kinds of pools; in the gate in one, in turn."""
    if "shared" in metafunc.fixturenames:
        metafunc.parametrize("shared", one_of(["folder", "cluster"], next(TURNS)), indirect=True)


@pytest.fixture
def shared(cloud: Cloud, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shared]:
    make = shared_pool.folder_pool if request.param == "folder" else shared_pool.cluster_pool
    with make(cloud, tmp_path) as created:
        yield created
    assert capacity_drift.reconcile() == []
    assert quota_drift.reconcile() == []


@pytest.fixture
def folder_pool(cloud: Cloud, tmp_path: Path) -> Iterator[Shared]:
    with shared_pool.folder_pool(cloud, tmp_path) as created:
        yield created


def used_gib() -> int:
    return Pool.objects.get(name=NAME).used_gib


# ---- which nodes have it


def test_first_node_registers_the_pool_and_others_join(folder_pool: Shared) -> None:
    assert folder_pool.pool.uuid == pools.read(folder_pool.folder)
    assert (folder_pool.pool.path, folder_pool.pool.zone_id) == (str(folder_pool.folder), "fr-idf-1")
    assert folder_pool.pool.capacity_gib > 0
    with_it = Node.objects.filter(traits__contains=["pool:shared"])
    assert set(with_it) == {folder_pool.here.row, folder_pool.other.row}


def test_different_pool_of_the_same_name_is_an_incident(folder_pool: Shared, tmp_path: Path) -> None:
    folder = tmp_path / "impostor"
    folder.mkdir()
    pools.make(folder)
    folder_pool.alone.fake.pools = Pools({NAME: folder})
    folder_pool.alone.heartbeat()
    incident = Incident.objects.get(node=folder_pool.alone.row, kind="pool-mismatch", ended_at=None)
    assert (incident.name, incident.facts["path"]) == (NAME, str(folder))
    assert "pool:shared" not in fresh(folder_pool.alone.row).traits
    folder_pool.alone.fake.pools = Pools({NAME: folder_pool.folder})
    folder_pool.alone.heartbeat()
    assert fresh(incident).ended_at is not None
    assert "pool:shared" in fresh(folder_pool.alone.row).traits


# ---- instances and volumes in it


def test_an_instance_has_its_root_disk_in_the_pool(shared: Shared) -> None:
    shared.without_snapshots()
    instance = shared.instance()
    assert instance.node_id in (shared.here.row.pk, shared.other.row.pk)
    assert instance.root_pool == shared.pool
    assert shared.files == {str(instance.root_id)}
    place = Allocation.objects.get(consumer_id=instance.pk)
    assert (place.disk_gib, place.pool, place.pool_gib) == (0, shared.pool, instance.disk_gib)
    assert used_gib() == instance.disk_gib
    assert Inventory.objects.aggregate(used=Sum("disk_gib_used"))["used"] == 0, "nothing of the node's own disk"
    delete_everything(shared.cloud)
    assert (shared.files, used_gib()) == (set(), 0)
    assert not shared.held_by(shared.here) | shared.held_by(shared.other)


def test_instance_is_not_placed_without_the_pool(shared: Shared) -> None:
    with pytest.raises(NoPlace) as refused:
        shared.ask(host="alone")
    assert "do not mount the required shared storage: shared" in str(refused.value.facts["explanation"])


def test_full_pool_is_a_capacity_shortage(shared: Shared) -> None:
    Pool.objects.update(capacity_gib=3)
    shared.volume(size_gib=2)
    with pytest.raises(InsufficientCapacity) as refused:
        shared.volume("more", size_gib=2)
    assert "too little free space" in str(refused.value.facts["explanation"])


def test_attached_pool_volume_opens_on_the_node_of_its_instance(shared: Shared) -> None:
    instance = shared.instance(host="other")
    volume = shared.volume(host=shared.here.row.name)
    shared.attach(instance, volume)
    volume = fresh(volume)
    assert (volume.node, volume.state) == (shared.other.row, "in-use")
    assert Allocation.objects.get(consumer_id=volume.pk).node == shared.other.row
    assert str(volume.pk) not in shared.held_by(shared.here)
    assert used_gib() == instance.disk_gib + volume.size_gib
    guest = shared.other.fake.guests[instance.pk]
    assert [disk.volume_id for disk in guest.running.disks] == [instance.root_id, volume.pk]  # type: ignore[union-attr]


def test_pool_volume_returns_to_a_former_node(shared: Shared) -> None:
    volume = shared.volume(host="other")
    there, here = shared.instance("there", host="other"), shared.instance("here", host=shared.here.row.name)
    for instance in (here, there, here):
        shared.attach(instance, fresh(volume))
        assert fresh(volume).node_id == instance.node_id
        attachment = instance.attachment_set.get(volume=volume)
        done(volume_detach(shared.cloud.tenant.actor, attachment))
    assert shared.files == {str(each) for each in (volume.pk, there.root_id, here.root_id)}
    done(volume_delete(shared.cloud.tenant.actor, fresh(volume), attached_to=None))
    assert str(volume.pk) not in shared.files


def test_instance_is_created_with_volumes_open_on_another_node(shared: Shared) -> None:
    volumes = tuple(shared.volume(name, host=shared.here.row.name) for name in ("a", "b"))
    Volume.objects.filter(pk=volumes[0].pk).update(generation=40)  # of much coming and going
    instance = shared.instance(host="other", volumes=tuple(fresh(volume) for volume in volumes))
    assert {fresh(volume).node_id for volume in volumes} == {shared.other.row.pk}
    assert {fresh(volume).state for volume in volumes} == {"in-use"}
    assert not shared.held_by(shared.here)
    assert instance.state == "active"


def test_local_volume_stays_on_its_node(shared: Shared) -> None:
    instance = shared.instance(host="other")
    new = NewVolume(name="local", size_gib=2, volume_type=shared.cloud.volume_type, host=shared.here.row.name)
    volume, operation = volume_create(SYSTEM, shared.cloud.tenant.project, new)
    done(operation)
    with pytest.raises(VolumeElsewhere):
        shared.attach(instance, fresh(volume))


def test_node_without_the_pool_cannot_open_the_volume(shared: Shared) -> None:
    instance = shared.instance(host="alone", root_volume_type=None)
    with pytest.raises(PoolElsewhere):
        shared.attach(instance, shared.volume())


def test_pool_volume_grows_on_its_node(shared: Shared) -> None:
    volume = shared.volume(host=shared.here.row.name)
    shared.attach(shared.instance(host="other"), volume)
    done(volume_grow(shared.cloud.tenant.actor, fresh(volume), size_gib=5))
    assert Allocation.objects.get(consumer_id=volume.pk).pool_gib == 5
    assert shared.other.fake.call_counts["grow_disk"] == 1
    assert shared.size_bytes(volume) == 5 * GIB, "where it is, and nowhere else"
    assert not shared.other.fake.volumes
    with pytest.raises(InsufficientCapacity):
        volume_grow(shared.cloud.tenant.actor, fresh(volume), size_gib=10**6)


def test_failed_growth_releases_the_capacity(shared: Shared) -> None:
    volume = shared.volume()
    shared.machine_of(volume).fake.fail_next("grow_volume", AdapterError("disk full", retryable=False))
    assert run(volume_grow(shared.cloud.tenant.actor, volume, size_gib=5)).state == "failed"
    assert used_gib() == 2


def test_an_instance_is_rebuilt_and_resized_in_the_pool(shared: Shared) -> None:
    shared.without_snapshots()
    instance = shared.instance()
    old = str(instance.root_id)
    done(instance_rebuild(shared.cloud.tenant.actor, instance, NewDisk(shared.cloud.image)))
    instance = fresh(instance)
    assert shared.files == {str(instance.root_id)} != {old}
    done(instance_power_off(shared.cloud.tenant.actor, instance))
    larger = make_flavor("larger", disk_gib=instance.disk_gib + 3)
    done(instance_resize(shared.cloud.tenant.actor, fresh(instance), flavor=larger))
    assert used_gib() == larger.disk_gib


def test_failed_creation_leaves_no_pool_files(shared: Shared) -> None:
    volume = shared.volume(host="other")
    shared.here.fake.fail_next("start", AdapterError("no", retryable=False))
    instance, operation = shared.ask(host=shared.here.row.name, volumes=(volume,))
    assert run(operation).state == "failed"
    assert shared.files == {str(volume.pk)}
    assert used_gib() == volume.size_gib
    assert (fresh(volume).state, fresh(volume).node) == ("available", shared.here.row), "it has moved, and stays there"
    assert fresh(instance).root_pool is None


# ---- moves


def moved(shared: Shared, instance: Instance) -> Operation:
    return follow(instance_migrate(SYSTEM, fresh(instance)))


def test_migration_in_a_pool_copies_no_disk(shared: Shared) -> None:
    shared.without_snapshots()
    instance = shared.instance(host=shared.here.row.name)
    volume = shared.volume(host=shared.here.row.name, size_gib=7)
    shared.attach(instance, volume)
    used = used_gib()
    created = shared.here.fake.call_counts["create_volume"], shared.other.fake.call_counts["create_volume"]
    assert migration_obstacles(instance) == []
    assert moved(shared, instance).state == "succeeded"
    instance, volume = fresh(instance), fresh(volume)
    assert (instance.node, volume.node, instance.root_pool) == (shared.other.row, shared.other.row, shared.pool)
    assert shared.files == {str(instance.root_id), str(volume.pk)}
    assert shared.here.fake.call_counts["create_volume"] == created[0]
    assert shared.agent is not None or shared.other.fake.call_counts["create_volume"] == created[1]
    assert shared.here.fake.call_counts["remove_volume"] == 0
    assert shared.here.fake.is_clean()
    assert not shared.held_by(shared.here)
    assert (used_gib(), shared.other.fake.guests[instance.pk].power) == (used, "running")
    assert not shared.other.fake.images, "nothing there needs the image"
    assert Migration.objects.get().total_bytes == instance.memory_mib * 2**20, "memory alone is sent"
    assert moved(shared, instance).state == "succeeded", "and back"
    delete_everything(shared.cloud)
    assert (shared.files, used_gib()) == (set(), 0)


def test_failed_migration_keeps_the_pool_disk(shared: Shared) -> None:
    instance = shared.instance(host=shared.here.row.name)
    shared.other.fake.fail_next("take_in", AdapterError("no", retryable=False))
    assert moved(shared, instance).state == "failed"
    instance = fresh(instance)
    assert (instance.node, shared.files) == (shared.here.row, {str(instance.root_id)})
    assert not shared.held_by(shared.other)
    assert used_gib() == instance.disk_gib
    assert shared.here.fake.guests[instance.pk].power == "running"


def test_read_only_pool_volume_migrates_with_its_guest(shared: Shared) -> None:
    instance = shared.instance(host=shared.here.row.name)
    volume = shared.volume(host=shared.here.row.name)
    done(volume_attach(shared.cloud.tenant.actor, instance, volume=volume, is_read_only=True)[1])
    assert migration_obstacles(fresh(instance)) == []
    assert moved(shared, instance).state == "succeeded"


# ---- nodes that are silent


def test_pool_volume_of_an_unreachable_node_is_deleted_by_another(folder_pool: Shared) -> None:
    volume = folder_pool.volume(host="other")
    folder_pool.other.become_unreachable()
    done(volume_delete(folder_pool.cloud.tenant.actor, volume, attached_to=None))
    assert (folder_pool.files, used_gib()) == (set(), 0)
    assert [(row.kind, row.node) for row in NodeRemoval.objects.all()] == [("shared-volume", folder_pool.other.row)]
    folder_pool.other.come_back()
    assert node_removals.reconcile() == 1
    assert not folder_pool.held_by(folder_pool.other)


def test_pool_volume_is_deleted_when_the_last_node_returns(folder_pool: Shared) -> None:
    volume = folder_pool.volume(host="other")
    folder_pool.here.become_unreachable()
    folder_pool.other.become_unreachable()
    done(volume_delete(folder_pool.cloud.tenant.actor, volume, attached_to=None))
    assert [(row.kind, row.pool) for row in NodeRemoval.objects.all()] == [("volume", NAME)]
    folder_pool.other.come_back()
    assert node_removals.reconcile() == 1
    assert folder_pool.files == set()


def test_pool_volume_moves_from_an_unreachable_node(shared: Shared) -> None:
    volume = shared.volume(host="other")
    shared.other.become_unreachable()
    instance = shared.instance(host=shared.here.row.name)
    shared.attach(instance, volume)
    assert fresh(volume).node == shared.here.row
    assert [(row.kind, row.node) for row in NodeRemoval.objects.all()] == [("shared-volume", shared.other.row)]
    shared.other.come_back()
    assert node_removals.reconcile() == 1
    assert str(volume.pk) in shared.files, "the node forgets it, and nothing more"
    done(instance_delete(shared.cloud.tenant.actor, fresh(instance)))


# ---- workers that die


MOVE_STEPS = ("place", "root-disk", "volume-0", "expect", "move", "settle", "clear-source")


@pytest.mark.parametrize("step", thinned(MOVE_STEPS, keep_every=3, beginning=1))
def test_pool_migration_continues_with_another_worker(shared: Shared, step: str) -> None:
    shared.without_snapshots()
    instance = shared.instance(host=shared.here.row.name)
    shared.attach(instance, shared.volume(host=shared.here.row.name))
    used, files = used_gib(), shared.files
    _die_and_follow(instance_migrate(SYSTEM, fresh(instance)), step)
    assert (fresh(instance).node, shared.files, used_gib()) == (shared.other.row, files, used)
    assert not shared.held_by(shared.here)
    delete_everything(shared.cloud)
    assert (shared.files, used_gib()) == (set(), 0)


@pytest.mark.parametrize(
    "step", thinned(["place", "images", "root-disk", "volume-0", "port-0", "expect"], keep_every=3, beginning=2)
)
def test_undone_pool_migration_restores_everything(shared: Shared, step: str) -> None:
    shared.without_snapshots()
    instance = shared.instance(host=shared.here.row.name)
    shared.attach(instance, shared.volume(host=shared.here.row.name))
    before, files = picture(shared.cloud), shared.files
    workflow = altered(undone_twice(WORKFLOWS["instance.migrate"]), step, then(explode))
    assert run_on(instance_migrate(SYSTEM, fresh(instance)), workflow).state == "failed"
    assert (picture(shared.cloud), shared.files) == (before, files)
    assert not shared.held_by(shared.other)


@pytest.mark.parametrize("step", ["bring", "plug"])
def test_volume_opening_continues_with_another_worker(shared: Shared, step: str) -> None:
    instance, volume = shared.instance(host="other"), shared.volume(host=shared.here.row.name)
    _, operation = volume_attach(shared.cloud.tenant.actor, instance, volume=volume, is_read_only=False)
    _die_and_follow(operation, step)
    assert (fresh(volume).node, fresh(volume).state) == (shared.other.row, "in-use")
    assert not shared.held_by(shared.here)


@pytest.mark.parametrize("step", ["bring", "plug"])
def test_failed_attachment_leaves_an_attachable_pool_volume(shared: Shared, step: str) -> None:
    """Wherever it is by then: to the same instance, or to one where it was."""
    there, here = shared.instance("there", host="other"), shared.instance("here", host=shared.here.row.name)
    volume, actor = shared.volume(host=shared.here.row.name), shared.cloud.tenant.actor
    _, operation = volume_attach(actor, there, volume=volume, is_read_only=False)
    assert run_on(operation, altered(WORKFLOWS["volume.attach"], step, then(explode))).state == "failed"
    for instance in (here, there):
        shared.attach(instance, fresh(volume))
        assert fresh(volume).node_id == instance.node_id
        done(volume_detach(actor, instance.attachment_set.get(volume=volume)))


@pytest.mark.parametrize("kind", ["volume.attach", "instance.create"])
def test_undone_opening_leaves_no_gap_in_the_residency(
    shared: Shared, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former node has closed the volume, and the new one has not opened it yet: its opening is finished."""
    volume = shared.volume(host=shared.here.row.name)
    if kind == "volume.attach":
        instance = shared.instance(host="other")
        _, operation = volume_attach(shared.cloud.tenant.actor, instance, volume=volume, is_read_only=False)
    else:
        _, operation = shared.ask(host="other", volumes=(volume,))
    real, calls = node_steps.open_shared_volume, count()

    def fail_once(authorization: CallAuthorization, volume: Volume) -> Effect | None:
        if next(calls) == 0:
            raise Broken()
        return real(authorization, volume)

    monkeypatch.setattr(node_steps, "open_shared_volume", fail_once)
    assert run_on(operation, undone_twice(WORKFLOWS[kind])).state == "failed"
    assert next(calls) > 1, "it was opened in the undo"
    assert fresh(volume).node == shared.other.row
    assert str(volume.pk) in shared.held_by(shared.other) - shared.held_by(shared.here)
    residency = open_residency(shared, volume)
    assert [interval.node for interval in residency] == [str(shared.other.row.pk)]


def test_undone_opening_follows_the_allocation_to_a_node_that_refuses_the_volume(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, instance = shared.volume(host=shared.here.row.name), shared.instance(host="other")
    _, operation = volume_attach(shared.cloud.tenant.actor, instance, volume=volume, is_read_only=False)
    monkeypatch.setattr(node_steps, "open_disk", lambda *_: explode(operation))
    assert run_on(operation, undone_twice(WORKFLOWS["volume.attach"])).state == "failed"
    monkeypatch.undo()
    assert (fresh(volume).node, fresh(volume).state) == (shared.other.row, "available")
    assert str(volume.pk) not in shared.held_by(shared.here)
    shared.attach(fresh(instance), fresh(volume))


def test_undone_opening_does_not_wait_for_a_lost_node(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    volume, instance = shared.volume(host=shared.here.row.name), shared.instance(host="other")
    _, operation = volume_attach(shared.cloud.tenant.actor, instance, volume=volume, is_read_only=False)
    real, calls = node_steps.open_disk, count()

    def lose_node(authorization: CallAuthorization, disk: Disk) -> None:
        if next(calls) == 0:
            shared.other.become_unreachable()
            raise Broken()
        real(authorization, disk)

    monkeypatch.setattr(node_steps, "open_disk", lose_node)
    assert run_on(operation).state == "failed"
    assert (fresh(volume).node, next(calls)) == (shared.other.row, 2)
    shared.other.come_back()
    shared.attach(fresh(instance), fresh(volume))


def open_residency(shared: Shared, volume: Volume) -> list[Interval]:
    """Return the open intervals of a volume, in whose evidence there is no contradiction."""
    for machine in (shared.here, shared.other):
        machine.account()
    found = residency_of(volume.pk)
    assert not found.problems
    assert {interval.state for interval in found.intervals} == {"proven"}
    return [interval for interval in found.intervals if interval.end is None]


def _die_and_follow(operation: Operation, step: str) -> None:
    with pytest.raises(Killed):
        run_on(operation, altered(WORKFLOWS[operation.kind], step, then(die)))
    assert run_on(followed_by_another_worker(operation)).state == "succeeded"

"""Volumes that move from one pool of a storage cluster to another, of the same cluster or of another one."""

from collections.abc import Callable

import pytest

from agents.node.errors import AdapterError
from agents.node.state_store import Phase
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import VolumeType
from controlplane.compute.errors import VolumeMoveUnderGuest
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_power_off, instance_start
from controlplane.compute.volume_moves import CLUSTER_COPY, volume_retype_plan
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.units import GIB
from controlplane.nodes.models import Node, NodeRemoval, Orphan, Pool
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from controlplane.placement.errors import InsufficientCapacity, NoPlace
from controlplane.placement.models import Allocation
from controlplane.reconcilers import capacity_drift, cluster_orphans, node_removals, quota_drift
from controlplane.storage.errors import PoolMovesUnsupported, VolumeHasSnapshots, VolumeMoveNotEnded
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.services import volume_grow
from controlplane.storage_clusters.models import StorageCluster, StorageClusterIncident
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import in_turn
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import (
    altered,
    assert_clean_slate,
    attach,
    cancel,
    delete_everything,
    done,
    explode,
    fresh,
    make_booted,
    make_stopped_instance,
    make_volume,
    run_on,
    then,
)
from tests.workflows.snapshots import POOL, SECOND, ask_snapshot, cluster, second_pool
from tests.workflows.test_volume_moves import ask, held_at, moved
from tests.world import Cloud, FakeMachine, run_next_attempt

MOVE = WORKFLOWS["volume.move"]


def one_cluster(cloud: Cloud, *machines: FakeMachine) -> tuple[VolumeType, VolumeType]:
    """Return the volume types of two pools of one cluster."""
    return cluster(cloud, *machines), second_pool(cloud, *machines)


def two_clusters(cloud: Cloud, *machines: FakeMachine) -> tuple[VolumeType, VolumeType]:
    return cluster(cloud, *machines), cluster(cloud, *machines, pool=SECOND)


Kinds = Callable[..., tuple[VolumeType, VolumeType]]
BOTH = in_turn("kinds", [one_cluster, two_clusters])


def images(cloud: Cloud, volume: Volume) -> set[str]:
    """Return the pools that have an image of the volume."""
    return {
        name
        for each in cloud.world.clusters
        for name, pool in each.pools.items()
        if volume.pk in pool.volumes and volume.pk in pool.contents
    }


def keys(cloud: Cloud, volume: Volume) -> dict[str, set[str]]:
    """Return the names of the nodes that have a key of the volume, by pool."""
    names = {machine.row.pk: machine.row.name for machine in cloud.world.machines}
    return {
        name: {names[node] for node in pool.keys[volume.pk]}
        for each in cloud.world.clusters
        for name, pool in each.pools.items()
        if pool.keys.get(volume.pk)
    }


def write(cloud: Cloud, volume: Volume, pool: str, content: int) -> None:
    """Give the image of the volume in the pool a content."""
    (there,) = [each.pools[pool] for each in cloud.world.clusters if pool in each.pools]
    there.contents[volume.pk] = content


def ended(operation: Operation) -> Operation:
    while operation.state in ("running", "undoing"):
        operation = run_next_attempt(operation)
    return operation


@BOTH
def test_volume_is_in_its_new_pool_alone_and_comes_back(cloud: Cloud, kinds: Kinds) -> None:
    first, second = kinds(cloud)
    VolumeType.objects.filter(pk=second.pk).update(iops=500)
    second.refresh_from_db()
    volume = make_volume(cloud, volume_type=first, image=cloud.image)
    plan = volume_retype_plan(cloud.tenant.actor, volume, volume_type=second, max_mb_per_s=0)
    assert (plan.copied_gib, plan.pool, plan.is_online) == (2, POOL, False)
    for there, name in ((second, SECOND), (first, POOL), (second, SECOND)):
        after = moved(cloud, volume, there, max_mb_per_s=40)
        assert (after.volume_type, after.next_type, after.pool.name) == (there, None, name)
        assert images(cloud, volume) == {name}
        assert keys(cloud, volume) == {name: {cloud.machine.row.name}}
        assert (held_at(cloud.machine, volume), cloud.fake.opened_copies) == (name, {})
        assert set(cloud.fake.opened) == {volume.pk}
        assert dict(Pool.objects.values_list("name", "used_gib")) == {POOL: 0, SECOND: 0} | {name: 2}
        (allocation,) = Allocation.objects.all()
        assert (allocation.consumer_id, allocation.disk_gib, allocation.pool_gib) == (volume.pk, 0, 2)
        assert [*capacity_drift.reconcile(), *quota_drift.reconcile()] == []
    assert fresh(volume).iops_limit == 500
    row = VolumeMove.objects.order_by("created_at").last()
    assert row is not None
    assert (row.state, row.total_bytes, row.moved_bytes) == ("done", 2 * GIB, 2 * GIB)
    done(attach(cloud, make_stopped_instance(cloud), fresh(volume))[1])
    done(volume_grow(cloud.tenant.actor, fresh(volume), size_gib=3))
    delete_everything(cloud)
    assert_clean_slate(cloud)


@BOTH
def test_while_it_is_copied_both_places_have_allocation_key_and_row(cloud: Cloud, kinds: Kinds) -> None:
    first, second = kinds(cloud)
    volume, seen = make_volume(cloud, volume_type=first), list[object]()

    def look(operation: Operation) -> None:
        name = cloud.machine.row.name
        assert keys(cloud, volume) == {POOL: {name}, SECOND: {name}}
        assert (set(cloud.fake.opened), set(cloud.fake.opened_copies)) == ({volume.pk}, {volume.pk})
        assert dict(Pool.objects.values_list("name", "used_gib")) == {POOL: 2, SECOND: 2}
        assert cluster_orphans.reconcile() == 0
        seen.append(images(cloud, volume))

    run_on(ask(cloud, volume, second), altered(MOVE, "copy", then(look)))
    assert seen[-1] == {POOL, SECOND}
    assert cluster_orphans.reconcile() == 0
    assert not Orphan.objects.exists()
    assert not StorageClusterIncident.objects.filter(kind__startswith="missing").exists()


@BOTH
@pytest.mark.parametrize("act", ["cancel", "fail"])
def test_cancelled_or_failed_move_leaves_the_source_and_removes_the_destination(
    cloud: Cloud, kinds: Kinds, act: str
) -> None:
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)
    write(cloud, volume, POOL, 7)
    alter = then(cancel(cloud) if act == "cancel" else explode)
    operation = ended(run_on(ask(cloud, volume, second), altered(MOVE, "copy", alter)))
    assert operation.state == ("cancelled" if act == "cancel" else "failed")
    assert (images(cloud, volume), keys(cloud, volume)) == ({POOL}, {POOL: {cloud.machine.row.name}})
    assert cloud.world.clusters[0].pools[POOL].contents == {volume.pk: 7}
    assert (held_at(cloud.machine, volume), set(cloud.fake.opened), cloud.fake.opened_copies) == (
        POOL,
        {volume.pk},
        {},
    )
    assert (fresh(volume).volume_type, fresh(volume).next_type) == (first, None)
    assert Pool.objects.get(name=SECOND).used_gib == 0
    moved(cloud, volume, second)
    assert images(cloud, volume) == {SECOND}


@BOTH
def test_move_that_is_undone_without_its_node_removes_the_destination(cloud: Cloud, kinds: Kinds) -> None:
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)

    def vanish(operation: Operation) -> None:
        cancel(cloud)(operation)
        cloud.machine.become_unreachable()

    operation = ended(run_on(ask(cloud, volume, second), altered(MOVE, "copy", then(vanish))))
    assert operation.state == "cancelled"
    assert images(cloud, volume) == {POOL}
    assert SECOND not in keys(cloud, volume), "the node cannot write there any more"
    removal = NodeRemoval.objects.get()
    assert (removal.kind, removal.pool) == ("volume-copy", SECOND)
    cloud.machine.come_back()
    with pytest.raises(VolumeMoveNotEnded):
        ask(cloud, volume, second)
    assert node_removals.reconcile() == 1
    assert (held_at(cloud.machine, volume), set(cloud.fake.opened), cloud.fake.opened_copies) == (
        POOL,
        {volume.pk},
        {},
    )
    assert images(cloud, volume) == {POOL}
    moved(cloud, volume, second)


@BOTH
def test_node_that_is_away_from_the_switch_on_has_the_new_place_when_it_is_back(cloud: Cloud, kinds: Kinds) -> None:
    """Its key of the source is gone with the source; the next move waits for it."""
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)
    vanish = then(lambda _: cloud.machine.become_unreachable())
    operation = ended(run_on(ask(cloud, volume, second), altered(MOVE, "switch", vanish)))
    assert (operation.state, fresh(volume).volume_type) == ("succeeded", second)
    assert images(cloud, volume) == {SECOND}
    assert POOL not in keys(cloud, volume)
    removal = NodeRemoval.objects.get()
    assert (removal.kind, removal.pool) == ("volume-copy", POOL)
    cloud.machine.come_back()
    with pytest.raises(VolumeMoveNotEnded):
        ask(cloud, volume, first)
    assert node_removals.reconcile() == 1
    assert (held_at(cloud.machine, volume), cloud.fake.opened_copies) == (SECOND, {})
    assert images(cloud, volume) == {SECOND}
    done(attach(cloud, make_stopped_instance(cloud), fresh(volume))[1])
    delete_everything(cloud)
    assert_clean_slate(cloud)


@BOTH
@pytest.mark.parametrize("boots", [False, True])
def test_stopped_instance_starts_from_the_new_pool(cloud: Cloud, kinds: Kinds, boots: bool) -> None:
    first, second = kinds(cloud)
    if boots:
        instance = make_booted(cloud, volume_type=first)
        volume: Volume = instance.boot_volume
        done(instance_power_off(cloud.tenant.actor, instance))
    else:
        instance, volume = make_stopped_instance(cloud), make_volume(cloud, volume_type=first)
        done(attach(cloud, instance, volume)[1])
    after = moved(cloud, volume, second)
    assert after.state == "in-use"
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    running = cloud.fake.guests[instance.pk].running
    assert running is not None
    (source,) = [disk.source for disk in running.disks if disk.volume_id == volume.pk]
    assert source == f"rbd:{SECOND}/{volume.pk}"
    assert keys(cloud, volume) == {SECOND: {cloud.machine.row.name}}
    delete_everything(cloud)
    assert_clean_slate(cloud)


@BOTH
def test_running_guest_has_to_be_stopped_first(cloud: Cloud, kinds: Kinds) -> None:
    first, second = kinds(cloud)
    instance = make_booted(cloud, volume_type=first)
    with pytest.raises(VolumeMoveUnderGuest, match="web"):
        ask(cloud, instance.boot_volume, second)
    Instance.objects.filter(pk=instance.pk).update(state="error")
    with pytest.raises(VolumeMoveUnderGuest):
        ask(cloud, instance.boot_volume, second)
    assert not VolumeMove.objects.exists()
    assert (images(cloud, instance.boot_volume), cloud.fake.opened_copies) == ({POOL}, {})


def test_snapshots_keep_the_volume_where_it_is(cloud: Cloud) -> None:
    first, second = one_cluster(cloud)
    volume = make_volume(cloud, volume_type=first)
    done(ask_snapshot(cloud, volume)[1])
    with pytest.raises(VolumeHasSnapshots):
        ask(cloud, volume, second)


@BOTH
@pytest.mark.parametrize("old", [POOL, SECOND])
def test_agent_that_would_confuse_the_keys_is_refused(cloud: Cloud, kinds: Kinds, old: str) -> None:
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)
    of_old = StorageCluster.objects.filter(pools__name=old)
    of_old.update(capabilities=["snapshots"])
    with pytest.raises(PoolMovesUnsupported, match="too old"):
        ask(cloud, volume, second)
    moved(cloud, volume, cloud.volume_type)  # by the disk of a node
    moved(cloud, volume, second)


@BOTH
def test_node_has_both_pools_and_an_agent_that_knows_how(cloud: Cloud, kinds: Kinds) -> None:
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)
    traits = fresh(cloud.machine.row).traits
    for missing in (CLUSTER_COPY, Pool.objects.get(name=POOL).trait, Pool.objects.get(name=SECOND).trait):
        Node.objects.filter(pk=cloud.machine.row.pk).update(traits=[each for each in traits if each != missing])
        with pytest.raises(NoPlace):
            ask(cloud, volume, second)
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    Pool.objects.filter(name=SECOND).update(capacity_gib=1)
    with pytest.raises(InsufficientCapacity):
        ask(cloud, volume, second)
    Pool.objects.filter(name=SECOND).update(capacity_gib=100)
    moved(cloud, volume, second)


@BOTH
def test_another_node_copies_and_the_first_one_forgets_the_source(cloud: Cloud, kinds: Kinds) -> None:
    other = cloud.world.add_machine("fr-idf-1")
    first, second = kinds(cloud, other)
    volume = make_volume(cloud, volume_type=first)
    here = next(each for each in cloud.world.machines if each.row.pk == volume.node_id)
    there = other if here is cloud.machine else cloud.machine
    node_cordon(SYSTEM, here.row, reason="full")
    seen: list[set[str]] = []

    def look(operation: Operation) -> None:
        seen.append(_nodes_recorded(cloud, volume))

    operation = run_on(ask(cloud, volume, second), altered(MOVE, "copy", then(look)))
    assert operation.state == "succeeded", operation.steps
    assert fresh(volume).node_id == there.row.pk
    assert (held_at(here, volume), held_at(there, volume)) == (None, SECOND)
    assert (images(cloud, volume), keys(cloud, volume)) == ({SECOND}, {SECOND: {there.row.name}})
    assert (here.fake.opened, set(there.fake.opened), there.fake.opened_copies) == ({}, {volume.pk}, {})
    assert seen[-1] == {str(here.row.pk), str(there.row.pk)}
    assert _nodes_recorded(cloud, volume) == {str(there.row.pk)}


def test_evidence_of_a_move_on_one_node_has_no_gap(cloud: Cloud) -> None:
    first, second = one_cluster(cloud)
    volume = make_volume(cloud, volume_type=first)
    moved(cloud, volume, second)
    moved(cloud, volume, first)
    assert _nodes_recorded(cloud, volume) == {str(cloud.machine.row.pk)}


@BOTH
def test_policy_of_the_project_counts_at_the_switch(cloud: Cloud, kinds: Kinds) -> None:
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)

    def tighten(operation: Operation) -> None:
        ruled(cloud.tenant.project, *in_zones("de-rhein-1", roles=["storage"]))

    operation = ended(run_on(ask(cloud, volume, second), altered(MOVE, "copy", then(tighten))))
    assert (operation.state, operation.error["code"]) == ("failed", "policy_unsatisfiable")
    assert (images(cloud, volume), fresh(volume).volume_type) == ({POOL}, first)


@BOTH
def test_copy_that_failed_is_begun_anew_with_both_keys(cloud: Cloud, kinds: Kinds) -> None:
    """A node that boots has lost its keys."""
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)
    cloud.fake.fail_next("copy_volume", AdapterError("The cluster is silent.", retryable=True))
    operation = run_on(ask(cloud, volume, second))
    assert (operation.state, operation.attempts) == ("running", 1)
    assert "The cluster is silent." in str(operation.steps)
    cloud.fake.opened.clear()
    cloud.fake.opened_copies.clear()
    assert ended(operation).state == "succeeded"
    assert (images(cloud, volume), set(cloud.fake.opened)) == ({SECOND}, {volume.pk})


@BOTH
@pytest.mark.parametrize("step", ["switch", "finish", "open", "erase"])
def test_agent_restarts_after_each_step_from_the_switch_on(cloud: Cloud, kinds: Kinds, step: str) -> None:
    first, second = kinds(cloud)
    volume = make_volume(cloud, volume_type=first)

    def restart(operation: Operation) -> None:
        cloud.machine.stop_agent()
        cloud.machine.start_agent()
        explode(operation)

    operation = ended(run_on(ask(cloud, volume, second), altered(MOVE, step, then(restart))))
    assert operation.state == "succeeded"
    entry = cloud.machine.server.node.state_store.volumes.get(volume.pk)
    assert entry is not None
    assert (entry.spec.pool, entry.phase, images(cloud, volume)) == (SECOND, Phase.PRESENT, {SECOND})
    delete_everything(cloud)
    assert_clean_slate(cloud)


def _nodes_recorded(cloud: Cloud, volume: Volume) -> set[str]:
    """Return the nodes that have the volume by the evidence, which contradicts itself nowhere."""
    for machine in cloud.world.machines:
        machine.account()
    found = residency_of(volume.pk)
    assert not found.problems
    assert all(each.is_compliant for each in found.intervals)
    return {each.node for each in found.intervals if each.end is None}

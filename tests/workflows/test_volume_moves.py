"""Volumes that change their place with their type: what is where then, what is refused, and what is made up for."""

from collections.abc import Callable

import pytest

from agents.node.adapters import pools
from agents.node.errors import AdapterError
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import VolumeType
from controlplane.compute.errors import VolumeMoveUnderGuest
from controlplane.compute.services import instance_power_off, instance_start
from controlplane.compute.volume_moves import VOLUME_COPY, volume_move, volume_retype_plan
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.units import GIB
from controlplane.nodes.models import Node, NodeRemoval, Pool
from controlplane.nodes.services import node_cordon
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, node_removals, quota_drift
from controlplane.storage.errors import VolumeHasSnapshots, VolumeTypeElsewhere
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.services import volume_grow
from controlplane.workflows.registry import WORKFLOWS
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import (
    POOL,
    altered,
    assert_clean_slate,
    attach,
    cancel,
    delete_everything,
    done,
    explode,
    fresh,
    make_booted,
    make_instance,
    make_stopped_instance,
    make_volume,
    run_on,
    share,
    then,
)
from tests.workflows.snapshots import ask_snapshot, cluster
from tests.world import Cloud, FakeMachine, run_next_attempt

PLACES: dict[str, Callable[[Cloud], VolumeType]] = {
    "local": lambda cloud: cloud.volume_type,
    "folder": lambda cloud: share(cloud),
    "rbd": lambda cloud: cluster(cloud),
}
PAIRS = [(source, to) for source in PLACES for to in PLACES if source != to]


def ask(cloud: Cloud, volume: Volume, volume_type: VolumeType, *, max_mb_per_s: int = 0) -> Operation:
    return volume_move(cloud.tenant.actor, fresh(volume), volume_type=volume_type, max_mb_per_s=max_mb_per_s)


def moved(cloud: Cloud, volume: Volume, volume_type: VolumeType, **terms: int) -> Volume:
    operation = run_on(ask(cloud, volume, volume_type, **terms))
    assert operation.state == "succeeded", (operation.error, operation.steps)
    return fresh(volume)


def places(cloud: Cloud, volume: Volume) -> set[str]:
    """Return the kinds of places that have data of the volume."""
    found = {"local" for machine in cloud.world.machines if volume.pk in machine.fake.volumes}
    folder = cloud.world.folder / "pool" / pools.VOLUMES / f"{volume.pk}.qcow2"
    found |= {"folder"} if folder.exists() else set()
    return found | {"rbd" for each in cloud.world.clusters if volume.pk in each.volumes}


def held_at(machine: FakeMachine, volume: Volume) -> str | None:
    """Return the pool where the node's agent has the volume; None: it does not know the volume."""
    entry = machine.server.node.state_store.volumes.get(volume.pk)
    return entry.spec.pool if entry is not None and entry.is_held else None


@pytest.mark.parametrize(("source", "to"), PAIRS)
def test_volume_is_in_its_new_place_alone(cloud: Cloud, source: str, to: str) -> None:
    kinds = {place: PLACES[place](cloud) for place in (source, to)}
    VolumeType.objects.filter(pk=kinds[to].pk).update(iops=500)
    kinds[to].refresh_from_db()
    volume = make_volume(cloud, volume_type=kinds[source], image=cloud.image)
    assert places(cloud, volume) == {source}
    after = moved(cloud, volume, kinds[to], max_mb_per_s=40)
    assert (after.volume_type_id, after.next_type_id, after.iops_limit) == (kinds[to].pk, None, 500)
    assert (after.pool.name if after.pool else "") == kinds[to].pool
    assert places(cloud, volume) == {to}
    (allocation,) = Allocation.objects.filter(consumer_id=volume.pk)
    assert Allocation.objects.count() == 1
    assert (allocation.disk_gib, allocation.pool_gib) == ((2, 0) if to == "local" else (0, 2))
    row = VolumeMove.objects.get()
    assert (row.state, row.total_bytes, row.moved_bytes) == ("done", 2 * GIB, 2 * GIB)
    assert cloud.fake.copied[volume.pk] == 40 * 10**6
    assert [*capacity_drift.reconcile(), *quota_drift.reconcile()] == []
    done(attach(cloud, make_instance(cloud), after)[1])
    done(volume_grow(cloud.tenant.actor, fresh(volume), size_gib=3))
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_quota_counts_the_volume_once_while_it_moves(cloud: Cloud) -> None:
    volume, seen = make_volume(cloud), []
    before = set(QuotaUse.objects.values_list("resource_id", "dimension", "amount"))

    def look(operation: Operation) -> None:
        seen.append((places(cloud, volume), Allocation.objects.count()))
        assert set(QuotaUse.objects.values_list("resource_id", "dimension", "amount")) == before

    run_on(ask(cloud, volume, share(cloud)), altered(WORKFLOWS["volume.move"], "copy", then(look)))
    assert seen[-1] == ({"local", "folder"}, 2)


@pytest.mark.parametrize("boots", [False, True])
def test_instance_starts_from_the_new_place(cloud: Cloud, boots: bool) -> None:
    kind = share(cloud)
    if boots:
        instance = make_booted(cloud)
        volume = instance.boot_volume
        with pytest.raises(VolumeMoveUnderGuest):
            ask(cloud, volume, kind)
        done(instance_power_off(cloud.tenant.actor, instance))
    else:
        instance, volume = make_stopped_instance(cloud), make_volume(cloud)
        done(attach(cloud, instance, volume)[1])
    after = moved(cloud, volume, kind)
    assert after.state == "in-use"
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    running = cloud.fake.guests[instance.pk].running
    assert running is not None
    (source,) = [disk.source for disk in running.disks if disk.volume_id == volume.pk]
    assert source == str(cloud.world.folder / "pool" / pools.VOLUMES / f"{volume.pk}.qcow2")
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_volume_that_moves_is_not_used(cloud: Cloud) -> None:
    volume = make_volume(cloud)
    instance = make_stopped_instance(cloud)
    done(attach(cloud, instance, volume)[1])
    operation = ask(cloud, volume, share(cloud))
    with pytest.raises(Busy) as caught:
        instance_start(cloud.tenant.actor, fresh(instance))
    assert caught.value.facts["blocking_operation"] == str(operation.pk)
    operation_cancel(cloud.tenant.actor, operation)
    assert run_on(operation).state == "cancelled"
    assert (VolumeMove.objects.get().state, fresh(volume).next_type, places(cloud, volume)) == (
        "cancelled",
        None,
        {"local"},
    )
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    moved_again = make_volume(cloud, "other")
    assert moved(cloud, moved_again, share(cloud)).pool is not None


def test_move_back_after_a_cancelled_one(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), share(cloud)
    operation = run_on(ask(cloud, volume, kind), altered(WORKFLOWS["volume.move"], "copy", then(cancel(cloud))))
    assert operation.state == "cancelled"
    for volume_type, place in ((kind, "folder"), (cloud.volume_type, "local"), (kind, "folder")):
        moved(cloud, volume, volume_type)
        assert places(cloud, volume) == {place}


def test_running_guest_snapshots_and_two_clusters_are_refused(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    done(attach(cloud, instance, volume)[1])
    with pytest.raises(VolumeMoveUnderGuest, match="web"):
        ask(cloud, volume, share(cloud))
    kept = make_volume(cloud, "kept", volume_type=cluster(cloud))
    done(ask_snapshot(cloud, kept)[1])
    with pytest.raises(VolumeHasSnapshots, match="then"):
        ask(cloud, kept, cloud.volume_type)
    free = make_volume(cloud, "free", volume_type=kept.volume_type)
    Pool.objects.create(
        name="second",
        zone_id="fr-idf-1",
        uuid=volume.pk,
        path="rbd:x/second",
        engine="rbd",
        cluster=free.pool.cluster,
    )
    second = VolumeType.objects.create(pk="second", description="of the same cluster", pool="second")
    with pytest.raises(VolumeTypeElsewhere, match="storage clusters"):
        ask(cloud, free, second)
    assert not VolumeMove.objects.exists()


def test_place_without_room_or_with_an_old_agent_is_refused(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), share(cloud)
    Pool.objects.update(capacity_gib=1)
    with pytest.raises(InsufficientCapacity):
        ask(cloud, volume, kind)
    Pool.objects.update(capacity_gib=1000)
    traits = [trait for trait in fresh(cloud.machine.row).traits if trait != VOLUME_COPY]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    with pytest.raises(NoPlace, match=VOLUME_COPY):
        ask(cloud, volume, kind)


def test_plan_tells_what_is_copied_and_changes_nothing(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), share(cloud)
    plan = volume_retype_plan(cloud.tenant.actor, volume, volume_type=kind, max_mb_per_s=9)
    assert (plan.copied_gib, plan.pool, plan.volume_type.pool, plan.instance) == (2, "", POOL, None)
    limited = VolumeType.objects.create(pk="fast", description="fast", iops=5)
    assert volume_retype_plan(cloud.tenant.actor, volume, volume_type=limited, max_mb_per_s=0).copied_gib == 0
    assert not Operation.objects.filter(kind__in=["volume.move", "volume.retype"]).exists()
    assert not VolumeMove.objects.exists()


def test_copy_that_fails_is_begun_anew_and_tells_why(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), share(cloud)
    cloud.fake.fail_next("copy_volume", AdapterError("The disk is full.", retryable=True))
    operation = run_on(ask(cloud, volume, kind))
    assert (operation.state, operation.attempts) == ("running", 1)
    assert "The disk is full." in str(operation.steps)
    while operation.state == "running":
        operation = run_next_attempt(operation)
    assert (operation.state, places(cloud, volume)) == ("succeeded", {"folder"})


def test_policy_of_the_destination_counts_before_and_at_the_switch(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), share(cloud)

    def tighten(operation: Operation) -> None:
        if not NodeRemoval.objects.exists() and places(cloud, volume) == {"local", "folder"}:
            ruled(cloud.tenant.project, *in_zones("de-rhein-1", roles=["storage"]))

    operation = run_on(ask(cloud, volume, kind), altered(WORKFLOWS["volume.move"], "copy", then(tighten)))
    assert (operation.state, operation.error["code"]) == ("failed", "policy_unsatisfiable")
    assert (places(cloud, volume), fresh(volume).volume_type) == ({"local"}, cloud.volume_type)
    with pytest.raises(PolicyUnsatisfiable):
        ask(cloud, volume, kind)


def test_source_on_a_node_that_went_away_is_erased_when_it_is_back(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), share(cloud)
    operation = ask(cloud, volume, kind)
    run_on(operation, altered(WORKFLOWS["volume.move"], "switch", then(lambda _: cloud.machine.become_unreachable())))
    while operation.state == "running":
        operation = run_next_attempt(operation)
    assert operation.state == "succeeded"
    assert fresh(volume).volume_type == kind
    (removal,) = NodeRemoval.objects.all()
    assert (removal.kind, removal.pool) == ("volume-copy", "")
    assert places(cloud, volume) == {"local", "folder"}
    cloud.machine.come_back()
    assert node_removals.reconcile() == 1
    assert (places(cloud, volume), held_at(cloud.machine, volume)) == ({"folder"}, POOL)
    done(attach(cloud, make_instance(cloud), fresh(volume))[1])
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_another_node_copies_a_shared_volume_that_its_node_may_not_take(cloud: Cloud) -> None:
    other = cloud.world.add_machine("fr-idf-1")
    volume = make_volume(cloud, volume_type=share(cloud, other))
    here = next(each for each in cloud.world.machines if each.row.pk == volume.node_id)
    there = other if here is cloud.machine else cloud.machine
    node_cordon(SYSTEM, here.row, reason="full")
    after = moved(cloud, volume, cloud.volume_type)
    assert after.node_id == there.row.pk
    assert (held_at(here, volume), held_at(there, volume), places(cloud, volume)) == (None, "", {"local"})
    assert volume.pk in there.fake.volumes


def test_step_after_the_switch_goes_forward_after_an_error(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), share(cloud)
    operation = run_on(ask(cloud, volume, kind), altered(WORKFLOWS["volume.move"], "finish", then(explode)))
    assert (operation.state, operation.is_cancellable, fresh(volume).volume_type) == ("running", False, kind)
    assert run_next_attempt(operation).state == "succeeded"


def test_evidence_tells_both_places_until_the_source_is_erased(cloud: Cloud) -> None:
    """The volume is copied by another node than the one that has it open."""
    other = cloud.world.add_machine("fr-idf-1")
    volume = make_volume(cloud, volume_type=share(cloud, other))
    here = next(each for each in cloud.world.machines if each.row.pk == volume.node_id)
    there = other if here is cloud.machine else cloud.machine
    node_cordon(SYSTEM, here.row, reason="full")
    seen: list[set[str]] = []

    def look(operation: Operation) -> None:
        seen.append(_nodes_recorded(cloud, volume))

    run_on(ask(cloud, volume, cloud.volume_type), altered(WORKFLOWS["volume.move"], "copy", then(look)))
    assert seen[-1] == {str(here.row.pk), str(there.row.pk)}
    assert _nodes_recorded(cloud, volume) == {str(there.row.pk)}


def _nodes_recorded(cloud: Cloud, volume: Volume) -> set[str]:
    """Return the nodes that have the volume by the evidence, which contradicts itself nowhere."""
    for machine in cloud.world.machines:
        machine.account()
    found = residency_of(volume.pk)
    assert not found.problems
    assert all(each.is_compliant for each in found.intervals)
    return {each.node for each in found.intervals if each.end is None}

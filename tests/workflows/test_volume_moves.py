"""Volumes that change their place with their type: what is where then, what is refused, and what is made up for."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest

from agents.node.errors import AdapterError
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import VolumeType
from controlplane.compute import expected_resources
from controlplane.compute.errors import VolumeMoveUnderGuest
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_power_off, instance_start
from controlplane.compute.volume_moves import VOLUME_COPY, volume_move, volume_retype_plan
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import uuid7
from controlplane.kernel.units import GIB
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeFailed, NodeRefused
from controlplane.nodes.models import Node, NodeRemoval, Pool
from controlplane.nodes.services import node_cordon, record_removal
from controlplane.operations.errors import Busy, DeadlineExceeded
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Permit
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, node_removals, quota_drift
from controlplane.storage.errors import VolumeHasSnapshots, VolumeMoveNotEnded, VolumeTypeElsewhere
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.services import volume_grow
from controlplane.workflows import step_permits
from controlplane.workflows.registry import WORKFLOWS
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
    make_instance,
    make_stopped_instance,
    make_volume,
    run_on,
    share,
    then,
)
from tests.workflows.snapshots import POOL, ask_snapshot, cluster
from tests.world import Cloud, FakeMachine, follow, run_next_attempt

PLACES: dict[str, Callable[[Cloud], VolumeType]] = {
    "local": lambda cloud: cloud.volume_type,
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

    run_on(ask(cloud, volume, cluster(cloud)), altered(WORKFLOWS["volume.move"], "copy", then(look)))
    assert seen[-1] == ({"local", "rbd"}, 2)


@pytest.mark.parametrize("boots", [False, True])
def test_instance_starts_from_the_new_place(cloud: Cloud, boots: bool) -> None:
    kind = cluster(cloud)
    if boots:
        instance = make_booted(cloud)
        volume = instance.boot_volume
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
    assert source.rpartition("/")[2] == str(volume.pk)
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_volume_that_moves_is_not_used(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    instance = make_stopped_instance(cloud)
    done(attach(cloud, instance, volume)[1])
    operation = ask(cloud, volume, kind)
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
    next_volume = make_volume(cloud, "other")
    assert moved(cloud, next_volume, kind).pool is not None


def test_move_back_after_a_cancelled_one(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    operation = run_on(ask(cloud, volume, kind), altered(WORKFLOWS["volume.move"], "copy", then(cancel(cloud))))
    assert operation.state == "cancelled"
    for volume_type, place in ((kind, "rbd"), (cloud.volume_type, "local"), (kind, "rbd")):
        moved(cloud, volume, volume_type)
        assert places(cloud, volume) == {place}


def test_guest_in_between_and_snapshots_are_refused(cloud: Cloud) -> None:
    instance, volume, kind = make_instance(cloud), make_volume(cloud), cluster(cloud)
    done(attach(cloud, instance, volume)[1])
    Instance.objects.filter(pk=instance.pk).update(state="error")
    with pytest.raises(VolumeMoveUnderGuest, match="web"):
        ask(cloud, volume, kind)
    Instance.objects.filter(pk=instance.pk).update(state="active")
    kept = make_volume(cloud, "kept", volume_type=kind)
    done(ask_snapshot(cloud, kept)[1])
    with pytest.raises(VolumeHasSnapshots, match="then"):
        ask(cloud, kept, cloud.volume_type)
    assert not VolumeMove.objects.exists()


def test_folder_of_several_nodes_is_neither_source_nor_destination(cloud: Cloud) -> None:
    """A folder fences no node that was away, which could write over a file there, or erase it."""
    folder, rbd = share(cloud), cluster(cloud)
    volumes = {kind.pk: make_volume(cloud, kind.pk, volume_type=kind) for kind in (cloud.volume_type, folder, rbd)}
    for source, to in ((cloud.volume_type, folder), (folder, cloud.volume_type), (folder, rbd), (rbd, folder)):
        with pytest.raises(VolumeTypeElsewhere, match="a pool that is a folder"):
            ask(cloud, volumes[source.pk], to)
    assert not VolumeMove.objects.exists()


def test_place_without_room_or_with_an_old_agent_is_refused(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    Pool.objects.update(capacity_gib=1)
    with pytest.raises(InsufficientCapacity):
        ask(cloud, volume, kind)
    Pool.objects.update(capacity_gib=1000)
    traits = [trait for trait in fresh(cloud.machine.row).traits if trait != VOLUME_COPY]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    with pytest.raises(NoPlace, match=VOLUME_COPY):
        ask(cloud, volume, kind)


def test_plan_shows_the_copied_data_and_changes_nothing(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    plan = volume_retype_plan(cloud.tenant.actor, volume, volume_type=kind, max_mb_per_s=9)
    assert (plan.copied_gib, plan.pool, plan.volume_type.pool, plan.instance) == (2, "", POOL, None)
    limited = VolumeType.objects.create(pk="fast", description="fast", iops=5)
    assert volume_retype_plan(cloud.tenant.actor, volume, volume_type=limited, max_mb_per_s=0).copied_gib == 0
    assert not Operation.objects.filter(kind__in=["volume.move", "volume.retype"]).exists()
    assert not VolumeMove.objects.exists()


def test_failed_copy_is_retried_and_reports_its_error(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    cloud.fake.fail_next("copy_volume", AdapterError("The disk is full.", retryable=True))
    operation = run_on(ask(cloud, volume, kind))
    assert (operation.state, operation.attempts) == ("running", 1)
    assert "The disk is full." in str(operation.steps)
    while operation.state == "running":
        operation = run_next_attempt(operation)
    assert (operation.state, places(cloud, volume)) == ("succeeded", {"rbd"})


def test_policy_of_the_destination_counts_before_and_at_the_switch(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)

    def tighten(operation: Operation) -> None:
        if not NodeRemoval.objects.exists() and places(cloud, volume) == {"local", "rbd"}:
            ruled(cloud.tenant.project, *in_zones("de-rhein-1", roles=["storage"]))

    operation = run_on(ask(cloud, volume, kind), altered(WORKFLOWS["volume.move"], "copy", then(tighten)))
    assert (operation.state, operation.error["code"]) == ("failed", "policy_unsatisfiable")
    assert (places(cloud, volume), fresh(volume).volume_type) == ({"local"}, cloud.volume_type)
    with pytest.raises(PolicyUnsatisfiable):
        ask(cloud, volume, kind)


def switched_without_the_node(cloud: Cloud, volume: Volume, kind: VolumeType) -> None:
    """Move the volume; its node goes away at the switch, and has the end of the copy pending."""
    operation = ask(cloud, volume, kind)
    run_on(operation, altered(WORKFLOWS["volume.move"], "switch", then(lambda _: cloud.machine.become_unreachable())))
    while operation.state == "running":
        operation = run_next_attempt(operation)
    assert operation.state == "succeeded"
    assert fresh(volume).volume_type == kind
    assert NodeRemoval.objects.get().kind == "volume-copy"


def test_source_on_a_node_that_went_away_is_erased_when_it_is_back(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    switched_without_the_node(cloud, volume, kind)
    assert NodeRemoval.objects.get().pool == ""
    assert places(cloud, volume) == {"local", "rbd"}
    cloud.machine.come_back()
    assert node_removals.reconcile() == 1
    assert (places(cloud, volume), held_at(cloud.machine, volume)) == ({"rbd"}, POOL)
    done(attach(cloud, make_instance(cloud), fresh(volume))[1])
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize("source", PLACES)
def test_next_move_waits_for_the_end_of_the_last_one(cloud: Cloud, source: str) -> None:
    """Until then the node's only valid copy is not the volume there yet."""
    kinds = {place: PLACES[place](cloud) for place in PLACES}
    volume = make_volume(cloud, volume_type=kinds.pop(source))
    ((to, kind),) = kinds.items()
    switched_without_the_node(cloud, volume, kind)
    cloud.machine.come_back()
    back = VolumeMove.objects.get().source_pool
    source_type = VolumeType.objects.get(pool=back.name if back is not None else "")
    with pytest.raises(VolumeMoveNotEnded):
        ask(cloud, volume, source_type)
    assert to in places(cloud, volume)
    assert node_removals.reconcile() == 1
    assert places(cloud, volume) == {to}
    moved(cloud, volume, source_type)
    assert places(cloud, volume) == {source}


def test_copy_is_not_begun_before_the_end_of_an_earlier_one(cloud: Cloud) -> None:
    """The removal is there after the request was accepted, as when the database was restored."""
    volume, kind = make_volume(cloud), cluster(cloud)
    operation = ask(cloud, volume, kind)
    record_removal(cloud.machine.row, kind="volume-copy", resource_id=volume.pk, generation=1, pool=POOL)
    operation = run_on(operation)
    assert (operation.state, places(cloud, volume)) == ("running", {"local"})
    assert "has still to erase" in str(operation.steps)
    assert node_removals.reconcile() == 1
    while operation.state == "running":
        operation = run_next_attempt(operation)
    assert (operation.state, places(cloud, volume)) == ("succeeded", {"rbd"})


def test_removal_of_a_copy_stays_while_the_node_has_the_copy(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that calls the removal outdated and still has the copy has not erased what is to be erased."""
    volume, kind = make_volume(cloud), cluster(cloud)
    switched_without_the_node(cloud, volume, kind)
    cloud.machine.come_back()
    refused = NodeRefused(reason="It is stale.", agent_code=node_removals.STALE)
    with monkeypatch.context() as patched:
        patched.setattr(agent_client, "remove", Mock(side_effect=refused))
        assert node_removals.reconcile() == 0
    assert NodeRemoval.objects.count() == 1
    assert node_removals.reconcile() == 1
    record_removal(cloud.machine.row, kind="volume-copy", resource_id=volume.pk, generation=1, pool=POOL)
    monkeypatch.setattr(agent_client, "remove", Mock(side_effect=refused))
    node_removals.reconcile()
    assert not NodeRemoval.objects.exists(), "the node has no such copy"


def test_switch_without_a_permit_ends_with_its_time(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been erased: the volume stays at its source, and its operation does not lock it for ever."""
    volume, kind = make_volume(cloud), cluster(cloud)
    failing = Mock(side_effect=NodeFailed(reason="The node has no memory left."))

    def fail_from_now_on(operation: Operation) -> None:
        monkeypatch.setattr(step_permits, "for_volume_move", failing)

    operation = ask(cloud, volume, kind)
    run_on(operation, altered(WORKFLOWS["volume.move"], "copy", then(fail_from_now_on)))
    assert (operation.state, operation.is_cancellable) == ("running", False)
    Operation.objects.filter(pk=operation.pk).update(deadline_at=clock.now())
    operation = run_next_attempt(operation)
    assert (operation.state, operation.error["code"]) == ("failed", DeadlineExceeded.code)
    assert (places(cloud, volume), fresh(volume).volume_type) == ({"local"}, cloud.volume_type)


def test_migration_sends_no_image_of_a_volume_that_is_whole(cloud: Cloud) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud, image=cloud.image)
    kind = cluster(cloud)
    moved(cloud, volume, kind)
    moved(cloud, volume, cloud.volume_type)
    image = fresh(cloud.image)
    image.pk, image.name, image.sha256, image._state.adding = uuid7(), "other", "ab" * 32, True
    image.save()
    Volume.objects.filter(pk=volume.pk).update(image=image)
    done(attach(cloud, instance, fresh(volume))[1])
    other = cloud.world.add_machine("fr-idf-1")
    operation = follow(instance_migrate(SYSTEM, fresh(instance), node=other.row))
    assert operation.state == "succeeded", operation.steps
    assert set(other.fake.images) == {cloud.image.sha256}
    Permit.objects.update(node=cloud.machine.row)  # a permit of the project would let the node keep any image of it
    assert expected_resources.images(other.row, {image.sha256}) == set()


def test_another_node_copies_a_shared_volume_that_its_node_may_not_take(cloud: Cloud) -> None:
    other = cloud.world.add_machine("fr-idf-1")
    volume = make_volume(cloud, volume_type=cluster(cloud, other))
    here = next(each for each in cloud.world.machines if each.row.pk == volume.node_id)
    there = other if here is cloud.machine else cloud.machine
    node_cordon(SYSTEM, here.row, reason="full")
    after = moved(cloud, volume, cloud.volume_type)
    assert after.node_id == there.row.pk
    assert (held_at(here, volume), held_at(there, volume), places(cloud, volume)) == (None, "", {"local"})
    assert volume.pk in there.fake.volumes


def test_step_after_the_switch_goes_forward_after_an_error(cloud: Cloud) -> None:
    volume, kind = make_volume(cloud), cluster(cloud)
    operation = run_on(ask(cloud, volume, kind), altered(WORKFLOWS["volume.move"], "finish", then(explode)))
    assert (operation.state, operation.is_cancellable, fresh(volume).volume_type) == ("running", False, kind)
    assert run_next_attempt(operation).state == "succeeded"


def test_evidence_has_both_places_until_the_source_is_erased(cloud: Cloud) -> None:
    """The volume is copied by another node than the one that has it open."""
    other = cloud.world.add_machine("fr-idf-1")
    volume = make_volume(cloud, volume_type=cluster(cloud, other))
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

"""Relocation of a detached volume to another zone, over real gRPC, as its project requests it."""

from typing import cast

import pytest

from agents.node.errors import AdapterError
from controlplane.audit.selectors import residency_of
from controlplane.catalog.models import Zone
from controlplane.compute.errors import VolumeNotRelocatable
from controlplane.compute.services import instance_power_off
from controlplane.compute.volume_moves import OTHER_NODE, VOLUME_TRANSFER
from controlplane.compute.volume_relocation import VolumeRelocationPlan, volume_relocate, volume_relocation_plan
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.units import GIB
from controlplane.nodes.models import Inventory, Node, NodeRemoval
from controlplane.nodes.services import node_cordon, node_uncordon, record_removal
from controlplane.operations.errors import Busy, NotCancellable
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Permit
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, node_removals, quota_drift
from controlplane.storage.errors import VolumeHasSnapshots, VolumeMoveNotEnded, VolumeUnbound
from controlplane.storage.models import Volume, VolumeMove
from controlplane.storage.services import volume_grow
from controlplane.workflows.registry import WORKFLOWS
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import (
    altered,
    assert_clean_slate,
    attach,
    cancel,
    delete_everything,
    done,
    fresh,
    late,
    make_booted,
    make_instance,
    make_volume,
    picture,
    run_on,
    then,
)
from tests.workflows.snapshots import cluster
from tests.world import Cloud, FakeMachine, follow, run_next_attempt

HERE, THERE = "fr-idf-1", "de-fra-1"


@pytest.fixture
def volume(cloud: Cloud) -> Volume:
    """A layer over an image, in the first of two zones with a node each."""
    made = make_volume(cloud, image=cloud.image)
    cloud.world.add_machine(THERE)
    return fresh(made)


@pytest.fixture
def other(cloud: Cloud, volume: Volume) -> FakeMachine:
    return cloud.world.machines[-1]


def relocate(cloud: Cloud, volume: Volume, zone: str = THERE, **terms: int) -> Operation:
    return volume_relocate(cloud.tenant.actor, fresh(volume), zone=Zone.objects.get(pk=zone), **terms)


def ended(operation: Operation, state: str = "succeeded") -> Operation:
    assert follow(operation).state == state, (operation.state, operation.error, operation.steps)
    return operation


def account(cloud: Cloud) -> None:
    for machine in cloud.world.machines:
        machine.account()


def assert_is_at(cloud: Cloud, volume: Volume, here: FakeMachine) -> None:
    row = fresh(volume)
    assert (row.node, row.pool, row.state) == (here.row, None, "available")
    assert list(Allocation.objects.values_list("node_id", "moving_id")) == [(here.row.pk, None)]
    for machine in cloud.world.machines:
        node, is_here = machine.server.node, machine is here
        entry = node.state_store.volumes.get(volume.pk)
        assert (volume.pk in machine.fake.volumes, entry is not None and entry.is_held) == (is_here, is_here)
        assert not node.state_store.copies.held()
        assert not machine.fake.tunnel.volumes


def where(volume: Volume) -> set[str]:
    """Return the zones of the open intervals of the residency."""
    found = residency_of(volume.pk)
    assert not found.problems
    assert all(interval.is_compliant for interval in found.intervals)
    return {interval.zone for interval in found.intervals if interval.end is None}


def codes(plan: VolumeRelocationPlan) -> dict[str, list[object]]:
    return {each.zone.pk: [reason["code"] for reason in each.reasons] for each in plan.zones}


def test_project_relocates_its_volume_and_uses_it_there(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    before = set(QuotaUse.objects.values_list("resource_id", "dimension", "amount"))
    account(cloud)
    assert where(volume) == {HERE}
    ended(relocate(cloud, volume, max_mb_per_s=40))
    assert_is_at(cloud, volume, other)
    after = fresh(volume)
    assert (after.name, after.volume_type_id, after.is_whole) == (volume.name, volume.volume_type_id, True)
    row = VolumeMove.objects.get()
    assert (row.state, row.total_bytes, row.moved_bytes) == ("done", 2 * GIB, 2 * GIB)
    assert cloud.fake.copied[volume.pk] == 40 * 10**6
    assert set(QuotaUse.objects.values_list("resource_id", "dimension", "amount")) == before
    assert [*capacity_drift.reconcile(), *quota_drift.reconcile()] == []
    account(cloud)
    assert where(volume) == {THERE}
    done(volume_grow(cloud.tenant.actor, fresh(volume), size_gib=3))
    make_instance(cloud, volumes=(fresh(volume),))
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_residency_has_both_zones_until_the_source_is_erased(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    seen: dict[str, set[str]] = {}

    def look(step: str) -> None:
        account(cloud)
        seen[step] = where(volume)

    workflow = WORKFLOWS["volume.relocate"]
    for step in ("place", "copy", "switch", "open", "finish", "erase"):
        workflow = altered(workflow, step, then(lambda _, step=step: look(step)))
    run_on(relocate(cloud, volume), workflow)
    assert seen == {
        "place": {HERE, THERE},
        "copy": {HERE, THERE},
        "switch": {HERE, THERE},
        "open": {HERE, THERE},
        "finish": {HERE, THERE},
        "erase": {THERE},
    }
    (left,) = [each for each in residency_of(volume.pk).intervals if each.zone == HERE]
    assert left.close_receipt, "a receipt proves the erasure"


def test_there_and_back(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    ended(relocate(cloud, volume))
    ended(relocate(cloud, volume, HERE))
    assert_is_at(cloud, volume, cloud.machine)
    account(cloud)
    assert where(volume) == {HERE}


def test_both_nodes_are_permitted_and_name_each_other(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    operation = ended(relocate(cloud, volume))
    permits = set(Permit.objects.filter(operation_id=operation.pk).values_list("op", "node"))
    assert permits == {("volume.relocate", other.row.pk), ("volume.relocate-out", cloud.machine.row.pk)}


# ---- policies


def test_policy_that_does_not_admit_the_zone_refuses_it(cloud: Cloud, volume: Volume) -> None:
    ruled(cloud.tenant.project, *in_zones(HERE))
    with pytest.raises(PolicyUnsatisfiable):
        relocate(cloud, volume)
    assert codes(volume_relocation_plan(volume)) == {THERE: ["policy_unsatisfiable"]}


def test_volume_leaves_a_zone_that_is_admitted_no_more(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    ruled(cloud.tenant.project, *in_zones(THERE))
    ended(relocate(cloud, volume))
    assert_is_at(cloud, volume, other)


@pytest.mark.parametrize("step", ["place", "copy"])
def test_policy_that_changes_before_the_switch_keeps_the_volume(
    cloud: Cloud, volume: Volume, other: FakeMachine, step: str
) -> None:
    def restrict(operation: Operation) -> None:
        ruled(cloud.tenant.project, *in_zones(HERE))

    operation = relocate(cloud, volume)
    run_on(operation, altered(WORKFLOWS["volume.relocate"], step, then(restrict)))
    assert (operation.state, cast(dict[str, str], operation.error)["code"]) == ("failed", "policy_unsatisfiable")
    assert_is_at(cloud, volume, cloud.machine)


# ---- failures


def test_copy_that_fails_is_begun_anew(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    cloud.fake.fail_next("send_volume", AdapterError("The wire is cut.", retryable=True))
    ended(relocate(cloud, volume))
    assert_is_at(cloud, volume, other)


def test_copy_that_never_succeeds_leaves_the_volume_where_it_was(
    cloud: Cloud, volume: Volume, other: FakeMachine
) -> None:
    before = picture(cloud)
    for _ in range(1000):
        cloud.fake.fail_next("send_volume", AdapterError("The wire is cut.", retryable=True))
    operation = run_on(relocate(cloud, volume))
    Operation.objects.filter(pk=operation.pk).update(deadline_at=clock.now())
    error = cast(dict[str, str], ended(operation, "failed").error)
    assert "The wire is cut." in str(error)
    assert picture(cloud) == before
    assert_is_at(cloud, volume, cloud.machine)


@pytest.mark.parametrize("step", ["place", "copy"])
def test_cancelled_relocation_leaves_the_volume_where_it_was(
    cloud: Cloud, volume: Volume, other: FakeMachine, step: str
) -> None:
    operation = relocate(cloud, volume)
    run_on(operation, altered(WORKFLOWS["volume.relocate"], step, then(cancel(cloud))))
    assert operation.state == "cancelled"
    assert VolumeMove.objects.get().state == "cancelled"
    assert_is_at(cloud, volume, cloud.machine)
    account(cloud)
    proven = [each for each in residency_of(volume.pk).intervals if each.end is None and each.state == "proven"]
    assert [each.zone for each in proven] == [HERE]
    ended(relocate(cloud, volume))


def test_relocation_is_not_cancelled_from_the_switch_on(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    refused: list[bool] = []

    def cancel_late(operation: Operation) -> None:
        with pytest.raises(NotCancellable):
            operation_cancel(cloud.tenant.actor, fresh(operation))
        refused.append(True)

    operation = relocate(cloud, volume)
    run_on(operation, altered(WORKFLOWS["volume.relocate"], "switch", then(cancel_late)))
    assert (ended(operation).state, refused) == ("succeeded", [True])


@pytest.mark.parametrize("restarted", [0, 1])
def test_agent_that_restarts_begins_the_copy_anew(
    cloud: Cloud, volume: Volume, other: FakeMachine, restarted: int
) -> None:
    def restart(operation: Operation) -> None:
        machine = cloud.world.machines[-1 if restarted else 0]
        machine.stop_agent()
        machine.start_agent()

    cloud.fake.fail_next("send_volume", AdapterError("The wire is cut.", retryable=True))
    operation = relocate(cloud, volume)
    run_on(operation, altered(WORKFLOWS["volume.relocate"], "place", then(restart)))
    ended(operation)
    assert_is_at(cloud, volume, other)


def test_source_that_is_silent_after_the_switch_erases_the_volume_when_it_is_back(
    cloud: Cloud, volume: Volume, other: FakeMachine
) -> None:
    operation = relocate(cloud, volume)
    run_on(
        operation, altered(WORKFLOWS["volume.relocate"], "finish", then(lambda _: cloud.machine.become_unreachable()))
    )
    while operation.state == "running":
        operation = run_next_attempt(operation)
    assert operation.state == "succeeded"
    pending = NodeRemoval.objects.values_list("node", "kind", "pool")
    assert set(pending) == {
        (cloud.machine.row.pk, "volume-copy", OTHER_NODE),
        (cloud.machine.row.pk, "volume", ""),
    }
    assert volume.pk in cloud.fake.volumes
    with pytest.raises(VolumeMoveNotEnded):
        relocate(cloud, volume, HERE)
    cloud.machine.come_back()
    assert node_removals.reconcile() == 2
    assert_is_at(cloud, volume, other)
    account(cloud)
    assert where(volume) == {THERE}


# ---- obstacles


def refused(cloud: Cloud, volume: Volume, zone: str = THERE) -> str:
    with pytest.raises(VolumeNotRelocatable) as error:
        relocate(cloud, volume, zone)
    assert not VolumeMove.objects.exists()
    return str(error.value)


@pytest.mark.parametrize("is_off", [False, True])
def test_attached_volume_is_not_relocated(cloud: Cloud, volume: Volume, is_off: bool) -> None:
    instance = make_instance(cloud, volumes=(volume,))
    if is_off:
        done(instance_power_off(cloud.tenant.actor, fresh(instance)))
    text = refused(cloud, volume)
    assert f"attached to the instance {instance.name}. Detach it first, or relocate the instance" in text
    assert codes(volume_relocation_plan(fresh(volume))) == {THERE: ["compute.volume.not_relocatable"]}


def test_boot_volume_is_not_relocated(cloud: Cloud) -> None:
    boot = make_booted(cloud).boot_volume
    cloud.world.add_machine(THERE)
    assert boot is not None
    assert "relocate the instance" in refused(cloud, boot)


def test_volume_in_a_pool_is_not_relocated(cloud: Cloud) -> None:
    pooled = make_volume(cloud, volume_type=cluster(cloud))
    cloud.world.add_machine(THERE)
    assert "Retype it to a type of a node's own disk first" in refused(cloud, pooled)


def test_volume_is_not_relocated_within_its_zone(cloud: Cloud, volume: Volume) -> None:
    cloud.world.add_machine(HERE)
    assert "already" in refused(cloud, volume, HERE)
    assert [each.zone.pk for each in volume_relocation_plan(volume).zones] == [THERE]


def test_unbound_volume_is_not_relocated(cloud: Cloud) -> None:
    unbound = make_volume(cloud, volume_type=late())
    cloud.world.add_machine(THERE)
    with pytest.raises(VolumeUnbound):
        relocate(cloud, unbound)


def test_volume_with_snapshots_is_not_relocated(cloud: Cloud, volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    def has_some(_: Volume) -> None:
        raise VolumeHasSnapshots(count=1, names="one")

    monkeypatch.setattr("controlplane.compute.volume_relocation.require_no_snapshots", has_some)
    with pytest.raises(VolumeHasSnapshots):
        relocate(cloud, volume)


def test_source_must_answer_and_know_transfers(cloud: Cloud, volume: Volume) -> None:
    source = Node.objects.filter(pk=cloud.machine.row.pk)
    source.update(state="unreachable")
    assert "does not answer" in refused(cloud, volume)
    traits = [trait for trait in source.get().traits if trait != VOLUME_TRANSFER]
    source.update(state="ready", traits=traits)
    assert "too old" in refused(cloud, volume)


def test_destination_must_know_transfers(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    traits = [trait for trait in fresh(other.row).traits if trait != VOLUME_TRANSFER]
    Node.objects.filter(pk=other.row.pk).update(traits=traits)
    with pytest.raises(NoPlace, match=VOLUME_TRANSFER):
        relocate(cloud, volume)
    assert codes(volume_relocation_plan(volume)) == {THERE: ["placement.no_place"]}


def test_zone_that_is_closed_full_or_cordoned_takes_no_volume(cloud: Cloud, volume: Volume, other: FakeMachine) -> None:
    Zone.objects.filter(pk=THERE).update(status="draining")
    with pytest.raises(NoPlace, match=THERE):
        relocate(cloud, volume)
    Zone.objects.filter(pk=THERE).update(status="open")
    node_cordon(SYSTEM, fresh(other.row), reason="maintenance")
    with pytest.raises(NoPlace):
        relocate(cloud, volume)
    node_uncordon(SYSTEM, fresh(other.row))
    Inventory.objects.filter(pk=other.row.pk).update(disk_gib_total=0)
    with pytest.raises(InsufficientCapacity):
        relocate(cloud, volume)
    assert not VolumeMove.objects.exists()


def test_volume_is_locked_meanwhile(cloud: Cloud, volume: Volume) -> None:
    relocate(cloud, volume)
    with pytest.raises(Busy):
        relocate(cloud, volume)
    with pytest.raises(Busy):
        attach(cloud, make_instance(cloud), volume)
    with pytest.raises(Busy):
        volume_grow(cloud.tenant.actor, fresh(volume), size_gib=3)
    assert codes(volume_relocation_plan(fresh(volume))) == {THERE: ["resource_busy"]}


def test_volume_whose_last_move_has_not_ended_is_not_relocated(cloud: Cloud, volume: Volume) -> None:
    record_removal(cloud.machine.row, kind="volume-copy", resource_id=volume.pk, generation=1, pool="")
    with pytest.raises(VolumeMoveNotEnded):
        relocate(cloud, volume)


def test_plan_names_all_other_zones(cloud: Cloud, volume: Volume) -> None:
    plan = volume_relocation_plan(volume)
    assert (plan.zone, plan.copied_gib, codes(plan)) == (HERE, 2, {THERE: []})
    assert [each.is_admitted for each in plan.zones] == [True]
    assert not Operation.objects.filter(kind="volume.relocate").exists()

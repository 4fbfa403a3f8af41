"""Live migration over real gRPC.

After a failure, repetition, cancellation or loss there is one running guest, one allocation and one set of files."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from agents.node.adapters.interfaces import Power
from agents.node.errors import AdapterError
from controlplane.audit.selectors import residency_of
from controlplane.compute.affinity_groups import affinity_group_create
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.errors import InstanceNotMovable
from controlplane.compute.migration import instance_migrate, migration_obstacles
from controlplane.compute.models import Attachment, Instance, Migration
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.network.models import Port
from controlplane.nodes import agent_client
from controlplane.nodes.errors import NodeUnreachable
from controlplane.nodes.models import Incident, Inventory, Node, NodeRemoval
from controlplane.nodes.services import node_cordon
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Permit
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift, node_removals, quota_drift
from controlplane.workflows import force_finish
from tests.nightly import thinned
from tests.workflows.helpers import (
    ask_instance,
    assert_clean_slate,
    delete_everything,
    done,
    fresh,
    make_attached,
    make_instance,
    make_volume,
    pass_deadline,
    picture,
)
from tests.world import Cloud, FakeMachine, follow, run, run_next_attempt


@dataclass(frozen=True)
class Move:
    """Two nodes, and a guest with a volume on the first one."""

    cloud: Cloud
    other: FakeMachine
    instance: Instance
    attachment: Attachment

    @property
    def source(self) -> FakeMachine:
        return self.cloud.machine

    def ask(self, **more: Any) -> Operation:
        return instance_migrate(SYSTEM, fresh(self.instance), **more)

    @property
    def migration(self) -> Migration:
        return Migration.objects.latest("created_at")

    def runs_on(self) -> list[Node]:
        return [machine.row for machine in (self.source, self.other) if runs(machine, self.instance.pk)]

    def resources_on(self, machine: FakeMachine) -> set[UUID]:
        return {*machine.fake.guests, *machine.fake.volumes, *machine.fake.ports, *machine.fake.tunnel.expected}

    def assert_is_at(self, here: FakeMachine) -> None:
        """Check that the instance and its resources are on this node only."""
        there = self.other if here is self.source else self.source
        instance, volume = fresh(self.instance), fresh(self.attachment.volume)
        assert self.runs_on() == [here.row]
        assert not self.resources_on(there)
        assert {instance.root_volume_id, volume.pk} == set(here.fake.volumes)
        assert (instance.node, volume.node) == (here.row, here.row)
        assert (instance.state, instance.power_state, volume.state) == ("active", "running", "in-use")
        places = Allocation.objects.values_list("consumer_id", "moving_id", "node_id", "vcpus", "disk_gib")
        assert set(places) == {
            (instance.pk, None, here.row.pk, instance.vcpus, instance.disk_gib),
            (volume.pk, None, here.row.pk, 0, volume.size_gib),
        }
        used = Inventory.objects.get(pk=there.row.pk)
        assert (used.vcpus_used, used.memory_mib_used, used.disk_gib_used) == (0, 0, 0)
        assert_books_are_right()

    def begin(self, operation: Operation) -> Operation:
        """Until the guest is on its way."""
        for machine in (self.source, self.other):
            machine.fake.tunnel.hang = True
        run(operation)
        assert (operation.state, operation.steps[-1]["name"], operation.steps[-1]["state"]) == (
            "running",
            "move",
            "waiting",
        )
        return operation

    def let_it_go_on(self) -> None:
        for machine in (self.source, self.other):
            machine.fake.tunnel.hang = False


def runs(machine: FakeMachine, instance_id: UUID) -> bool:
    guest = machine.fake.guests.get(instance_id)
    return guest is not None and guest.power is Power.RUNNING


def assert_books_are_right() -> None:
    assert capacity_drift.reconcile() == []
    assert quota_drift.reconcile() == []
    assert dict(QuotaUse.objects.filter(dimension="instances").values_list("dimension", "amount")) == {"instances": 1}


@pytest.fixture
def moving(cloud: Cloud) -> Move:
    attachment = make_attached(cloud)
    return Move(cloud, cloud.world.add_machine("fr-idf-1"), fresh(attachment.instance), attachment)


def ended(operation: Operation, state: str = "succeeded") -> Operation:
    assert follow(operation).state == state, (operation.state, operation.error, operation.steps)
    return operation


@contextmanager
def losing(name: str) -> Iterator[None]:
    """The node does it, and its first answer is lost."""
    real, lost = getattr(agent_client, name), []

    def call(*args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        if not lost:
            lost.append(answer)
            raise NodeUnreachable()
        return answer

    with patch.object(agent_client, name, call):
        yield
    assert lost


# ---- it moves


def test_migrated_instance_keeps_its_disks_and_addresses(moving: Move) -> None:
    before, port = fresh(moving.instance), Port.objects.get()
    ended(moving.ask(reason="the machine is repaired"))
    moving.assert_is_at(moving.other)
    migration, after = moving.migration, fresh(moving.instance)
    assert (migration.state, migration.source, migration.destination) == ("done", moving.source.row, moving.other.row)
    assert migration.total_bytes == migration.moved_bytes > 0
    assert (migration.pause_ms, migration.error, migration.reason) == (1, None, "the machine is repaired")
    assert None not in (migration.arrived_at, migration.ended_at)
    assert after.generation == migration.generation > before.generation
    assert after.root_volume_id == before.root_volume_id
    moved_port = Port.objects.get()
    assert (moved_port.mac, moved_port.ip, moved_port.generation) == (port.mac, port.ip, migration.generation)
    guest = moving.other.fake.guests[after.pk]
    assert (guest.starts, guest.restarts) == (0, 0)
    delete_everything(moving.cloud)
    assert_clean_slate(moving.cloud)


def test_instance_migrates_back_and_forth(moving: Move) -> None:
    for machine in (moving.other, moving.source, moving.other):
        ended(moving.ask())
        moving.assert_is_at(machine)


def test_migrated_instance_accepts_operations(moving: Move) -> None:
    ended(moving.ask())
    tenant = moving.cloud.tenant.actor
    done(volume_detach(tenant, fresh(moving.attachment)))
    done(instance_power_off(tenant, fresh(moving.instance)))
    assert moving.runs_on() == []
    delete_everything(moving.cloud)
    assert_clean_slate(moving.cloud)


def test_migration_reports_progress(moving: Move) -> None:
    moving.source.fake.tunnel.move_s = 0.6
    operation = run(moving.ask())
    seen = []
    while operation.finished_at is None:
        seen.append(operation.steps[-1].get("progress", 0))
        time.sleep(0.1)
        run_next_attempt(operation)
    assert operation.state == "succeeded"
    assert seen == sorted(seen)
    assert any(0 < each < 100 for each in seen)


def test_instance_in_migration_is_busy(moving: Move) -> None:
    tenant = moving.cloud.tenant.actor
    spare = make_volume(moving.cloud, "spare", near=moving.instance.pk)
    moving.begin(moving.ask())
    for change in (
        lambda: instance_power_off(tenant, fresh(moving.instance)),
        lambda: volume_detach(tenant, fresh(moving.attachment)),
        lambda: volume_attach(tenant, fresh(moving.instance), volume=spare, is_read_only=False),
        lambda: instance_migrate(SYSTEM, fresh(moving.instance)),
    ):
        with pytest.raises(Busy, match="instance.migrate"):
            change()


def test_database_refuses_a_second_migration_of_an_instance(moving: Move) -> None:
    moving.begin(moving.ask())
    before = moving.migration
    twin = Migration(
        instance=before.instance, source=before.source, generation=9, operation_id=UUID(int=1), state="placing"
    )
    with pytest.raises(IntegrityError, match="compute_migration_one_at_a_time"), transaction.atomic():
        twin.save(force_insert=True)


# ---- who may ask, and what for


def test_migration_needs_an_operator(moving: Move) -> None:
    with pytest.raises(RoleNeeded):
        instance_migrate(moving.cloud.tenant.actor, moving.instance)


def test_active_instance_with_its_guest_off_is_not_migrated(moving: Move) -> None:
    Instance.objects.filter(pk=moving.instance.pk).update(power_state="off")
    with pytest.raises(InstanceNotMovable, match="its guest is off"):
        moving.ask()


def test_obstacles_of_a_migration_are_listed(moving: Move) -> None:
    instance = fresh(moving.instance)
    assert migration_obstacles(instance) == []
    Node.objects.filter(pk=moving.source.row.pk).update(traits=["firmware:bios"])
    assert "does not support migrations" in migration_obstacles(fresh(instance))[0]
    Node.objects.filter(pk=moving.source.row.pk).update(state="unreachable")
    assert "does not answer" in migration_obstacles(fresh(instance))[0]
    Instance.objects.filter(pk=instance.pk).update(power_state="crashed")
    assert [str(each) for each in migration_obstacles(fresh(instance))] == [
        "its guest is crashed, and does not run.",
        "its node does not answer.",
    ]


def test_instance_with_a_read_only_volume_is_not_migrated(cloud: Cloud) -> None:
    attachment = make_attached(cloud)
    cloud.world.add_machine("fr-idf-1")
    assert migration_obstacles(fresh(attachment.instance)) == []
    Attachment.objects.filter(pk=attachment.pk).update(is_read_only=True)
    with pytest.raises(InstanceNotMovable, match="its volume data is attached read-only"):
        instance_migrate(SYSTEM, fresh(attachment.instance))


def test_migration_without_a_destination_is_refused(moving: Move) -> None:
    Inventory.objects.filter(pk=moving.other.row.pk).update(disk_gib_total=2)
    with pytest.raises(InsufficientCapacity):
        moving.ask()
    assert not Migration.objects.exists()


def test_migration_claims_capacity_for_volumes(moving: Move) -> None:
    """An instance of 1 GiB with a volume of 2."""
    Inventory.objects.filter(pk=moving.other.row.pk).update(disk_gib_total=3)
    ended(moving.ask())
    moving.assert_is_at(moving.other)


def test_source_node_is_no_destination(moving: Move) -> None:
    node_cordon(SYSTEM, moving.other.row, reason="full")
    with pytest.raises(NoPlace):
        moving.ask()
    with pytest.raises(NoPlace):
        moving.ask(node=moving.source.row)


def test_requested_node_bypasses_no_policy(moving: Move) -> None:
    """A migration to another zone is refused for a tenant and for an operator."""
    abroad = moving.cloud.world.add_machine("us-va-1")
    with pytest.raises((NoPlace, PolicyUnsatisfiable)):
        moving.ask(node=abroad.row)
    Node.objects.filter(pk=moving.other.row.pk).update(traits=["firmware:bios"])
    with pytest.raises(NoPlace):
        moving.ask(node=moving.other.row)


def test_instance_migrates_to_the_requested_node(moving: Move) -> None:
    for _ in range(2):
        moving.cloud.world.add_machine("fr-idf-1")
    ended(moving.ask(node=moving.other.row))
    moving.assert_is_at(moving.other)


def test_group_member_is_placed_at_neither_end_of_a_migration(cloud: Cloud) -> None:
    group = affinity_group_create(
        cloud.tenant.actor, cloud.tenant.project, name="apart", rule="anti-affinity", is_strict=True, labels={}
    )
    instance = make_instance(cloud, affinity_group=group)
    other = cloud.world.add_machine("fr-idf-1")
    for machine in (cloud.machine, other):
        machine.fake.tunnel.hang = True
    operation = run(instance_migrate(SYSTEM, instance))
    with pytest.raises(NoPlace):
        ask_instance(cloud, "twin", affinity_group=group)
    third = cloud.world.add_machine("fr-idf-1")
    twin = make_instance(cloud, "twin", affinity_group=group)
    assert twin.node == third.row
    operation_cancel(cloud.tenant.actor, operation)
    ended(operation, "cancelled")
    assert fresh(instance).node == cloud.machine.row


# ---- places and permits


def test_migration_has_an_allocation_at_each_end(moving: Move) -> None:
    moving.begin(moving.ask())
    migration, instance = moving.migration, moving.instance
    part = migration.volumes.get()
    at_destination = Allocation.objects.filter(node=moving.other.row)
    assert set(at_destination.values_list("consumer_id", "moving_id", "vcpus", "disk_gib")) == {
        (migration.pk, instance.pk, 1, 1),
        (part.pk, part.volume_id, 0, 2),
    }
    assert Allocation.objects.filter(node=moving.source.row).count() == 2
    for allocation in at_destination:
        assert allocation.decision.operation == "instance.migrate"
        assert allocation.decision.consumer_id == allocation.moving_id
    assert_books_are_right()


def test_permits_of_both_ends_name_each_other(moving: Move) -> None:
    operation = ended(moving.ask())
    permits = {permit.op: permit for permit in Permit.objects.filter(operation_id=operation.pk)}
    assert permits.keys() == {"instance.migrate", "instance.migrate-out"}
    taken, sent = permits["instance.migrate"], permits["instance.migrate-out"]
    assert (taken.node, taken.generation) == (moving.other.row, moving.migration.generation)
    assert (sent.node, sent.generation) == (moving.source.row, moving.instance.generation)
    assert taken.decision_id == sent.decision_id


# ---- what fails


def test_failed_migration_leaves_the_guest_running_at_its_source(moving: Move) -> None:
    before = picture(moving.cloud)
    moving.source.fake.fail_next("send", AdapterError("The guest has a device that cannot move.", retryable=False))
    operation = ended(moving.ask(), "failed")
    assert operation.error["code"] == "compute.migration.failed"
    assert "a device that cannot move" in operation.error["detail"]
    assert picture(moving.cloud) == before
    moving.assert_is_at(moving.source)
    assert (moving.migration.state, moving.migration.error["code"]) == ("failed", "compute.migration.failed")
    ended(moving.ask())
    moving.assert_is_at(moving.other)


def test_destination_that_fails_to_prepare_is_cleaned(moving: Move) -> None:
    for call in ("create_volume", "ensure_port", "expect"):
        moving.other.fake.fail_next(call, AdapterError("The disk is broken.", retryable=False))
        operation = ended(moving.ask(), "failed")
        assert operation.error["code"] == "node.refused"
        moving.assert_is_at(moving.source)


@pytest.mark.parametrize(
    "call",
    thinned(
        ["ensure_image", "ensure_volume", "ensure_port", "ensure_arrival", "ensure_departure", "ensure_instance"],
        keep_every=3,
        beginning=1,
    ),
)
def test_call_with_a_lost_answer_is_retried(moving: Move, call: str) -> None:
    with losing(call):
        ended(moving.ask())
    moving.assert_is_at(moving.other)


def test_removal_with_a_lost_answer_is_retried(moving: Move) -> None:
    with losing("remove"):
        ended(moving.ask())
    moving.assert_is_at(moving.other)


def test_source_detects_the_end_without_a_call(moving: Move) -> None:
    """The worker sleeps while the guest moves, and its agent is restarted."""
    operation = moving.begin(moving.ask())
    moving.let_it_go_on()
    time.sleep(0.2)
    moving.source.stop_agent()
    moving.source.start_agent()
    ended(operation)
    moving.assert_is_at(moving.other)


# ---- what is called off


def test_cancelled_migration_leaves_the_guest_at_its_source(moving: Move) -> None:
    before = picture(moving.cloud)
    operation = moving.begin(moving.ask())
    operation_cancel(moving.cloud.tenant.actor, operation)
    ended(operation, "cancelled")
    assert picture(moving.cloud) == before
    moving.assert_is_at(moving.source)
    assert moving.migration.state == "cancelled"


def test_late_cancellation_does_not_undo_the_migration(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    moving.let_it_go_on()
    while not runs(moving.other, moving.instance.pk):
        time.sleep(0.02)
    operation_cancel(moving.cloud.tenant.actor, operation)
    ended(operation)
    moving.assert_is_at(moving.other)


def test_migration_is_aborted_at_its_deadline(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    pass_deadline(operation)
    ended(operation, "failed")
    assert operation.error["code"] == "operation.deadline_exceeded"
    moving.assert_is_at(moving.source)


def test_deletion_aborts_the_migration(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    deletion = instance_delete(moving.cloud.tenant.actor, fresh(moving.instance))
    ended(operation, "cancelled")
    ended(deletion)
    delete_everything(moving.cloud)
    assert_clean_slate(moving.cloud)


def test_policy_changed_during_the_migration_aborts_it(moving: Move) -> None:
    """The policies have changed since it was sent for, and the source asks for leave anew."""
    operation = moving.ask()
    with refusing_from_now_on("ensure_departure"):
        ended(operation, "failed")
    assert operation.error["code"] == "policy_unsatisfiable"
    moving.assert_is_at(moving.source)


@contextmanager
def refusing_from_now_on(name: str) -> Iterator[None]:
    """Instead of this call, placement says no."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise PolicyUnsatisfiable(explanation="", explanation_fr="", placement_decision="")

    with patch.object(agent_client, name, refuse):
        yield


# ---- what is lost


def test_source_lost_during_the_transfer_is_awaited_then_aborted(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    moving.source.become_unreachable()
    for _ in range(3):
        run_next_attempt(operation)
        assert (operation.state, operation.steps[-1]["state"]) == ("running", "retrying")
    pass_deadline(operation)
    ended(operation, "failed")
    assert operation.error["code"] == "compute.migration.source_lost"
    assert moving.runs_on() == [moving.source.row], "there never was a second one"
    assert not moving.resources_on(moving.other)
    assert Allocation.objects.filter(node=moving.other.row).count() == 0
    assert fresh(moving.instance).node == moving.source.row
    moving.let_it_go_on()
    moving.source.come_back()
    time.sleep(0.2)
    moving.assert_is_at(moving.source)


def test_source_lost_after_the_transfer_is_cleaned_on_return(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    moving.let_it_go_on()
    while not runs(moving.other, moving.instance.pk):
        time.sleep(0.02)
    moving.source.become_unreachable()
    ended(operation)
    assert fresh(moving.instance).node == moving.other.row
    assert NodeRemoval.objects.filter(node=moving.source.row).count() == 5
    moving.source.come_back()
    node_removals.reconcile()
    moving.assert_is_at(moving.other)


def test_migration_waits_while_both_ends_are_unreachable(moving: Move) -> None:
    """Both nodes are silent, and the deadline has passed: it goes on waiting."""
    operation = moving.begin(moving.ask())
    for machine in (moving.source, moving.other):
        machine.stop_agent()
    pass_deadline(operation)
    for _ in range(2):
        assert run_next_attempt(operation).state == "running"
    assert Allocation.objects.count() == 4
    for machine in (moving.source, moving.other):
        machine.start_agent()
    ended(operation, "failed")
    moving.assert_is_at(moving.source)


def test_lost_destination_is_cleaned_on_return(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    operation_cancel(moving.cloud.tenant.actor, operation)
    moving.other.become_unreachable()
    ended(operation, "cancelled")
    assert moving.runs_on() == [moving.source.row]
    assert {removal.kind for removal in NodeRemoval.objects.filter(node=moving.other.row)} == {
        "arrival",
        "port",
        "volume",
    }
    moving.other.come_back()
    node_removals.reconcile()
    moving.assert_is_at(moving.source)


def test_migration_waiting_for_a_lost_source_can_be_forced_to_finish(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    moving.source.become_unreachable()
    pass_deadline(operation)
    Operation.objects.filter(pk=operation.pk).update(attempts=99)
    found = force_finish.operation_force_finish(SYSTEM, fresh(operation), reason="it burnt")
    assert (run(operation).state, found.node) == ("failed", moving.source.row)
    assert Allocation.objects.filter(node=moving.other.row).count() == 0


def test_requeue_gives_an_expired_migration_to_another_worker(moving: Move) -> None:
    operation = moving.begin(moving.ask())
    Operation.objects.filter(pk=operation.pk).update(
        lease_token=UUID(int=7), lease_expires_at=clock.now() - timedelta(seconds=1)
    )
    moving.let_it_go_on()
    ended(operation)
    moving.assert_is_at(moving.other)


# ---- what is told of it


def account(moving: Move) -> None:
    for machine in (moving.source, moving.other):
        machine.account()


def places_of(resource_id: UUID, role: str) -> list[tuple[str, bool]]:
    """Return the nodes of the residency in order, and whether each interval is open."""
    found = residency_of(resource_id, role=role)
    assert not found.problems
    assert all(each.state == "proven" and each.is_compliant for each in found.intervals)
    return [(each.node, each.end is None) for each in found.intervals]


def test_evidence_shows_both_data_locations(moving: Move) -> None:
    account(moving)
    ended(moving.ask())
    account(moving)
    here, there = str(moving.source.row.pk), str(moving.other.row.pk)
    instance = fresh(moving.instance)
    assert places_of(instance.pk, "compute")[0] == (here, False)
    assert places_of(instance.pk, "compute")[-1] == (there, True)
    for volume_id in (instance.root_volume_id, moving.attachment.volume_id):
        assert places_of(volume_id, "storage") == [(here, False), (there, True)]
    assert not Incident.objects.exists()


def test_evidence_of_an_aborted_migration_closes_the_destination(moving: Move) -> None:
    account(moving)
    operation = moving.begin(moving.ask())
    account(moving)
    assert not Incident.objects.exists()
    operation_cancel(moving.cloud.tenant.actor, operation)
    ended(operation, "cancelled")
    account(moving)
    here, there = str(moving.source.row.pk), str(moving.other.row.pk)
    instance = fresh(moving.instance)
    assert sorted(places_of(instance.pk, "compute")) == sorted([(here, True), (there, False)])
    assert sorted(places_of(instance.root_volume_id, "storage")) == sorted([(here, True), (there, False)])
    assert not Incident.objects.exists()

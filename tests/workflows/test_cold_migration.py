"""Cold migration: no node reports the stopped instance running, and after a failure it is off at its source.

Also the options of a migration."""

import time
from datetime import timedelta

import pytest

from agents.node.adapters.interfaces import Power
from agents.node.adapters.migrations import Convergence
from agents.node.errors import AdapterError
from controlplane.audit.selectors import residency_of
from controlplane.compute.errors import InstanceNotMovable
from controlplane.compute.migration import COLD_MIGRATION, MigrationOptions, instance_migrate, migration_obstacles
from controlplane.compute.migration_plan import migration_plan
from controlplane.compute.models import Instance, Migration
from controlplane.compute.services import instance_power_off, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.models import Incident, Node
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.errors import NoPlace
from controlplane.placement.models import Allocation
from controlplane.reconcilers import node_removals
from controlplane.workflows.registry import WORKFLOWS
from tests.workflows.helpers import (
    Killed,
    altered,
    assert_clean_slate,
    delete_everything,
    die,
    done,
    followed_by_another_worker,
    fresh,
    make_attached,
    picture,
    run_on,
    then,
)
from tests.world import Cloud, FakeMachine, follow, run


@pytest.fixture
def stopped(cloud: Cloud) -> Instance:
    """With a volume, on the first of two nodes."""
    instance = make_attached(cloud).instance
    done(instance_power_off(cloud.tenant.actor, instance))
    cloud.world.add_machine("fr-idf-1")
    return fresh(instance)


@pytest.fixture
def other(cloud: Cloud, stopped: Instance) -> FakeMachine:
    return cloud.world.machines[-1]


def ended(operation: Operation, state: str = "succeeded") -> Operation:
    assert follow(operation).state == state, (operation.state, operation.error, operation.steps)
    return operation


def assert_is_off_at(cloud: Cloud, instance: Instance, here: FakeMachine) -> None:
    instance = fresh(instance)
    assert (instance.node, instance.state, instance.power_state) == (here.row, "stopped", "off")
    assert set(Allocation.objects.values_list("node_id", "moving_id")) == {(here.row.pk, None)}
    for machine in cloud.world.machines:
        guest = machine.fake.guests.get(instance.pk)
        assert (guest is not None) == (machine is here)
        assert guest is None or guest.power is Power.OFF
        assert not machine.fake.tunnel.expected


def begin(operation: Operation, *machines: FakeMachine) -> Operation:
    for machine in machines:
        machine.fake.tunnel.hang = True
    run(operation)
    assert (operation.state, operation.steps[-1]["name"]) == ("running", "move")
    return operation


def test_stopped_instance_migrates_and_starts_on_its_new_node(
    cloud: Cloud, stopped: Instance, other: FakeMachine
) -> None:
    plan = migration_plan(SYSTEM, stopped)
    assert ([node.pk for node in plan.nodes], plan.reasons) == ([other.row.pk], ())
    for machine in cloud.world.machines:
        machine.account()
    ended(instance_migrate(SYSTEM, stopped))
    assert_is_off_at(cloud, stopped, other)
    migration = Migration.objects.get()
    assert (migration.state, migration.destination) == ("done", other.row)
    assert migration.moved_bytes > 0
    for machine in cloud.world.machines:
        machine.account()
    found = residency_of(stopped.pk, role="compute")
    assert not found.problems
    assert not Incident.objects.exists()
    assert other.fake.guests[stopped.pk].starts == 0
    done(instance_start(cloud.tenant.actor, fresh(stopped)))
    assert other.fake.guests[stopped.pk].power is Power.RUNNING
    delete_everything(cloud)
    assert_clean_slate(cloud)


def test_instance_in_cold_migration_is_reported_off(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    operation = begin(instance_migrate(SYSTEM, stopped), cloud.machine, other)
    while other.fake.guests.get(stopped.pk) is None:
        time.sleep(0.02)
    assert cloud.fake.guests[stopped.pk].power is Power.PAUSED
    for machine in cloud.world.machines:
        machine.account()
    assert (fresh(stopped).state, fresh(stopped).power_state) == ("stopped", "off")
    operation_cancel(cloud.tenant.actor, operation)
    ended(operation, "cancelled")
    assert_is_off_at(cloud, stopped, cloud.machine)
    done(instance_start(cloud.tenant.actor, fresh(stopped)))
    assert cloud.fake.guests[stopped.pk].power is Power.RUNNING


@pytest.mark.parametrize("call", ["bring_up", "send"])
def test_failed_cold_migration_leaves_the_instance_off_at_its_source(
    cloud: Cloud, stopped: Instance, other: FakeMachine, call: str
) -> None:
    before = picture(cloud)
    cloud.fake.fail_next(call, AdapterError("The road is closed.", retryable=False))
    assert ended(instance_migrate(SYSTEM, stopped), "failed").error["code"] == "compute.migration.failed"
    assert picture(cloud) == before
    assert_is_off_at(cloud, stopped, cloud.machine)
    ended(instance_migrate(SYSTEM, fresh(stopped)))
    assert_is_off_at(cloud, stopped, other)


@pytest.mark.parametrize("step", ["expect", "move", "settle"])
def test_cold_migration_continues_after_a_worker_died(
    cloud: Cloud, stopped: Instance, other: FakeMachine, step: str
) -> None:
    operation = instance_migrate(SYSTEM, stopped)
    with pytest.raises(Killed):
        run_on(operation, altered(WORKFLOWS["instance.migrate"], step, then(die)))
    assert run_on(followed_by_another_worker(operation)).state == "succeeded"
    assert_is_off_at(cloud, stopped, other)


def test_source_lost_after_the_transfer_does_not_block(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    operation = begin(instance_migrate(SYSTEM, stopped), cloud.machine, other)
    for machine in cloud.world.machines:
        machine.fake.tunnel.hang = False
    while (guest := other.fake.guests.get(stopped.pk)) is None or guest.power is not Power.OFF:
        time.sleep(0.02)
    cloud.machine.become_unreachable()
    ended(operation)
    assert fresh(stopped).node == other.row
    cloud.machine.come_back()
    node_removals.reconcile()
    assert_is_off_at(cloud, stopped, other)


def test_obstacles_of_a_cold_migration_are_listed(cloud: Cloud, stopped: Instance, other: FakeMachine) -> None:
    assert migration_obstacles(stopped) == []
    Instance.objects.filter(pk=stopped.pk).update(power_state="running")
    assert [str(each) for each in migration_obstacles(fresh(stopped))] == [
        "it is stopped, and its guest is still running."
    ]
    Instance.objects.filter(pk=stopped.pk).update(power_state="off")
    forget_trait(other)
    with pytest.raises(NoPlace, match="cold-migration"):
        instance_migrate(SYSTEM, fresh(stopped))
    forget_trait(cloud.machine)
    with pytest.raises(InstanceNotMovable, match="too old"):
        instance_migrate(SYSTEM, fresh(stopped))


def forget_trait(machine: FakeMachine) -> None:
    traits = [trait for trait in fresh(machine.row).traits if trait != COLD_MIGRATION]
    Node.objects.filter(pk=machine.row.pk).update(traits=traits)


# ---- what may be chosen


def test_migration_has_the_requested_deadline_and_method(cloud: Cloud) -> None:
    instance = fresh(make_attached(cloud).instance)
    other = cloud.world.add_machine("fr-idf-1")
    operation = instance_migrate(SYSTEM, instance, options=MigrationOptions(90, "none"))
    assert operation.deadline_at - operation.created_at == timedelta(seconds=90)
    begin(operation, cloud.machine, other)
    assert cloud.fake.tunnel.journeys[instance.pk].manner.convergence is Convergence.NONE
    operation_cancel(cloud.tenant.actor, operation)
    ended(operation, "cancelled")
    usual = instance_migrate(SYSTEM, fresh(instance))
    assert usual.deadline_at - usual.created_at > timedelta(minutes=30)

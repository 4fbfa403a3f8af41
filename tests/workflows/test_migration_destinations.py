"""Destinations of a migration, and the reasons when there is none."""

import pytest

from agents.node.adapters.fake import FakeCapacity
from controlplane.compute.errors import InstanceNotMovable
from controlplane.compute.migration import instance_migrate, migration_obstacles
from controlplane.compute.migration_plan import migration_plan
from controlplane.compute.models import Instance, Migration
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import RoleNeeded
from controlplane.nodes.models import Inventory, Node
from controlplane.nodes.services import node_cordon
from controlplane.placement.errors import InsufficientCapacity, NoPlace
from tests.workflows.helpers import fresh, make_instance
from tests.world import Cloud, FakeMachine


@pytest.fixture
def instance(cloud: Cloud) -> Instance:
    return make_instance(cloud)


@pytest.fixture
def other(cloud: Cloud, instance: Instance) -> FakeMachine:
    return cloud.world.add_machine("fr-idf-1")


def test_node_without_a_cpu_trait_migrates_no_guest(cloud: Cloud, instance: Instance, other: FakeMachine) -> None:
    traits = [trait for trait in fresh(cloud.machine.row).traits if not trait.startswith("cpu:")]
    Node.objects.filter(pk=cloud.machine.row.pk).update(traits=traits)
    assert "the CPU of its guests" in migration_obstacles(fresh(instance))[0]
    with pytest.raises(InstanceNotMovable):
        instance_migrate(SYSTEM, fresh(instance))


def test_node_with_another_cpu_is_no_destination(cloud: Cloud, instance: Instance) -> None:
    cloud.world.add_machine("fr-idf-1", capacity=FakeCapacity(cpu="older"))
    with pytest.raises(NoPlace) as refused:
        instance_migrate(SYSTEM, fresh(instance))
    assert "cpu:fake" in str(refused.value.facts["explanation"])
    plan = migration_plan(SYSTEM, instance)
    assert (plan.nodes, "cpu:fake" in str(plan.reasons[0]["detail"])) == ((), True)
    assert not Migration.objects.exists()


def test_refusal_suggests_no_other_zone(cloud: Cloud, instance: Instance, other: FakeMachine) -> None:
    """A guest that moves stays in its zone."""
    cloud.world.add_machine("us-va-1")
    node_cordon(SYSTEM, other.row, reason="full")
    with pytest.raises(NoPlace) as refused:
        instance_migrate(SYSTEM, fresh(instance))
    assert "us-va-1" not in str(refused.value.facts["explanation"])
    Node.objects.filter(pk=other.row.pk).update(admin_state="in-service")
    Inventory.objects.filter(pk=other.row.pk).update(disk_gib_total=0)
    with pytest.raises(InsufficientCapacity) as full:
        instance_migrate(SYSTEM, fresh(instance))
    assert "us-va-1" not in str(full.value.facts["explanation"])


def test_migration_plan_names_the_possible_nodes(cloud: Cloud, instance: Instance, other: FakeMachine) -> None:
    plan = migration_plan(SYSTEM, instance)
    assert ([node.pk for node in plan.nodes], plan.reasons) == ([other.row.pk], ())
    Instance.objects.filter(pk=instance.pk).update(power_state="off")
    plan = migration_plan(SYSTEM, instance)
    assert (plan.nodes, plan.reasons[0]["code"]) == ((), "compute.instance.not_movable")
    with pytest.raises(RoleNeeded):
        migration_plan(cloud.tenant.actor, instance)

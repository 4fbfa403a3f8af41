"""Policies cease to admit the destination while a guest migrates there: the node adopts the guest, which drifts."""

from dataclasses import dataclass

import pytest

from agents.node.adapters.interfaces import Power
from controlplane.audit.selectors import residency_of
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.operations.models import Operation
from controlplane.placement.policies import policy_set
from controlplane.workflows.registry import WORKFLOWS
from tests.power import lose_power
from tests.workflows.helpers import altered, delete_everything, done, fresh, make_attached, run_on, then
from tests.world import Cloud, FakeMachine, follow, run

ELSEWHERE = {"id": "elsewhere", "attr": "zone.id", "op": "in", "value": ["us-va-1"]}


@dataclass(frozen=True)
class Arrival:
    """A guest with a volume on its way to `destination`, which policies no longer admit."""

    cloud: Cloud
    destination: FakeMachine
    instance: Instance
    operation: Operation

    def end(self) -> Instance:
        for machine in (self.cloud.machine, self.destination):
            machine.fake.tunnel.hang = False
        assert follow(self.operation).state == "succeeded", self.operation.error
        instance = fresh(self.instance)
        assert instance.node == self.destination.row
        return instance

    def places(self) -> list[tuple[str, str, bool]]:
        """Return nodes and states of the guest's intervals with the role compute, and whether each is open."""
        for machine in (self.cloud.machine, self.destination):
            machine.account()
        residency = residency_of(self.instance.pk, role="compute")
        assert not residency.problems
        return [(each.node, each.state, each.end is None) for each in residency.intervals]


@pytest.fixture
def arrival(cloud: Cloud) -> Arrival:
    instance = fresh(make_attached(cloud).instance)
    destination = cloud.world.add_machine("fr-idf-1")
    for machine in (cloud.machine, destination):
        machine.fake.tunnel.hang = True
    operation = run(instance_migrate(SYSTEM, instance))
    assert (operation.steps[-1]["name"], operation.steps[-1]["state"]) == ("move", "waiting")
    policy_set(cloud.tenant.actor, clauses=[ELSEWHERE], project=cloud.tenant.project)
    return Arrival(cloud, destination, instance, operation)


def test_guest_is_adopted_where_policies_no_longer_admit_it(arrival: Arrival) -> None:
    instance = arrival.end()
    assert (instance.state, instance.power_state) == ("active", "running")
    guest = arrival.destination.fake.guests[instance.pk]
    assert (guest.power, guest.starts) == (Power.RUNNING, 0)
    assert not arrival.destination.fake.tunnel.expected
    assert arrival.places()[-1] == (str(arrival.destination.row.pk), "proven", True)


def test_tenant_stops_and_deletes_a_drifted_guest(arrival: Arrival) -> None:
    instance = arrival.end()
    done(instance_power_off(arrival.cloud.tenant.actor, instance))
    assert arrival.destination.fake.guests[instance.pk].power is Power.OFF
    assert arrival.places()[-1] == (str(arrival.destination.row.pk), "proven", False)
    delete_everything(arrival.cloud)
    assert not arrival.destination.fake.guests


def test_guest_that_is_lost_on_a_refused_arrival_is_not_started(cloud: Cloud) -> None:
    instance, destination = fresh(make_attached(cloud).instance), cloud.world.add_machine("fr-idf-1")

    def lose(operation: Operation) -> None:
        policy_set(cloud.tenant.actor, clauses=[ELSEWHERE], project=cloud.tenant.project)
        destination.stop_agent()
        lose_power(destination.fake)
        destination.start_agent()

    operation = run_on(instance_migrate(SYSTEM, instance), altered(WORKFLOWS["instance.migrate"], "move", then(lose)))
    lost = Arrival(cloud, destination, instance, operation).end()
    guest = destination.fake.guests[lost.pk]
    assert (guest.power, guest.starts) == (Power.OFF, 0)

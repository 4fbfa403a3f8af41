"""The destination of a migration loses its power after the transfer, before the guest is settled there.

Its source has it no more: it is started from its disks where it has come to, or is off there, and runs nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest

from agents.node.adapters.interfaces import Power
from controlplane.audit.selectors import residency_of
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance, Migration
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.node_lifecycle.fencing.fencing import record_fence_evidence
from controlplane.nodes.models import Incident
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import one_of
from tests.power import lose_power
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
    run_on,
    then,
)
from tests.world import Cloud, FakeMachine, follow

WORKFLOW = WORKFLOWS["instance.migrate"]


@dataclass(frozen=True)
class Trip:
    """A guest with a volume that moves from `source` to `destination`, as one that runs or is off."""

    cloud: Cloud
    instance: Instance
    destination: FakeMachine

    @property
    def source(self) -> FakeMachine:
        return self.cloud.machine

    @property
    def is_off(self) -> bool:
        return self.instance.state == "stopped"

    def ask(self) -> Operation:
        return instance_migrate(SYSTEM, self.instance)

    def lose(self, operation: Operation) -> None:
        """Power is back before the call is repeated."""
        self.destination.stop_agent()
        lose_power(self.destination.fake)
        self.destination.start_agent()

    def assert_is_there(self) -> None:
        instance = fresh(self.instance)
        power = "off" if self.is_off else "running"
        assert (instance.node, instance.state, instance.power_state) == (
            self.destination.row,
            self.instance.state,
            power,
        )
        guest = self.destination.fake.guests[instance.pk]
        assert guest.power is (Power.OFF if self.is_off else Power.RUNNING)
        assert guest.starts == (0 if self.is_off else 1)
        assert len(guest.spec.disks) == 2
        assert not (self.source.fake.guests or self.source.fake.volumes or self.source.fake.ports)
        assert not self.destination.fake.tunnel.expected
        assert Migration.objects.get().state == "done"

    def assert_ends_there(self, operation: Operation) -> None:
        assert follow(operation).state == "succeeded", (operation.state, operation.error, operation.steps)
        self.assert_is_there()


TURNS = count()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with a guest that runs and with one that is off; in the gate with one of them, in turn."""
    if "trip" in metafunc.fixturenames:
        metafunc.parametrize("trip", one_of(["runs", "is off"], next(TURNS)), indirect=True)


@pytest.fixture
def trip(cloud: Cloud, request: pytest.FixtureRequest) -> Trip:
    instance = make_attached(cloud).instance
    if request.param == "is off":
        done(instance_power_off(cloud.tenant.actor, instance))
    return Trip(cloud, fresh(instance), cloud.world.add_machine("fr-idf-1"))


def until_it_has_left(trip: Trip, act: Callable[[Operation], None]) -> Operation:
    """`move` has ended, and its worker is gone before it could write that down."""

    def then_die(operation: Operation) -> None:
        act(operation)
        die(operation)

    operation = trip.ask()
    with pytest.raises(Killed):
        run_on(operation, altered(WORKFLOW, "move", then(then_die)))
    return operation


def pass_deadline(trip: Trip, operation: Operation) -> None:
    Operation.objects.filter(pk=operation.pk).update(deadline_at=clock.now())


def fence_destination(trip: Trip, operation: Operation) -> None:
    record_fence_evidence(SYSTEM, trip.destination.row, kind="lease", reason="", detail={})


def delete(trip: Trip, operation: Operation) -> None:
    instance_delete(trip.cloud.tenant.actor, fresh(trip.instance))


def test_migration_succeeds_despite_power_loss_at_the_destination(trip: Trip) -> None:
    operation = run_on(trip.ask(), altered(WORKFLOW, "move", then(trip.lose)))
    trip.assert_ends_there(operation)
    delete_everything(trip.cloud)
    assert_clean_slate(trip.cloud)


def test_migration_continues_after_power_loss_and_a_worker_death(trip: Trip) -> None:
    operation = until_it_has_left(trip, trip.lose)
    run_on(followed_by_another_worker(operation))
    trip.assert_ends_there(operation)


def test_migration_continues_after_a_worker_death_in_settle(trip: Trip) -> None:
    operation = trip.ask()
    with pytest.raises(Killed):
        run_on(operation, altered(altered(WORKFLOW, "move", then(trip.lose)), "settle", then(die)))
    run_on(followed_by_another_worker(operation))
    trip.assert_ends_there(operation)


def test_second_power_loss_does_not_block_the_migration(trip: Trip) -> None:
    """After it was told, and before that was written down."""
    operation = run_on(trip.ask(), altered(WORKFLOW, "settle", then(trip.lose)))
    assert follow(operation).state == "succeeded"
    assert fresh(trip.instance).node == trip.destination.row
    delete_everything(trip.cloud)
    assert_clean_slate(trip.cloud)


def test_migration_cannot_be_cancelled_after_arrival(trip: Trip) -> None:
    operation = until_it_has_left(trip, trip.lose)
    operation_cancel(trip.cloud.tenant.actor, operation)
    run_on(followed_by_another_worker(operation))
    trip.assert_ends_there(operation)


def test_deletion_after_arrival_succeeds(trip: Trip) -> None:
    operation = until_it_has_left(trip, trip.lose)
    deletion = instance_delete(trip.cloud.tenant.actor, fresh(trip.instance))
    run_on(followed_by_another_worker(operation))
    assert follow(operation).state == "succeeded"
    assert follow(deletion).state == "succeeded"
    delete_everything(trip.cloud)
    assert_clean_slate(trip.cloud)


def silent(trip: Trip) -> Operation:
    """Return a migration after the transfer whose destination is unreachable and without power."""

    def fall_silent(operation: Operation) -> None:
        trip.destination.become_unreachable()
        lose_power(trip.destination.fake)

    return run_on(trip.ask(), altered(WORKFLOW, "move", then(fall_silent)))


def test_unreachable_destination_gets_the_guest_when_it_returns(trip: Trip) -> None:
    operation = silent(trip)
    assert (operation.state, operation.steps[-1]["name"]) == ("running", "settle")
    trip.destination.come_back()
    trip.assert_ends_there(operation)


@pytest.mark.parametrize("end", [pass_deadline, fence_destination, delete])
def test_migration_ends_though_the_destination_stays_unreachable(
    trip: Trip, end: Callable[[Trip, Operation], object]
) -> None:
    operation = silent(trip)
    end(trip, operation)
    assert follow(operation).state == "succeeded", operation.steps
    assert Migration.objects.get().state == "done"


def test_evidence_of_the_migration_has_no_gap(trip: Trip) -> None:
    for machine in (trip.source, trip.destination):
        machine.account()
    trip.assert_ends_there(run_on(trip.ask(), altered(WORKFLOW, "move", then(trip.lose))))
    for machine in (trip.source, trip.destination):
        machine.account()
    for resource_id, role in ((trip.instance.pk, "compute"), (trip.instance.root_volume_id, "storage")):
        found = residency_of(resource_id, role=role)
        assert not found.problems
        assert all(each.state == "proven" and each.is_compliant for each in found.intervals)
        assert found.intervals[-1].node == str(trip.destination.row.pk)
    assert not Incident.objects.exists()

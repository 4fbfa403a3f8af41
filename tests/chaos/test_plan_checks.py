"""The checks of remediation plans find each kind of damage that is planted."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from controlplane.compliance.models import Compliance, RemediationItem, RemediationPlan
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.operations.models import Operation
from controlplane.reconcilers import remediation
from scripts.chaos import plan_checks
from tests.workflows import helpers
from tests.workflows.test_remediation import HERE, executed, sweep
from tests.world import Cloud, follow


@pytest.fixture
def settled(cloud: Cloud) -> Cloud:
    """Two volumes that a plan has relocated."""
    cloud.world.add_machine("de-fra-1")
    for name in "ab":
        helpers.make_volume(cloud, name, zones=(HERE,))
    executed(cloud)
    remediation.reconcile()
    for operation in Operation.objects.filter(kind="volume.relocate"):
        assert follow(operation).state == "succeeded"
    sweep()
    return cloud


def resource_that_drifts() -> None:
    Compliance.objects.update(state="remediating")


def plan_that_has_not_ended() -> None:
    RemediationPlan.objects.update(state="approved")


def plan_that_goes_on() -> None:
    RemediationPlan.objects.update(execution="running", executed_by=new_id())


def item_of_an_ended_operation() -> None:
    RemediationItem.objects.update(state="moving")


def item_that_is_not_done() -> None:
    RemediationItem.objects.update(state="stays")


def operation_of_a_stranger() -> None:
    RemediationPlan.objects.update(items=[])


def operation_that_went_nowhere() -> None:
    for operation in Operation.objects.filter(kind="volume.relocate"):
        Operation.objects.filter(pk=operation.pk).update(args={**operation.args, "zone": HERE})


DAMAGES: list[Callable[[], None]] = [
    *[resource_that_drifts, plan_that_has_not_ended, plan_that_goes_on, item_of_an_ended_operation],
    *[item_that_is_not_done, operation_of_a_stranger, operation_that_went_nowhere],
]


def test_a_plan_that_was_carried_out_is_no_damage(settled: Cloud) -> None:
    assert plan_checks.plans() == []
    assert len(plan_checks.begun_by_plans()) == 2


@pytest.mark.parametrize("damage", DAMAGES, ids=[damage.__name__ for damage in DAMAGES])
def test_damage_of_a_plan_is_found(settled: Cloud, damage: Callable[[], None]) -> None:
    damage()
    assert plan_checks.plans()


def test_operations_at_once_are_counted_at_the_begin_of_each() -> None:
    now = clock.now()
    later, much_later = now + timedelta(minutes=1), now + timedelta(minutes=2)
    assert plan_checks.most_at_once([]) == 0
    assert plan_checks.most_at_once([(now, later), (later, much_later)]) == 1
    assert plan_checks.most_at_once([(now, much_later), (later, None), (later, much_later)]) == 3

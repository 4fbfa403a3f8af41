"""Concurrent transactions of which one begins a relocation of a remediation plan."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from controlplane.compliance.models import RemediationItem, RemediationPlan
from controlplane.compliance.plan_execution import plan_execute, plan_pause
from controlplane.compliance.plans import plan_approve
from controlplane.compute.models import Instance
from controlplane.operations.models import Operation
from controlplane.reconcilers import compliance_drift, remediation
from tests.services.policies import in_zones, ruled
from tests.services.threads import until_one_waits_for_a_lock
from tests.workflows.helpers import make_stopped_instance
from tests.world import Cloud

HERE, THERE = "fr-idf-1", "de-fra-1"


@pytest.fixture
def plan(shared_cloud: Cloud) -> RemediationPlan:
    """A plan under execution, of three instances that are off."""
    cloud = shared_cloud
    for name in ("one", "two", "three"):
        make_stopped_instance(cloud, name)
    cloud.world.add_machine(THERE)
    ruled(cloud.tenant.project, *in_zones(THERE))
    compliance_drift.reconcile()
    plan = plan_approve(cloud.tenant.actor, RemediationPlan.objects.get())
    return plan_execute(cloud.tenant.actor, plan)


def begin(plan: RemediationPlan, item: RemediationItem) -> bool:
    instance = Instance.objects.select_related("project", "node").get(pk=item.resource_id)
    return remediation._begin(plan, item, instance, remediation._best_zone(instance))


def meanwhile(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Run `second` in a thread while the transaction of `first` is open, until it waits for a lock."""

    def run() -> None:
        try:
            second()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    try:
        with transaction.atomic():
            first()
            thread.start()
            until_one_waits_for_a_lock()
    finally:
        thread.join()


def test_two_reconcilers_begin_no_more_than_the_limit(shared_cloud: Cloud, plan: RemediationPlan) -> None:
    items = list(plan.progress.order_by("order"))

    def begin_two() -> None:
        assert begin(plan, items[0]) and begin(plan, items[1])

    other = RemediationPlan.objects.get(pk=plan.pk)
    meanwhile(begin_two, lambda: begin(other, items[2]))
    assert Operation.objects.filter(kind="instance.relocate").count() == remediation.AT_ONCE


def test_two_reconcilers_begin_an_item_once(shared_cloud: Cloud, plan: RemediationPlan) -> None:
    item = plan.progress.order_by("order")[0]
    stale, other = RemediationItem.objects.get(pk=item.pk), RemediationPlan.objects.get(pk=plan.pk)
    outcomes: list[bool] = []
    meanwhile(lambda: begin(plan, item), lambda: outcomes.append(begin(other, stale)))
    assert outcomes == [False]
    assert Operation.objects.filter(kind="instance.relocate").count() == 1


def test_begin_waits_for_a_pause_and_begins_nothing(shared_cloud: Cloud, plan: RemediationPlan) -> None:
    item, other = plan.progress.order_by("order")[0], RemediationPlan.objects.get(pk=plan.pk)
    meanwhile(lambda: plan_pause(shared_cloud.tenant.actor, plan), lambda: begin(other, item))
    assert not Operation.objects.filter(kind="instance.relocate").exists()

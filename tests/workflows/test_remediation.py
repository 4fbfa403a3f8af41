"""Execution of remediation plans over real gRPC: drifted instances that are off are relocated, the others stay."""

from datetime import timedelta

import pytest

from agents.node.errors import AdapterError
from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Zone
from controlplane.compliance import plan_execution
from controlplane.compliance.errors import PlanNotApproved, PlanNotExecuted, PlanOver
from controlplane.compliance.models import Compliance, RemediationItem, RemediationPlan, Sweep
from controlplane.compliance.plan_execution import plan_execute, plan_pause
from controlplane.compliance.plans import plan_approve, plans_update
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.events.models import Event
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import ApiToken, Grant, Membership, ServiceAccount, User
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import Pool
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement.models import Decision
from controlplane.reconcilers import compliance_drift, remediation
from controlplane.storage.models import Volume
from tests.services.compliance.test_drift import HELD, certify
from tests.services.policies import in_zones, ruled
from tests.workflows import helpers
from tests.workflows.helpers import (
    attach,
    done,
    fresh,
    share,
)
from tests.world import Cloud, FakeMachine, follow

HERE, THERE = "fr-idf-1", "de-fra-1"


@pytest.fixture
def other(cloud: Cloud) -> FakeMachine:
    return cloud.world.add_machine(THERE)


def make_instance(cloud: Cloud, name: str = "web") -> Instance:
    return helpers.make_instance(cloud, name, zones=(HERE,))


def make_stopped_instance(cloud: Cloud, name: str = "web") -> Instance:
    instance = make_instance(cloud, name)
    done(instance_power_off(cloud.tenant.actor, instance))
    return fresh(instance)


def make_attached(cloud: Cloud) -> Attachment:
    """Make a volume of an instance that is off."""
    instance = make_stopped_instance(cloud)
    attachment, operation = attach(cloud, instance, make_volume(cloud))
    done(operation)
    return fresh(attachment)


def make_volume(cloud: Cloud) -> Volume:
    return helpers.make_volume(cloud, zones=(HERE,))


def sweep() -> None:
    Sweep.objects.update(due_at=clock.now())
    compliance_drift.reconcile()


def drift(cloud: Cloud, *zones: str) -> RemediationPlan:
    """Let the project's policy admit these zones alone, and approve the plan that follows."""
    ruled(cloud.tenant.project, *in_zones(*(zones or (THERE,))))
    sweep()
    return plan_approve(cloud.tenant.actor, RemediationPlan.objects.get(state="proposed"))


def execute(cloud: Cloud, plan: RemediationPlan) -> RemediationPlan:
    return plan_execute(cloud.tenant.actor, plan)


def executed(cloud: Cloud, *zones: str) -> RemediationPlan:
    return execute(cloud, drift(cloud, *zones))


def item_of(resource: Instance | Volume) -> RemediationItem:
    return RemediationItem.objects.get(resource_id=resource.pk)


def relocations() -> list[Operation]:
    return list(Operation.objects.filter(kind="instance.relocate").order_by("created_at"))


def detail(item: RemediationItem) -> str:
    assert item.reason is not None
    return str(item.reason["detail"])


def later(monkeypatch: pytest.MonkeyPatch, **delta: float) -> None:
    monkeypatch.setattr(clock, "now", lambda before=clock.now: before() + timedelta(**delta))


def test_plan_is_carried_out_until_everything_has_recovered(cloud: Cloud, other: FakeMachine) -> None:
    attached = make_attached(cloud)
    instance, volume = attached.instance, attached.volume
    plan = drift(cloud)
    assert remediation.reconcile() == 0 and not relocations(), "an approval moves nothing"
    execute(cloud, plan)
    assert not relocations(), "the request begins nothing, the reconciler does"
    assert remediation.reconcile() == 2
    (operation,) = relocations()
    assert (operation.reason, operation.user_id) == (f"remediation plan {plan.pk}", cloud.tenant.actor.user_id)
    for resource in (instance, volume):
        item = item_of(resource)
        assert (item.state, item.operation_id, item.reason) == ("moving", operation.pk, None)
    assert follow(operation).state == "succeeded"
    assert remediation.reconcile() == 0, "the sweep says that it has recovered"
    sweep()
    assert fresh(instance).node == other.row
    assert {item.state for item in RemediationItem.objects.all()} == {"done"}
    assert (fresh(plan).state, fresh(plan).execution) == ("done", "idle")
    verbs = ("remediation.execute", "instance.relocate")
    entries = AuditEntry.objects.filter(verb__in=verbs).order_by("created_at")
    assert [(entry.verb, entry.user_id) for entry in entries] == [(verb, cloud.tenant.actor.user_id) for verb in verbs]
    assert Event.objects.filter(kind="remediation.begun", resource_id=plan.pk).count() == 1
    remediation.reconcile()
    assert len(relocations()) == 1


def test_only_an_approved_plan_is_executed_and_only_an_execution_paused(cloud: Cloud, other: FakeMachine) -> None:
    make_stopped_instance(cloud)
    ruled(cloud.tenant.project, *in_zones(THERE))
    sweep()
    plan = RemediationPlan.objects.get()
    with pytest.raises(PlanNotApproved, match="Approve it first"):
        execute(cloud, plan)
    plan_approve(cloud.tenant.actor, plan)
    with pytest.raises(PlanNotExecuted):
        plan_pause(cloud.tenant.actor, plan)
    plan_execution.end_plan(plan, "withdrawn")
    with pytest.raises(PlanOver):
        execute(cloud, fresh(plan))


def test_pause_begins_nothing_and_resuming_goes_on(cloud: Cloud, other: FakeMachine) -> None:
    instances = [make_stopped_instance(cloud, name) for name in ("one", "two", "three")]
    plan = executed(cloud)
    remediation.reconcile()
    assert len(relocations()) == remediation.AT_ONCE == 2
    plan_pause(cloud.tenant.actor, plan)
    plan_pause(cloud.tenant.actor, plan)
    assert AuditEntry.objects.filter(verb="remediation.pause").count() == 1
    for operation in relocations():
        assert follow(operation).state == "succeeded", "what began goes on"
    sweep()
    remediation.reconcile()
    assert len(relocations()) == 2
    assert fresh(plan).state == "approved", "a plan of which resources recover stays approved"
    states = {instance.name: item_of(instance).state for instance in instances}
    assert sorted(states.values()) == ["done", "done", "waiting"]
    execute(cloud, plan)
    remediation.reconcile()
    assert follow(relocations()[-1]).state == "succeeded"
    sweep()
    assert {fresh(instance).node for instance in instances} == {other.row}
    assert RemediationPlan.objects.get().state == "done"


def test_running_instance_stays_until_it_is_stopped(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_instance(cloud)
    executed(cloud)
    assert remediation.reconcile() == 1
    assert remediation.reconcile() == 0, "the same reason is no change"
    item = item_of(instance)
    assert (item.state, item.tries) == ("stays", 0)
    assert "Stop it, and it is relocated" in detail(item)
    assert fresh(instance).state == "active" and not relocations()
    done(instance_power_off(cloud.tenant.actor, fresh(instance)))
    remediation.reconcile()
    (operation,) = relocations()
    assert follow(operation).state == "succeeded"


def test_instance_without_an_admissible_zone_stays_until_there_is_one(
    cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = make_stopped_instance(cloud)
    Zone.objects.filter(pk=THERE).update(status="draining")
    executed(cloud)
    decisions = Decision.objects.count()
    before = AuditEntry.objects.count(), Event.objects.count()
    remediation.reconcile()
    item = item_of(instance)
    assert (item.state, item.tries) == ("stays", 1)
    assert THERE in detail(item)
    assert item.next_try_at is not None and item.next_try_at > clock.now()
    Zone.objects.filter(pk=THERE).update(status="open")
    assert remediation.reconcile() == 0, "the next try is due later"
    later(monkeypatch, seconds=31)
    Zone.objects.filter(pk=THERE).update(status="draining")
    assert remediation.reconcile() == 0, "tried, and the reason is the same"
    retried = item_of(instance)
    assert retried.next_try_at is not None and retried.next_try_at - clock.now() > timedelta(seconds=50), "waits longer"
    assert (Decision.objects.count(), AuditEntry.objects.count(), Event.objects.count()) == (decisions, *before)
    Zone.objects.filter(pk=THERE).update(status="open")
    later(monkeypatch, seconds=61)
    assert remediation.reconcile() == 1
    assert item_of(instance).state == "moving" and len(relocations()) == 1


def test_wait_between_tries_is_bounded(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_stopped_instance(cloud)
    Zone.objects.filter(pk=THERE).update(status="draining")
    executed(cloud)
    remediation.reconcile()
    RemediationItem.objects.update(tries=1000, next_try_at=clock.now())
    remediation.reconcile()
    item = item_of(instance)
    assert item.next_try_at is not None
    assert item.next_try_at - clock.now() <= remediation.RETRY_AFTER_MAX


def test_failed_operation_is_retried_later(cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = make_stopped_instance(cloud)
    executed(cloud)
    remediation.reconcile()
    cloud.fake.fail_next("send", AdapterError("The road is closed.", retryable=False))
    assert follow(relocations()[0]).state == "failed"
    assert remediation.reconcile() == 1
    item = item_of(instance)
    assert (item.state, item.operation_id) == ("stays", relocations()[0].pk)
    assert item.reason is not None and item.reason["code"] == "compute.migration.failed"
    assert remediation.reconcile() == 0 and len(relocations()) == 1
    later(monkeypatch, seconds=31)
    assert remediation.reconcile() == 1
    assert follow(relocations()[1]).state == "succeeded"


def test_cancelled_operation_is_not_repeated_at_once(
    cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = make_stopped_instance(cloud)
    executed(cloud)
    remediation.reconcile()
    operation_cancel(cloud.tenant.actor, relocations()[0])
    assert follow(relocations()[0]).state == "cancelled"
    remediation.reconcile()
    later(monkeypatch, minutes=29)
    remediation.reconcile()
    assert item_of(instance).state == "stays" and len(relocations()) == 1


def test_locked_instance_is_retried(cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = make_stopped_instance(cloud)
    _, operation = attach(cloud, instance, make_volume(cloud))
    executed(cloud)
    remediation.reconcile()
    reason = item_of(instance).reason
    assert reason is not None and reason["facts"].get("blocking_operation") == str(operation.pk), reason
    assert not relocations()
    assert follow(operation).finished_at is not None
    later(monkeypatch, seconds=31)
    remediation.reconcile()
    assert len(relocations()) == 1


def test_disk_in_a_pool_stays_with_the_obstacle(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_attached(cloud).instance
    pool = Pool.objects.get(name=share(cloud).pool)
    Volume.objects.update(pool=pool)
    executed(cloud)
    remediation.reconcile()
    assert "is in the pool shared, which stays in its zone. Retype it" in detail(item_of(instance))
    volume = item_of(Volume.objects.get())
    assert volume.state == "stays" and "it is in the pool shared" in detail(volume)
    assert not relocations()


def test_detached_volume_is_relocated_alone(cloud: Cloud, other: FakeMachine) -> None:
    volume = make_volume(cloud)
    plan = executed(cloud)
    assert remediation.reconcile() == 1
    operation = Operation.objects.get(kind="volume.relocate")
    item = item_of(volume)
    assert (item.state, item.operation_id, item.reason) == ("moving", operation.pk, None)
    assert (operation.reason, operation.user_id) == (f"remediation plan {plan.pk}", cloud.tenant.actor.user_id)
    assert remediation.reconcile() == 0, "it is under way"
    assert follow(operation).state == "succeeded"
    sweep()
    assert (item_of(volume).state, fresh(plan).state) == ("done", "done")
    assert fresh(volume).node == other.row


def test_detached_volume_is_retried_after_its_relocation_was_cancelled(
    cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = make_volume(cloud)
    executed(cloud)
    remediation.reconcile()
    operation = Operation.objects.get(kind="volume.relocate")
    operation_cancel(cloud.tenant.actor, operation)
    assert follow(operation).state == "cancelled"
    assert remediation.reconcile() == 1
    assert item_of(volume).state == "stays" and item_of(volume).next_try_at is not None
    remediation.reconcile()
    assert Operation.objects.filter(kind="volume.relocate").count() == 1, "it waits"
    later(monkeypatch, minutes=31)
    remediation.reconcile()
    assert item_of(volume).state == "moving"


def test_two_relocations_are_under_way_at_once_with_those_of_volumes(cloud: Cloud, other: FakeMachine) -> None:
    instance, volumes = make_stopped_instance(cloud), [helpers.make_volume(cloud, name, zones=(HERE,)) for name in "ab"]
    executed(cloud)
    remediation.reconcile()
    assert sorted(item_of(each).state for each in (instance, *volumes)) == ["moving", "moving", "waiting"]


def test_volume_that_drifts_alone_does_not_move_its_instance(cloud: Cloud, other: FakeMachine) -> None:
    attached = make_attached(cloud)
    plan = executed(cloud)
    Compliance.objects.filter(pk=attached.instance_id).update(state="compliant")
    plan.progress.filter(resource_id=attached.instance_id).update(state="done")
    remediation.reconcile()
    assert "which has not drifted" in detail(item_of(attached.volume))
    assert not relocations()


def test_zone_of_the_neighbours_is_chosen_then_the_one_with_most_nodes(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_stopped_instance(cloud)
    cloud.world.add_machine("fr-sud-1")
    cloud.world.add_machine("fr-sud-1")
    cloud.world.add_machine("closed-1")
    Zone.objects.filter(pk="closed-1").update(status="closed")
    assert remediation._best_zone(instance).pk == "fr-sud-1"
    helpers.make_instance(cloud, "neighbour", zones=(THERE,))
    assert remediation._best_zone(instance).pk == THERE
    Zone.objects.filter(pk=THERE).update(status="closed")
    assert remediation._best_zone(instance).pk == "fr-sud-1"


def test_lost_membership_pauses_the_execution(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_stopped_instance(cloud)
    plan = executed(cloud)
    Membership.objects.filter(user=cloud.tenant.actor.user_id).update(role="viewer")
    remediation.reconcile()
    plan = fresh(plan)
    assert (plan.state, plan.execution) == ("approved", "paused")
    assert plan.pause_reason["code"] == "compliance.plan.executor_gone"
    entry = AuditEntry.objects.get(verb="remediation.pause")
    assert entry.user_id is None and "Another member" in entry.facts["reason"]
    assert Event.objects.filter(kind="remediation.paused").count() == 1
    assert item_of(instance).state == "waiting" and not relocations()
    remediation.reconcile()
    assert AuditEntry.objects.filter(verb="remediation.pause").count() == 1
    Membership.objects.filter(user=cloud.tenant.actor.user_id).update(role="member")
    remediation.reconcile()
    assert not relocations(), "it stays paused until a member resumes it"
    execute(cloud, plan)
    assert fresh(plan).pause_reason is None
    remediation.reconcile()
    assert len(relocations()) == 1


@pytest.mark.parametrize("loss", ["suspended", "gone"])
def test_suspended_or_removed_member_pauses_the_execution(cloud: Cloud, other: FakeMachine, loss: str) -> None:
    make_stopped_instance(cloud)
    plan = executed(cloud)
    if loss == "gone":
        Membership.objects.filter(user=cloud.tenant.actor.user_id).delete()
    else:
        User.objects.filter(pk=cloud.tenant.actor.user_id).update(suspended_at=clock.now())
    remediation.reconcile()
    assert fresh(plan).execution == "paused" and not relocations()


def test_crash_between_operation_and_item_leaves_neither(
    cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = make_stopped_instance(cloud)
    executed(cloud)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

        def killed(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(remediation, "move", killed)
        remediation.reconcile()
    assert not relocations() and item_of(instance).state == "waiting"
    remediation.reconcile()
    remediation.reconcile()
    assert len(relocations()) == 1


def test_two_reconcilers_begin_a_relocation_once(
    cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one runs after the first has decided, and before it begins."""
    instance = make_stopped_instance(cloud)
    executed(cloud)
    best, calls = remediation._best_zone, list[Zone]()

    def meanwhile(subject: Instance) -> Zone:
        zone = best(subject)
        calls.append(zone)
        if len(calls) == 1:
            remediation.reconcile()
        return zone

    monkeypatch.setattr(remediation, "_best_zone", meanwhile)
    remediation.reconcile()
    assert len(calls) == 2
    (operation,) = relocations()
    item = item_of(instance)
    assert (item.state, item.operation_id, item.tries) == ("moving", operation.pk, 0)


def test_pause_between_decision_and_begin_begins_nothing(
    cloud: Cloud, other: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_stopped_instance(cloud)
    plan = executed(cloud)
    best = remediation._best_zone

    def meanwhile(subject: Instance) -> Zone:
        plan_pause(cloud.tenant.actor, fresh(plan))
        return best(subject)

    monkeypatch.setattr(remediation, "_best_zone", meanwhile)
    remediation.reconcile()
    assert not relocations()


def test_new_drift_makes_a_new_plan_and_what_began_goes_on(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_stopped_instance(cloud)
    plan = executed(cloud)
    remediation.reconcile()
    second = helpers.make_instance(cloud, "second", zones=(THERE,))
    sweep()
    assert fresh(plan).state == "approved"
    Compliance.objects.filter(pk=second.pk).update(state="drifted")
    plans_update()
    assert (fresh(plan).state, fresh(plan).execution) == ("withdrawn", "idle")
    new = RemediationPlan.objects.get(state="proposed")
    assert set(new.resource_ids) == {instance.pk, second.pk}
    assert follow(relocations()[0]).state == "succeeded"
    remediation.reconcile()
    assert plan.progress.get().state == "done"
    remediation.reconcile()
    assert len(relocations()) == 1


def test_resource_that_drifts_after_its_recovery_gets_a_new_plan(cloud: Cloud, other: FakeMachine) -> None:
    first, second = make_stopped_instance(cloud), make_instance(cloud, "second")
    plan = executed(cloud)
    remediation.reconcile()
    assert follow(relocations()[0]).state == "succeeded"
    sweep()
    assert (item_of(first).state, fresh(plan).state) == ("done", "approved")
    Compliance.objects.filter(pk=first.pk).update(state="drifted")
    plans_update()
    assert fresh(plan).state == "withdrawn"
    assert set(RemediationPlan.objects.get(state="proposed").resource_ids) == {first.pk, second.pk}


def test_instance_that_is_admitted_since_or_elsewhere_is_not_moved(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_stopped_instance(cloud)
    for zone in (HERE, THERE):
        certify(zone, days=1000)
    ruled(cloud.tenant.project, HELD)
    sweep()
    certify(HERE, days=1000, status="suspended")
    sweep()
    execute(cloud, plan_approve(cloud.tenant.actor, RemediationPlan.objects.get()))
    certify(HERE, days=1000)
    assert remediation.reconcile() == 0, "its zone admits it by now, which no sweep has recorded yet"
    certify(HERE, days=1000, status="suspended")
    Compliance.objects.filter(pk=instance.pk).update(zone=THERE)
    assert remediation.reconcile() == 0, "it is not where it had drifted"
    assert not relocations()
    Compliance.objects.filter(pk=instance.pk).update(zone=HERE)
    assert remediation.reconcile() == 1 and len(relocations()) == 1


def test_relocation_that_ends_in_drift_waits_for_another(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_stopped_instance(cloud)
    executed(cloud)
    remediation.reconcile()
    assert follow(relocations()[0]).state == "succeeded"
    assert remediation.reconcile() == 0 and item_of(instance).state == "moving"
    Compliance.objects.filter(pk=instance.pk).update(zone=THERE, checked_at=clock.now())
    assert remediation.reconcile() == 1
    assert item_of(instance).state == "waiting"


def test_deleted_instance_ends_its_item(cloud: Cloud, other: FakeMachine) -> None:
    instance = make_stopped_instance(cloud)
    executed(cloud)
    done(instance_delete(cloud.tenant.actor, instance))
    assert remediation.reconcile() == 0
    sweep()
    assert item_of(instance).state == "done" and RemediationPlan.objects.get().state == "done"


def test_viewers_execute_and_pause_nothing(cloud: Cloud, other: FakeMachine) -> None:
    make_stopped_instance(cloud)
    plan = executed(cloud)
    viewer = type(cloud.tenant.actor)(new_id(), None, cloud.tenant.project.pk, "viewer")
    for act in (plan_execute, plan_pause):
        with pytest.raises(RoleNeeded):
            act(viewer, plan)


def test_token_of_a_service_account_ends_its_execution(cloud: Cloud, other: FakeMachine) -> None:
    make_stopped_instance(cloud)
    plan = drift(cloud)
    account = ServiceAccount.objects.create(organization=cloud.tenant.project.organization, name="robot")
    Grant.objects.create(service_account=account, project=cloud.tenant.project, role="member")
    token = ApiToken.objects.create(
        service_account=account, name="t", prefix="t", sha256=b"t", expires_at=clock.now() + timedelta(days=1)
    )
    actor = plan_execution.credentials.refresh_actor(token.pk)
    assert actor is not None
    plan_execute(actor.within(cloud.tenant.project), plan)
    remediation.reconcile()
    (operation,) = relocations()
    assert (operation.user_id, operation.credential_id) == (None, token.pk)
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=clock.now())
    remediation.reconcile()
    assert fresh(plan).execution == "paused"

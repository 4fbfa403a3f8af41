"""Operation requests, resource locks, preemption, cancellation and their wake-ups."""

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerDown
from pytest_django import Settings

from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel import wakeups as kernel_wakeups
from controlplane.kernel.ids import new_id
from controlplane.operations import leases, maintenance, queues, services, wakeups
from controlplane.operations.errors import Busy, NotCancellable, OperationNotFound
from controlplane.operations.models import MaintenanceRule, Operation, ResourceLock
from controlplane.operations.selectors import current_operations, operation_get, operations
from controlplane.operations.services import OperationRequest, enqueue, operation_cancel, require_unlocked
from controlplane.workflows import tasks
from controlplane.workflows.registry import WORKFLOWS
from controlplane.workflows.workflow_types import Step, Workflow
from tests.services.threads import at_once, split
from tests.world import Broker, make_tenant

VIEWER = Actor(user_id=None, credential_id=None, project_id=None, role="viewer")


def ask(*resource_ids: UUID, **more: object) -> Operation:
    return enqueue(SYSTEM, OperationRequest("test", None, resource_ids, resource_name="web", **more))


def take(operation: Operation) -> Operation:
    leased = leases.lease_operation(operation.pk)
    assert leased is not None
    return leased


@pytest.mark.django_db
def test_locked_resource_refuses_a_second_operation() -> None:
    one, other, third = new_id(), new_id(), new_id()
    first = ask(one, other)
    with pytest.raises(Busy) as caught:
        ask(third, other)
    assert caught.value.facts == {"kind": "test", "blocking_operation": str(first.pk)}
    assert caught.value.retryable
    assert current_operations([one, other, third]) == {one: first.pk, other: first.pk}
    with pytest.raises(Busy):
        require_unlocked(one)
    require_unlocked(third)
    leases.end(take(first), "succeeded")
    assert current_operations([one, other, third]) == {}
    ask(third, other)


@pytest.mark.django_db
def test_lock_released_during_the_request_does_not_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the others have tried to hold the resource, and before they look who has it."""
    resource, insert = new_id(), services.insert
    first = ask(resource)

    def insert_and_release(*rows: Any, **more: Any) -> int:
        inserted = insert(*rows, **more)
        ResourceLock.objects.filter(operation=first).delete()
        return inserted

    monkeypatch.setattr(services, "insert", insert_and_release)
    second = ask(resource)
    assert current_operations([resource]) == {resource: second.pk}


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_never_share_a_resource() -> None:
    a, b, c = new_id(), new_id(), new_id()
    id_lists = [(a, b), (b, a), (b, c), (c, b), (a, c), (c, a), (a, b, c), (c, b, a)]
    won, lost = split(at_once([lambda ids=ids: ask(*ids) for ids in id_lists]))
    assert len(won) == 1, "any two of them have a resource in common"
    assert {type(exc) for exc in lost} == {Busy}
    assert ResourceLock.objects.count() == len(won[0].resource_ids)


@pytest.mark.django_db(transaction=True)
def test_operation_lease_goes_to_one_worker() -> None:
    operation = ask(new_id())
    won, lost = split(at_once([lambda: leases.lease_operation(operation.pk)] * 8))
    assert lost == []
    assert len([leased for leased in won if leased is not None]) == 1


@pytest.mark.django_db
def test_expired_lease_can_be_taken() -> None:
    first = take(ask(new_id()))
    assert leases.lease_operation(first.pk) is None
    Operation.objects.filter(pk=first.pk).update(lease_expires_at=clock.now() - timedelta(seconds=1))
    second = take(first)
    with pytest.raises(leases.LeaseLost):
        leases.commit_step(first, position=1)
    leases.drop_lease(first)
    leases.commit_step(second, position=1)


@pytest.mark.django_db
def test_preempting_operation_waits_for_the_others_to_end(broker: Broker) -> None:
    resource = new_id()
    holder = take(ask(resource))
    urgent = ask(resource, preempts=True)
    assert leases.is_cancel_requested(holder)
    assert leases.lease_operation(urgent.pk) is None
    assert broker.sent == [(urgent.pk, 0.3)]
    urgent.refresh_from_db()
    assert (urgent.state, urgent.lease_token) == ("pending", None)
    leases.end(holder, "succeeded")
    assert take(urgent).state == "running"


@pytest.mark.django_db
def test_preempting_operation_cancels_a_late_competitor() -> None:
    """The other request was committed after the deletion had read which operations block it."""
    resource = new_id()
    urgent = ask(resource, preempts=True)
    late = ask(resource)
    assert not leases.is_cancel_requested(late)
    assert leases.lease_operation(urgent.pk) is None
    assert leases.is_cancel_requested(late)


@pytest.mark.django_db
def test_stale_worker_of_a_preempting_operation_takes_no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    resource, look = new_id(), maintenance.blocking_rule
    urgent = ask(resource, preempts=True)

    def sleep(operation: Operation) -> MaintenanceRule | None:
        monkeypatch.setattr(maintenance, "blocking_rule", look)
        Operation.objects.update(lease_expires_at=clock.now() - timedelta(seconds=1))
        leases.end(take(urgent), "succeeded")
        return look(operation)

    monkeypatch.setattr(maintenance, "blocking_rule", sleep)
    assert leases.lease_operation(urgent.pk) is None
    assert Operation.objects.get(pk=urgent.pk).state == "succeeded"
    assert current_operations([resource]) == {}


@pytest.mark.django_db
def test_preempting_operation_waits_for_an_uncancellable_one() -> None:
    resource = new_id()
    holder = take(ask(resource, is_cancellable=False))
    urgent = ask(resource, preempts=True)
    assert not leases.is_cancel_requested(holder)
    assert leases.lease_operation(urgent.pk) is None
    with pytest.raises(NotCancellable):
        operation_cancel(SYSTEM, holder)


@pytest.mark.django_db
def test_cancellation_is_recorded_once_and_makes_the_operation_due(broker: Broker) -> None:
    operation = take(ask(new_id()))
    leases.postpone(operation, delay=timedelta(hours=1))
    assert leases.lease_operation(operation.pk) is None
    first = operation_cancel(SYSTEM, operation).cancel_requested_at
    assert operation_cancel(SYSTEM, operation).cancel_requested_at == first
    leases.end(take(operation), "succeeded")
    with pytest.raises(NotCancellable) as caught:
        operation_cancel(SYSTEM, Operation.objects.get(pk=operation.pk))
    assert caught.value.facts == {"state": "succeeded"}


@pytest.mark.django_db
def test_a_viewer_cancels_nothing() -> None:
    with pytest.raises(RoleNeeded):
        operation_cancel(VIEWER, ask(new_id()))


@pytest.mark.django_db
def test_an_operation_of_another_project_is_not_found() -> None:
    alpha, beta = make_tenant("alpha"), make_tenant("beta")
    operation = enqueue(alpha.actor, OperationRequest("test", alpha.project.pk, [new_id()], resource_name="web"))
    assert operation_get(alpha.actor, alpha.project, str(operation.pk)) == operation
    for ref in (str(operation.pk), "nonsense"):
        with pytest.raises(OperationNotFound):
            operation_get(beta.actor, beta.project, ref)
    assert not operations(beta.actor, beta.project).exists()


@pytest.mark.django_db(transaction=True)
def test_wakeup_follows_the_commit_and_a_lost_one_is_resent(broker: Broker) -> None:
    with transaction.atomic():
        operation = ask(new_id())
        assert broker.sent == []
    assert broker.sent == [(operation.pk, 0)]
    broker.sent.clear()
    assert leases.requeue_due() == 1
    assert broker.sent == [(operation.pk, 0)]


@pytest.mark.django_db
def test_requeue_sends_a_limited_number_of_wakeups(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "SWEEP_LIMIT", 3)
    waiting = {queues.OPERATIONS: 0, queues.URGENT: 3}
    monkeypatch.setattr(wakeups, "waiting", lambda queue: waiting[queue])
    for _ in range(5):
        ask(new_id())
    Operation.objects.filter(pk=ask(new_id()).pk).update(queue=queues.URGENT)
    assert leases.requeue_due() == 3
    assert len(broker.sent) == 3
    waiting[queues.OPERATIONS] = 2
    assert leases.requeue_due() == 1


@pytest.mark.django_db(transaction=True)
def test_a_request_succeeds_without_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoBroker:
        def send_task(self, *args: object, **kwargs: object) -> None:
            raise BrokerDown("connection refused")

    monkeypatch.setattr(wakeups, "send_wakeup", kernel_wakeups.send_wakeup)
    monkeypatch.setattr(kernel_wakeups, "current_app", NoBroker())
    operation = ask(new_id())
    leased = take(operation)
    leases.postpone(leased, delay=timedelta(0))
    assert leases.requeue_due() == 1
    assert take(operation).state == "running"


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_renewed_while_a_long_step_lasts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OPERATION_LEASE_S = 0.3
    operation = ask(new_id())

    def long(running: Operation) -> None:
        """Longer than a lease: until it has been renewed twice."""
        expiries = {running.lease_expires_at}
        patience = threading.Event()
        while len(expiries) < 4:
            patience.wait(0.01)
            expiries |= set(Operation.objects.filter(pk=operation.pk).values_list("lease_expires_at", flat=True))
            assert leases.lease_operation(operation.pk) is None

    workflow = Workflow("test", lambda _: [Step("long", long)], lambda _: None, lambda _, error: None)
    monkeypatch.setitem(WORKFLOWS, "test", workflow)
    tasks.run(str(operation.pk))
    operation.refresh_from_db()
    assert (operation.state, operation.lease_token) == ("succeeded", None)


@pytest.mark.django_db
def test_duplicate_or_late_task_is_noop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKFLOWS, "test", Workflow("test", lambda _: [], lambda _: None, lambda _, error: None))
    operation = ask(new_id())
    leases.end(take(operation), "succeeded")
    tasks.run(str(operation.pk))
    tasks.run(str(new_id()))
    assert Operation.objects.get().state == "succeeded"

"""Queues: fair turns of projects, waits without a thread, and the tasks of each worker."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from django.db import connection
from pytest_django import Settings

from controlplane.identity.actor import SYSTEM
from controlplane.identity.models import Project
from controlplane.kernel import shutdown
from controlplane.kernel.ids import new_id
from controlplane.operations import fair_queue, leases, queues
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue, operation_cancel
from controlplane.workflows import tasks
from controlplane.workflows.registry import WORKFLOWS
from controlplane.workflows.workflow_types import Step, Workflow
from scripts.polling import wait_until
from tests.limits import PATIENCE_S
from tests.workflows.helpers import ask_instance, assert_clean_slate, fresh, share
from tests.world import Broker, Cloud, make_tenant

THREADS = 8


def ask(project: Project | None, kind: str = "test") -> Operation:
    return enqueue(SYSTEM, OperationRequest(kind, project.pk if project else None, (new_id(),), resource_name="web"))


def does(monkeypatch: pytest.MonkeyPatch, step: Callable[[Operation], None], kind: str = "test") -> None:
    workflow = Workflow(kind, lambda _: [Step("one", step)], lambda _: None, lambda _, error: None)
    monkeypatch.setitem(WORKFLOWS, kind, workflow)


@contextmanager
def workers(queue: str, count: int) -> Iterator[list[threading.Thread]]:
    """Threads that have each got a message of the lane; they have ended when the block ends."""

    def work() -> None:
        try:
            tasks.run("", queue)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.django_db
def test_projects_take_turns_regardless_of_queue_length(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[UUID | None] = []
    does(monkeypatch, lambda operation: begun.append(operation.project_id))
    many, one = make_tenant("many").project, make_tenant("one").project
    for _ in range(200):
        ask(many)
    ask(one)
    ask(None)
    with fair_queue.next_operation(queues.OPERATIONS) as held:
        assert held is not None
        assert held.project_id == many.pk, "what is due longest"
        tasks.run(str(held.pk))
        leases.drop_lease(held)
    assert set(begun[:2]) == {one.pk, None}, "those who have nothing in hand come first"
    assert len(begun) == 201
    tasks.run("")
    assert len(begun) == 202


@pytest.mark.django_db(transaction=True)
def test_single_operation_begins_before_a_long_queue_of_another_project(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.OPERATIONS_PER_PROJECT = THREADS
    begun: list[UUID | None] = []
    does(monkeypatch, lambda operation: begun.append(operation.project_id))
    many, one = make_tenant("many").project, make_tenant("one").project
    for _ in range(200):
        ask(many)
    ask(one)
    with workers(queues.OPERATIONS, THREADS):
        pass
    assert len(begun) == 201
    assert begun.index(one.pk) < 2 * THREADS
    assert not Operation.objects.exclude(state="succeeded").exists()


@pytest.mark.django_db(transaction=True)
def test_hung_operations_of_one_project_leave_threads_to_others(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    many, one = make_tenant("many").project, make_tenant("one").project
    hang, hanging, done = threading.Event(), threading.Semaphore(0), threading.Event()

    def step(operation: Operation) -> None:
        if operation.project_id == one.pk:
            done.set()
        else:
            hanging.release()
            assert hang.wait(PATIENCE_S)

    does(monkeypatch, step)
    for _ in range(THREADS * 2):
        ask(many)
    try:
        with workers(queues.OPERATIONS, THREADS):
            for _ in range(settings.OPERATIONS_PER_PROJECT):
                assert hanging.acquire(timeout=PATIENCE_S)
            ask(one)
            with workers(queues.OPERATIONS, 1):
                assert done.wait(PATIENCE_S)
            assert not hanging.acquire(blocking=False), "more than a project may have"
            hang.set()
    finally:
        hang.set()
    assert not Operation.objects.exclude(state="succeeded").exists()


@pytest.mark.django_db(transaction=True)
def test_imports_over_a_limit_wait_and_hold_no_thread(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.IMAGE_IMPORTS_PER_PROJECT, settings.IMAGE_IMPORTS_PER_ORGANIZATION, settings.IMAGE_IMPORTS_MAX = 2, 3, 4
    drip, begun, running = threading.Event(), [], threading.Semaphore(0)

    def step(operation: Operation) -> None:
        begun.append(operation.project_id)
        running.release()
        assert drip.wait(PATIENCE_S)

    does(monkeypatch, step, "image.import")
    first, second = make_tenant("first").project, make_tenant("second").project
    sibling = Project.objects.create(organization=first.organization, name="beside")
    others = (ask(first, "image.import"), ask(first, "image.import"), ask(first, "image.import"))
    others += (ask(sibling, "image.import"), ask(sibling, "image.import"))
    others += (ask(second, "image.import"), ask(second, "image.import"))
    try:
        with workers(queues.IMPORTS, THREADS) as threads:
            for _ in range(4):
                assert running.acquire(timeout=PATIENCE_S)
            wait_until(lambda: sum(thread.is_alive() for thread in threads) == 4, limit_s=PATIENCE_S)
            assert (begun.count(first.pk), begun.count(sibling.pk), begun.count(second.pk)) == (2, 1, 1)
            assert Operation.objects.filter(state="pending").count() == 3
            drip.set()
    finally:
        drip.set()
    assert not Operation.objects.exclude(state="succeeded").exists()
    assert len(begun) == len(others)


@pytest.mark.parametrize("has_pool", [False, True])
def test_image_transfer_step_runs_in_the_transfers_queue(cloud: Cloud, broker: Broker, has_pool: bool) -> None:
    more = {"root_volume_type": share(cloud)} if has_pool else {}
    _, first = ask_instance(cloud, "first", **more)
    tasks.run(str(first.pk))
    first.refresh_from_db()
    assert (first.state, first.queue, first.position) == ("running", queues.TRANSFERS, 1)
    assert (first.pk, 0) in broker.sent
    tasks.run(str(first.pk))
    assert fresh(first).position == 1, "nobody's of this lane"

    tasks.run(str(first.pk), queues.TRANSFERS)
    first.refresh_from_db()
    assert (first.state, first.queue, first.position) == ("running", queues.OPERATIONS, 3)
    tasks.run(str(first.pk))
    assert fresh(first).state == "succeeded"

    _, second = ask_instance(cloud, "second", **more)
    tasks.run(str(second.pk))
    if has_pool:
        assert fresh(second).queue == queues.TRANSFERS, "its node copies the image"
    else:
        assert fresh(second).state == "succeeded", "its node has the image"


def test_operation_failed_in_transfers_is_undone_in_its_queue(cloud: Cloud) -> None:
    _, operation = ask_instance(cloud)
    tasks.run(str(operation.pk))
    operation_cancel(cloud.tenant.actor, fresh(operation))
    tasks.run(str(operation.pk), queues.TRANSFERS)
    operation.refresh_from_db()
    assert (operation.state, operation.queue) == ("undoing", queues.OPERATIONS)
    tasks.run(str(operation.pk))
    assert fresh(operation).state == "cancelled"
    assert_clean_slate(cloud)


def test_each_kind_has_its_queue() -> None:
    assert set(queues.KINDS) <= set(WORKFLOWS)
    urgent = {kind for kind in WORKFLOWS if queues.queue_of(kind) == queues.URGENT}
    assert urgent == {"node.fence", "instance.evacuate"}


@pytest.mark.django_db
def test_operation_without_a_queue_gets_one(broker: Broker) -> None:
    operation = ask(None, "node.fence")
    Operation.objects.update(queue=queues.OPERATIONS)
    tasks.run(str(operation.pk))
    assert fresh(operation).queue == queues.URGENT


@pytest.mark.django_db
def test_worker_under_shutdown_takes_no_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    does(monkeypatch, lambda _: shutdown.requested.set())
    ask(None)
    ask(None)
    try:
        tasks.run("")
    finally:
        shutdown.requested.clear()
    assert sorted(Operation.objects.values_list("state", flat=True)) == ["pending", "succeeded"]

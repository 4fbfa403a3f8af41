"""The engine with a workflow that only records its calls: order, retries, deadlines, cancellation, leases."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import OperationalError

from controlplane.audit.models import AuditEntry
from controlplane.audit.services import record
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError, Unavailable
from controlplane.kernel.ids import new_id
from controlplane.kernel.prepared_queries import Prepared
from controlplane.operations import leases
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import OperationRequest, enqueue, operation_cancel
from controlplane.workflows import engine
from controlplane.workflows.workflow_types import CachedRow, Effect, Step, StepPending, Workflow
from tests.workflows.helpers import Broken, Killed, fresh, pass_deadline
from tests.world import Broker, run, run_next_attempt

pytestmark = pytest.mark.django_db

Act = Callable[[Operation], None]


@dataclass
class Diary:
    """Three steps that note what happens to them. `troubles` are raised by the named one, one after the other."""

    entries: list[str] = field(default_factory=list)
    troubles: dict[str, list[Exception]] = field(default_factory=dict)

    def workflow(self, *, retries_forever: bool = False) -> Workflow:
        def note(entry: str) -> Act:
            def act(operation: Operation) -> None:
                self.entries.append(entry)
                if self.troubles.get(entry):
                    raise self.troubles[entry].pop(0)

            return act

        steps = [Step(name, note(name), note(f"undo {name}")) for name in ("one", "two", "three")]
        return Workflow(
            "test.diary",
            lambda operation: steps,
            on_success=note("finish"),
            on_failure=lambda operation, error: note("give up")(operation),
            retries_forever=retries_forever,
        )


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def operation() -> Operation:
    return enqueue(
        SYSTEM, OperationRequest("test.diary", None, [new_id()], resource_name="diary", deadline=timedelta(seconds=60))
    )


def test_steps_run_in_order_and_each_is_recorded(operation: Operation, diary: Diary) -> None:
    run(operation, diary.workflow())
    assert diary.entries == ["one", "two", "three", "finish"]
    assert (operation.state, operation.position, operation.step_count) == ("succeeded", 3, 3)
    assert [(entry["name"], entry["state"], entry["attempts"]) for entry in operation.steps] == [
        ("one", "done", 1),
        ("two", "done", 1),
        ("three", "done", 1),
    ]
    assert operation.lease_token is None
    assert operation.finished_at is not None
    assert not ResourceLock.objects.exists()


def test_cached_row_is_read_once_until_a_step_has_an_effect(operation: Operation) -> None:
    read: list[object] = []
    held = CachedRow(Prepared(lambda resource: Operation.objects.filter(resource_id=resource)))

    def look(operation: Operation) -> None:
        read.append(held.of(operation))

    def change(operation: Operation) -> Effect:
        look(operation)
        return lambda: None

    steps = [Step(str(number), do) for number, do in enumerate([look, look, change, look])]
    run(operation, Workflow("test.held", lambda _: steps, on_success=look, on_failure=lambda operation, error: None))
    assert operation.state == "succeeded"
    assert [row is read[0] for row in read] == [True, True, True, False, False]
    assert read[3] is read[4]


def test_ended_operation_is_not_leased(operation: Operation, diary: Diary) -> None:
    run(operation, diary.workflow())
    assert leases.lease_operation(operation.pk) is None
    assert leases.requeue_due() == 0


def test_transient_error_is_retried_with_growing_delays(operation: Operation, diary: Diary, broker: Broker) -> None:
    diary.troubles["two"] = [Unavailable() for _ in range(8)]
    delays = []
    for attempt in range(1, 9):
        before = clock.now()
        run_next_attempt(operation, diary.workflow())
        assert (operation.state, operation.attempts) == ("running", attempt)
        delays.append((operation.due_at - before).total_seconds())
        assert leases.lease_operation(operation.pk) is None, "not due yet"
    longest = [min(20, 0.5 * 2**n) for n in range(8)]
    slack = 1  # the time that the try itself took
    assert all(most / 2 <= delay <= most + slack for delay, most in zip(delays, longest, strict=True))
    assert [operation_id for operation_id, _ in broker.sent] == [operation.pk] * 8
    assert operation.steps[-1]["message"] == str(Unavailable())
    run_next_attempt(operation, diary.workflow())
    assert operation.state == "succeeded"
    assert operation.attempts == 0
    assert diary.entries == ["one", *["two"] * 9, "three", "finish"]
    assert operation.steps[1]["attempts"] == 9


def test_operation_past_its_deadline_is_undone(operation: Operation, diary: Diary) -> None:
    diary.troubles["two"] = [Unavailable(), Unavailable()]
    run(operation, diary.workflow())
    pass_deadline(operation)
    run_next_attempt(operation, diary.workflow())
    assert (operation.state, operation.error["code"]) == ("failed", "operation.deadline_exceeded")
    assert operation.error["facts"] == {"limit_s": 60, "obstacle": {"template": Unavailable.detail, "facts": {}}}
    assert diary.entries == ["one", "two", "two", "undo two", "undo one", "give up"]


def test_queue_time_does_not_count_toward_the_deadline(operation: Operation, diary: Diary) -> None:
    hours_ago = clock.now() - timedelta(hours=3)
    Operation.objects.update(created_at=hours_ago, deadline_at=hours_ago + timedelta(seconds=60))
    diary.troubles["two"] = [Unavailable()]
    run(operation, diary.workflow())
    assert (operation.state, operation.limit) == ("running", timedelta(seconds=60))
    run_next_attempt(operation, diary.workflow())
    assert operation.state == "succeeded"


def test_permanent_error_is_undone_beginning_with_its_step(operation: Operation, diary: Diary) -> None:
    diary.troubles["three"] = [Broken()]
    run(operation, diary.workflow())
    assert (operation.state, operation.error["code"], operation.position) == ("failed", "test.broken", 0)
    assert diary.entries == ["one", "two", "three", "undo three", "undo two", "undo one", "give up"]
    assert [entry["state"] for entry in operation.steps] == ["undone", "undone", "undone"]


def test_undo_is_retried_past_the_deadline(operation: Operation, diary: Diary) -> None:
    diary.troubles = {"two": [Broken()], "undo one": [Broken(), Unavailable(), KeyError("a bug")]}
    run(operation, diary.workflow())
    pass_deadline(operation)
    for attempt in (1, 2, 3):
        assert (operation.state, operation.attempts) == ("undoing", attempt)
        run_next_attempt(operation, diary.workflow())
    assert (operation.state, operation.error["code"]) == ("failed", "test.broken")
    assert diary.entries == ["one", "two", "undo two", *["undo one"] * 4, "give up"]


def test_workflow_that_retries_forever_survives_every_error(operation: Operation, diary: Diary) -> None:
    workflow = diary.workflow(retries_forever=True)
    diary.troubles["two"] = [Broken(), Unavailable(), ValueError("a bug")]
    run(operation, workflow)
    pass_deadline(operation)
    for _ in range(2):
        run_next_attempt(operation, workflow)
        assert operation.state == "running"
    run_next_attempt(operation, workflow)
    assert operation.state == "succeeded"


def test_pending_step_is_no_failed_attempt(operation: Operation, diary: Diary, broker: Broker) -> None:
    diary.troubles["two"] = [StepPending("the guest still runs", delay=timedelta(seconds=7))]
    run(operation, diary.workflow())
    assert (operation.state, operation.attempts, operation.lease_token) == ("running", 0, None)
    assert (operation.steps[-1]["state"], operation.steps[-1]["message"]) == ("waiting", "the guest still runs")
    assert broker.sent == [(operation.pk, 7)]
    assert run(operation, diary.workflow()).state == "running", "not due yet"
    assert run_next_attempt(operation, diary.workflow()).state == "succeeded"


def test_unexpected_error_is_undone_and_hides_its_details(operation: Operation, diary: Diary) -> None:
    diary.troubles["two"] = [KeyError("secret detail")]
    run(operation, diary.workflow())
    assert (operation.state, operation.error["code"]) == ("failed", "internal")
    assert "secret" not in str(operation.error)


def test_database_outage_is_retried(operation: Operation, diary: Diary) -> None:
    diary.troubles["two"] = [OperationalError("terminating connection due to administrator command")]
    run(operation, diary.workflow())
    assert (operation.state, operation.attempts) == ("running", 1)
    assert run_next_attempt(operation, diary.workflow()).state == "succeeded"


def test_step_and_its_effect_are_committed_together(operation: Operation) -> None:
    def effect() -> None:
        record(SYSTEM, "test", operation.pk)
        raise Broken()

    workflow = Workflow("test", lambda _: [Step("one", lambda _: effect)], lambda _: None, lambda _, error: None)
    run(operation, workflow)
    assert operation.state == "failed"
    assert not AuditEntry.objects.filter(verb="test").exists()


def test_failed_finish_is_undone(operation: Operation, diary: Diary) -> None:
    """The deletion of what it works on, say, was accepted while its last step was under way."""
    diary.troubles["finish"] = [Broken()]
    run(operation, diary.workflow())
    assert (operation.state, operation.error["code"]) == ("failed", "test.broken")
    assert diary.entries == ["one", "two", "three", "finish", "undo three", "undo two", "undo one", "give up"]


def test_transient_error_of_the_finish_is_retried(operation: Operation, diary: Diary) -> None:
    diary.troubles = {"finish": [Unavailable()]}
    run(operation, diary.workflow())
    assert (operation.state, operation.position, operation.attempts) == ("running", 3, 1)
    assert run_next_attempt(operation, diary.workflow()).state == "succeeded"
    assert diary.entries == ["one", "two", "three", "finish", "finish"]


def test_failed_end_of_the_undo_is_retried(operation: Operation, diary: Diary) -> None:
    diary.troubles = {"one": [Broken()], "give up": [KeyError("a bug"), Broken()]}
    run(operation, diary.workflow())
    run_next_attempt(operation, diary.workflow())
    assert (operation.state, operation.position) == ("undoing", 0)
    assert ResourceLock.objects.exists()
    assert run_next_attempt(operation, diary.workflow()).state == "failed"
    assert not ResourceLock.objects.exists()


@pytest.mark.parametrize("steps_done", [0, 1, 2, 3])
def test_cancellation_takes_effect_at_the_next_step(operation: Operation, diary: Diary, steps_done: int) -> None:
    names = ["one", "two", "three"]

    def cancelling(step: Step) -> Step:
        def do(running: Operation) -> None:
            step.do(running)
            operation_cancel(SYSTEM, fresh(running))

        return Step(step.name, do, step.undo) if names.index(step.name) == steps_done - 1 else step

    if steps_done == 0:
        operation_cancel(SYSTEM, operation)
    steps = [cancelling(step) for step in diary.workflow().steps(operation)]
    plain = diary.workflow()
    run(operation, Workflow(plain.kind, lambda _: steps, plain.on_success, plain.on_failure))
    if steps_done == 3:
        assert operation.state == "succeeded", "it came too late"
    else:
        assert (operation.state, operation.error["code"]) == ("cancelled", "operation.cancelled")
        begun = names[: steps_done + 1]
        assert diary.entries == [*names[:steps_done], *(f"undo {name}" for name in reversed(begun)), "give up"]


def test_cancellation_wakes_a_waiting_operation(operation: Operation, diary: Diary, broker: Broker) -> None:
    """The cancellation comes after the last check and before the step's pause."""

    def cancelled_meanwhile(running: Operation) -> None:
        operation_cancel(SYSTEM, fresh(running))
        raise StepPending("later", delay=timedelta(hours=1))

    plain = diary.workflow()
    waiting = Workflow("test", lambda _: [Step("wait", cancelled_meanwhile)], plain.on_success, plain.on_failure)
    run(operation, waiting)
    assert (operation.state, broker.sent) == ("running", [(operation.pk, 0)])
    assert run(operation, waiting).state == "cancelled"


def test_a_worker_that_lost_its_lease_writes_nothing(operation: Operation, diary: Diary) -> None:
    def overtaken(running: Operation) -> Callable[[], None]:
        Operation.objects.filter(pk=running.pk).update(lease_token=new_id())
        return lambda: record(SYSTEM, "test", running.pk)

    plain = diary.workflow()
    leased = leases.lease_operation(operation.pk)
    assert leased is not None
    with pytest.raises(LeaseLost):
        engine.run(leased, Workflow("test", lambda _: [Step("one", overtaken)], plain.on_success, plain.on_failure))
    leases.drop_lease(leased)
    operation.refresh_from_db()
    assert (operation.state, operation.position, operation.steps) == ("running", 0, [])
    assert operation.lease_token is not None, "the lease of the other one"
    assert not AuditEntry.objects.filter(verb="test").exists()
    assert diary.entries == []


@pytest.mark.parametrize("moment", ["one", "three", "finish", "undo two", "give up"])
def test_operation_continues_after_a_worker_died_at_any_step(operation: Operation, diary: Diary, moment: str) -> None:
    if moment in ("undo two", "give up"):
        diary.troubles["three"] = [Broken()]
    diary.troubles[moment] = [Killed()]
    with pytest.raises(Killed):
        run(operation, diary.workflow())
    assert leases.requeue_due() == 0, "the lease of the dead one still holds"
    Operation.objects.filter(pk=operation.pk).update(lease_expires_at=clock.now() - timedelta(seconds=1))
    assert leases.requeue_due() == 1
    run(operation, diary.workflow())
    assert operation.state == ("succeeded" if moment in ("one", "three", "finish") else "failed")
    repeated = diary.entries.index(moment)
    assert diary.entries[repeated + 1] == moment
    assert not ResourceLock.objects.exists()


def test_every_error_class_is_storable_with_an_operation(operation: Operation, diary: Diary) -> None:
    diary.troubles["one"] = [CloudError(field="name", facts=["a", {"b": operation.pk}])]
    run(operation, diary.workflow())
    assert operation.error["facts"] == {"facts": ["a", {"b": str(operation.pk)}]}


def test_step_errors_are_kept_after_its_success(operation: Operation, diary: Diary) -> None:
    """The same obstacle once, with how often; of many the last ones."""
    busy, away = [Unavailable(), Unavailable()], [StepPending("the node is away", delay=timedelta(0))]
    diary.troubles["two"] = [*busy, *away, Unavailable()]
    run(operation, diary.workflow())
    for _ in range(4):
        run_next_attempt(operation, diary.workflow())
    assert operation.state == "succeeded"
    (step,) = [each for each in operation.steps if each["name"] == "two"]
    assert step["state"] == "done"
    assert [(each["state"], each["times"]) for each in step["tries"]] == [
        ("retrying", 2),
        ("waiting", 1),
        ("retrying", 1),
    ]
    assert step["tries"][0]["first_at"] < step["tries"][0]["last_at"]
    assert [each for each in operation.steps if "tries" in each] == [step]


def test_only_the_last_step_errors_are_kept(operation: Operation, diary: Diary) -> None:
    diary.troubles["one"] = [StepPending(f"obstacle {n}", delay=timedelta(0)) for n in range(engine.TRIES_KEPT + 2)]
    run(operation, diary.workflow())
    for _ in range(engine.TRIES_KEPT + 1):
        run_next_attempt(operation, diary.workflow())
    assert [each["message"] for each in operation.steps[0]["tries"]] == [
        f"obstacle {n}" for n in range(2, engine.TRIES_KEPT + 2)
    ]

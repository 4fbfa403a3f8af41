"""Every workflow × every step: a lost answer, a duplicate task, or a stale worker.

A stale worker sleeps while another one takes over, and wakes after the end; it changes nothing then."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from controlplane.nodes import channels
from controlplane.nodes.errors import NodeUnreachable
from controlplane.nodes.models import Node
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation
from controlplane.workflows import tasks
from controlplane.workflows.registry import WORKFLOWS
from controlplane.workflows.workflow_types import Step
from tests.nightly import thinned
from tests.workflows.helpers import (
    Altered,
    altered,
    assert_clean_slate,
    cancel,
    count_starts,
    delete_everything,
    explode,
    followed_by_another_worker,
    fresh,
    picture,
    run_on,
    then,
)
from tests.workflows.test_every_step import CANCELLABLE, STEPS, UNDOABLE, Case
from tests.world import Cloud, run_next_attempt

Act = Callable[[Operation], object]


def lose_the_answer(operation: Operation) -> None:
    raise NodeUnreachable(cause="the connection broke", status="UNAVAILABLE")


def first(act: Act) -> Altered:
    """Something happens before the step does its work."""

    def alter(step: Step) -> Step:
        def do(operation: Operation) -> Any:
            act(operation)
            return step.do(operation)

        return dataclasses.replace(step, do=do)

    return alter


def sleep_while(act: Act) -> Altered:
    """The worker is stopped just before the step until another one has done `act`."""
    return first(lambda operation: act(fresh(operation)))


@dataclasses.dataclass
class Sleeper:
    """Between a worker and the agents: stops the worker once, after the check of its lease and before its call is
    sent, until another worker has done `act`."""

    act: Callable[[], object] | None = None

    def __call__(self, stub: Any) -> Any:
        return _Sleepy(self, stub)

    def sleep(self) -> None:
        act, self.act = self.act, None
        if act is not None:
            act()


class _Sleepy:
    def __init__(self, sleeper: Sleeper, stub: Any) -> None:
        self._sleeper, self._stub = sleeper, stub

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **terms: Any) -> Any:
            self._sleeper.sleep()
            return getattr(self._stub, name)(*args, **terms)

        return call


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> Sleeper:
    calling, created = channels.calling, Sleeper()

    @contextmanager
    def sleepy(node: Node, **how: Any) -> Iterator[Any]:
        with calling(node, **how) as stub:
            yield created(stub)

    monkeypatch.setattr(channels, "calling", sleepy)
    return created


# Steps that make no call to a node.
WITHOUT_CALLS = {"place", "boot-volume", "snapshot", "close", "revert", "decide", "switch", "erase"} | {
    *("read", "remove-snapshot", "convert", "inspect", "publish")
}


def slept_inside(operation: Operation, case: Case, step: str, act: Act, *, sleeper: Sleeper) -> None:
    """The worker sleeps within that step, at its first call to a node, and notices only afterwards that another one has
    the operation. A step without calls is slept through before its work."""

    def fall_asleep(operation: Operation) -> None:
        sleeper.act = lambda: act(fresh(operation))
        if step in WITHOUT_CALLS:
            sleeper.sleep()

    with pytest.raises(LeaseLost):
        run_on(operation, altered(WORKFLOWS[case.kind], step, first(fall_asleep)))
    assert sleeper.act is None, "it has slept"


def taken_over(operation: Operation) -> Operation:
    """Run the operation to its end with another worker."""
    followed_by_another_worker(operation)
    return run_on(operation)


def slept(operation: Operation, case: Case, step: str, act: Act) -> None:
    """The worker of the operation sleeps before that step, and notices only afterwards that another one has it."""
    with pytest.raises(LeaseLost):
        run_on(operation, altered(WORKFLOWS[case.kind], step, sleep_while(act)))


@pytest.mark.parametrize(("case", "step"), thinned(STEPS, keep_every=32, beginning=0))
def test_step_with_a_lost_answer_is_retried(cloud: Cloud, case: Case, step: str) -> None:
    operation = case.prepare(cloud)()
    starts = count_starts(cloud)
    run_on(operation, altered(WORKFLOWS[case.kind], step, then(lose_the_answer)))
    assert (operation.state, operation.attempts) == ("running", 1)
    run_next_attempt(operation)
    assert run_on(operation).state == "succeeded"
    assert count_starts(cloud) <= starts + 1
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), thinned(STEPS, keep_every=32, beginning=4))
def test_duplicate_task_is_noop(cloud: Cloud, case: Case, step: str) -> None:
    """In the middle of the step, and when all is over."""
    operation = case.prepare(cloud)()
    starts = count_starts(cloud)
    delivered = lambda each: tasks.run(str(each.pk), each.queue)  # noqa: E731
    assert run_on(operation, altered(WORKFLOWS[case.kind], step, then(delivered))).state == "succeeded"
    assert count_starts(cloud) <= starts + 1
    ended = picture(cloud)
    tasks.run(str(operation.pk), operation.queue)
    assert picture(cloud) == ended
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), thinned(STEPS, keep_every=32, beginning=8))
def test_stale_worker_after_success_is_noop(cloud: Cloud, case: Case, step: str) -> None:
    operation = case.prepare(cloud)()
    starts, ended = count_starts(cloud), dict[str, object]()

    def take_over(operation: Operation) -> None:
        assert taken_over(operation).state == "succeeded"
        ended.update(picture(cloud))

    slept(operation, case, step, take_over)
    assert picture(cloud) == ended
    assert count_starts(cloud) <= starts + 1
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), thinned(CANCELLABLE, keep_every=32, beginning=12))
def test_stale_worker_after_cancel_is_noop(cloud: Cloud, case: Case, step: str) -> None:
    ask = case.prepare(cloud)
    before = picture(cloud)
    operation = ask()

    def take_over(operation: Operation) -> None:
        cancel(cloud)(operation)
        assert taken_over(operation).state == "cancelled"

    slept(operation, case, step, take_over)
    assert picture(cloud) == before
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), thinned(UNDOABLE, keep_every=32, beginning=16))
def test_stale_worker_before_an_undo_is_noop(cloud: Cloud, case: Case, step: str) -> None:
    """The step failed, and before its undo the worker sleeps until another one has undone all."""
    ask = case.prepare(cloud)
    before = picture(cloud)

    def take_over(operation: Operation) -> None:
        assert taken_over(operation).state == "failed"

    def alter(changed: Step) -> Step:
        undo = changed.undo or (lambda operation: None)

        def sleep_and_undo(operation: Operation) -> Any:
            take_over(fresh(operation))
            return undo(operation)

        return dataclasses.replace(then(explode)(changed), undo=sleep_and_undo)

    with pytest.raises(LeaseLost):
        run_on(ask(), altered(WORKFLOWS[case.kind], step, alter))
    assert picture(cloud) == before
    delete_everything(cloud)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), thinned(STEPS, keep_every=32, beginning=20))
def test_stale_worker_after_deletion_leaves_nothing(cloud: Cloud, case: Case, step: str) -> None:
    operation = case.prepare(cloud)()

    def take_over(operation: Operation) -> None:
        assert taken_over(operation).state == "succeeded"
        delete_everything(cloud)

    slept(operation, case, step, take_over)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), thinned(STEPS, keep_every=32, beginning=24))
def test_stale_worker_inside_a_step_after_deletion_leaves_nothing(
    cloud: Cloud, case: Case, step: str, sleeper: Sleeper
) -> None:
    operation = case.prepare(cloud)()

    def take_over(operation: Operation) -> None:
        assert taken_over(operation).state == "succeeded"
        delete_everything(cloud)

    slept_inside(operation, case, step, take_over, sleeper=sleeper)
    assert_clean_slate(cloud)


@pytest.mark.parametrize(("case", "step"), thinned(CANCELLABLE, keep_every=32, beginning=28))
def test_stale_worker_inside_a_step_after_cancel_is_noop(cloud: Cloud, case: Case, step: str, sleeper: Sleeper) -> None:
    ask = case.prepare(cloud)
    before = picture(cloud)
    operation = ask()

    def take_over(operation: Operation) -> None:
        cancel(cloud)(operation)
        assert taken_over(operation).state == "cancelled"

    slept_inside(operation, case, step, take_over, sleeper=sleeper)
    assert picture(cloud) == before
    delete_everything(cloud)
    assert_clean_slate(cloud)

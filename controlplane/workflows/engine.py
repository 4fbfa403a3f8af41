"""The engine: runs the steps of an operation, or their undos after a final failure. It survives a crash at any line.

Every outcome is written before the next step begins, conditional on the operation lease. The next holder of the lease
goes on from `position`; the step there may have been done in part or in full, which is why steps can be repeated.
"""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from django.db import InterfaceError, OperationalError, connection, transaction

from controlplane.events.services import caused_by
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError, Unavailable
from controlplane.nodes import agent_client
from controlplane.operations import lease_guard, leases, queues
from controlplane.operations.errors import Cancelled, DeadlineExceeded, LeaseLost
from controlplane.operations.models import Operation
from controlplane.operations.services import cause_of
from controlplane.workflows import step_metrics
from controlplane.workflows.workflow_types import Effect, Step, StepAborted, StepPending, Workflow, clear_cached_row
from telemetry.logs import log_context
from telemetry.traces import span

log = logging.getLogger(__name__)

Entry = dict[str, object]

BACKOFF_FIRST = timedelta(milliseconds=500)
BACKOFF_MAX = timedelta(seconds=20)
# The last errors kept of each step: enough to see changes, few enough for a row.
TRIES_KEPT = 10
# Names of the entries among the steps for a failure of the workflow's own end.
FINISH, GIVE_UP = "finish", "give-up"


def run(operation: Operation, workflow: Workflow) -> None:
    """Work on a leased operation until it ends, has to wait, or the lease is lost (LeaseLost)."""
    steps = workflow.steps(operation)
    operation.step_count = len(steps)  # written with what comes first
    with lease_guard.working_on(operation), agent_client.ignoring_node(operation.abandoned_node_id):
        if operation.state == "running":
            _forward(operation, workflow, steps)
        clear_cached_row(operation)
        if operation.state == "undoing":
            _backward(operation, workflow, steps)


def _forward(operation: Operation, workflow: Workflow, steps: Sequence[Step]) -> None:
    while operation.state == "running" and operation.lease_token:
        step = steps[operation.position] if operation.position < len(steps) else None
        name = step.name if step else FINISH
        may_turn = step is not None and not step.handles_cancellation
        if may_turn and operation.is_cancellable and operation.cancel_requested_at is not None:
            _start_undo(operation, Cancelled(), name)
            return
        if _is_handed_over(operation, is_transfer=step is not None and step.is_transfer):
            return
        if step and step.is_final and operation.is_cancellable:
            leases.commit_step(operation, is_cancellable=False)
        is_past = any(each.is_final for each in steps[: operation.position + 1])
        has_return = not (workflow.retries_forever or is_past) and (step is None or may_turn)
        with _guarded(operation, name, partial(_fail, operation, name, has_return=has_return)):
            if step:
                _do(operation, step)
            else:
                _end(operation, "succeeded", workflow.on_success)


def _backward(operation: Operation, workflow: Workflow, steps: Sequence[Step]) -> None:
    """Run the undos. An undo never gives up: it is retried, with growing delays, until it succeeds."""
    while operation.state == "undoing" and operation.lease_token:
        if _is_handed_over(operation, is_transfer=False):
            return
        step = steps[operation.position - 1] if operation.position > 0 else None
        name = step.name if step else GIVE_UP
        with _guarded(operation, name, partial(_retry, operation, name)):
            if step:
                _undo(operation, step)
            else:
                _give_up(operation, workflow)


def _is_handed_over(operation: Operation, *, is_transfer: bool) -> bool:
    """Tell if the next step belongs to another queue, whose workers have been woken up."""
    queue = queues.other_queue(operation.kind, is_transfer=is_transfer)
    if queue is not None:
        _hand_over(operation, queue)
    return queue is not None


def _hand_over(operation: Operation, queue: str) -> None:
    leases.postpone(operation, delay=timedelta(0), queue=queue, step_count=operation.step_count)


@contextmanager
def _guarded(operation: Operation, name: str, failed: Callable[[CloudError], None]) -> Iterator[None]:
    """Handle a wait or a failure inside the block: an error of ours, the database's absence, or a bug."""
    try:
        with log_context(step=name):
            yield
    except LeaseLost:
        raise
    except queues.HandOver as exc:
        _hand_over(operation, exc.queue)
    except StepPending as exc:
        noted = _record_step(operation, name, "waiting", str(exc), progress=exc.progress)
        leases.postpone(operation, delay=exc.delay, steps=noted, step_count=operation.step_count)
    except StepAborted as exc:
        _start_undo(operation, exc.error, name)
    except CloudError as exc:
        failed(exc)
    except (OperationalError, InterfaceError):
        log.exception("operation %s: database error in %s", operation.pk, name)
        if not connection.is_usable():
            connection.close()
        failed(Unavailable())
    except Exception:
        log.exception("operation %s: %s failed unexpectedly", operation.pk, name)
        failed(CloudError())


def _do(operation: Operation, step: Step) -> None:
    started_at = clock.now()
    with step_metrics.timed(operation.kind, step.name), span(f"do {step.name}"):
        effect = step.do(operation)
    _record(operation, step, effect, started_at=started_at, position=operation.position + 1)


def _undo(operation: Operation, step: Step) -> None:
    started_at = clock.now()
    with step_metrics.timed(operation.kind, step.name), span(f"undo {step.name}"):
        effect = step.undo(operation) if step.undo is not None else None
    _record(operation, step, effect, started_at=started_at, position=operation.position - 1)


def _give_up(operation: Operation, workflow: Workflow) -> None:
    error: dict[str, object] = operation.error or CloudError().as_document()
    state = "cancelled" if error["code"] == Cancelled.code else "failed"
    _end(operation, state, lambda ended: workflow.on_failure(ended, error))


def _end(operation: Operation, state: str, last_words: Callable[[Operation], None]) -> None:
    """Write the workflow's end and the operation's end in one transaction."""
    with _transaction(operation) as ended:
        last_words(ended)
        leases.end(ended, state, error=ended.error)


@contextmanager
def _transaction(operation: Operation) -> Iterator[Operation]:
    """Yield a copy to write: `operation` itself changes only after the commit."""
    inside = copy(operation)
    with caused_by(cause_of(operation)), transaction.atomic():
        yield inside
    operation.__dict__.update(inside.__dict__)


def _fail(operation: Operation, name: str, exc: CloudError, *, has_return: bool) -> None:
    is_late = clock.now() >= operation.deadline_at
    if not has_return or (exc.retryable and not is_late):
        _retry(operation, name, exc)
    elif exc.retryable:
        limit_s = int(operation.limit.total_seconds())
        _start_undo(operation, DeadlineExceeded(limit_s=limit_s, obstacle=exc.reason), name)
    else:
        _start_undo(operation, exc, name)


def _record(operation: Operation, step: Step, effect: Effect | None, *, started_at: datetime, position: int) -> None:
    """Write the step's effect on our rows, its outcome, and the renewed lease, in one transaction."""
    entry: Entry = {
        "name": step.name,
        "state": "done" if position > operation.position else "undone",
        "attempts": operation.attempts + 1,
        "started_at": started_at.isoformat(),
        "finished_at": clock.now().isoformat(),
    }
    outcome: dict[str, object] = {
        "position": position,
        "attempts": 0,
        "steps": _replaced(operation.steps, entry),
        "step_count": operation.step_count,
    }
    if effect is None:
        leases.commit_step(operation, **outcome)
        return
    with _transaction(operation) as inside:
        effect()
        leases.commit_step(inside, **outcome)
    clear_cached_row(operation)


def _replaced(steps: list[Entry], entry: Entry) -> list[Entry]:
    """Replace the step's entry by its last outcome, and keep its earlier errors."""
    before = next((former["tries"] for former in steps if former["name"] == entry["name"] and "tries" in former), None)
    tries_before: Entry = {"tries": before} if before else {}
    return [former for former in steps if former["name"] != entry["name"]] + [tries_before | entry]


def _record_step(
    operation: Operation, name: str, state: str, message: str, *, progress: int | None = None
) -> list[Entry]:
    recorded: Entry = next((step for step in operation.steps if step["name"] == name), {})
    tries = _with_try(cast(list[Entry], recorded.get("tries", [])), state, message)
    entry: Entry = {
        "name": name,
        "state": state,
        "attempts": operation.attempts + 1,
        "message": message,
        "tries": tries,
    }
    if progress is not None:
        entry["progress"] = progress
    return _replaced(operation.steps, entry)


def record_progress(operation: Operation, name: str, message: str, *, percent: int) -> None:
    """Write how far a long step is, and renew the lease. Raises LeaseLost."""
    leases.commit_step(operation, steps=_record_step(operation, name, "waiting", message, progress=percent))


def _with_try(tries: list[Entry], state: str, message: str) -> list[Entry]:
    """Merge repeated equal errors into one entry (ADR 24)."""
    now = clock.now().isoformat()
    last = tries[-1] if tries else {}
    if (last.get("state"), last.get("message")) == (state, message):
        return [*tries[:-1], last | {"times": cast(int, last["times"]) + 1, "last_at": now}]
    new: Entry = {"state": state, "message": message, "times": 1, "first_at": now, "last_at": now}
    return [*tries, new][-TRIES_KEPT:]


def _retry(operation: Operation, name: str, exc: CloudError) -> None:
    log.warning("operation %s: %s failed and is retried: %s %s", operation.pk, name, exc, exc.facts)
    step_metrics.retried(operation.kind, name)
    delay = min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** min(operation.attempts, 10)) * random.uniform(0.5, 1)
    leases.postpone(
        operation,
        delay=delay,
        attempts=operation.attempts + 1,
        step_count=operation.step_count,
        steps=_record_step(operation, name, "retrying", str(exc)),
    )


def _start_undo(operation: Operation, exc: CloudError, name: str) -> None:
    """Begin to undo. The step at `position` may have been begun, so its undo runs too."""
    log.warning("operation %s (%s) failed and is undone: %s %s", operation.pk, operation.kind, exc, exc.facts)
    leases.commit_step(
        operation,
        state="undoing",
        step_count=operation.step_count,
        position=min(operation.position + 1, operation.step_count),
        attempts=0,
        steps=_record_step(operation, name, "failed", str(exc)),
        error=exc.as_document(),
    )

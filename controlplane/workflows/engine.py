"""Runs an operation: steps forward, or back when one fails for good. Survives anything between two lines of it.

Every outcome is written before the next step begins, conditional on the lease. Whoever takes the lease next goes on
from
`position`; the step there may have been done half or wholly, which is why steps can be repeated.
"""

import logging
import random
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.operations import leases
from controlplane.operations.errors import Cancelled, DeadlineExceeded, LeaseLost
from controlplane.operations.models import Operation
from controlplane.workflows.recipe import NotYet, Step, Workflow

log = logging.getLogger(__name__)

BACKOFF_FIRST = timedelta(milliseconds=500)
BACKOFF_MAX = timedelta(seconds=20)


def run(operation: Operation, workflow: Workflow) -> None:
    """Work on a leased operation until it ends, has to wait, or is taken away (LeaseLost)."""
    steps = workflow.steps(operation)
    if operation.step_count != len(steps):
        leases.checkpoint(operation, step_count=len(steps))
    if operation.state == "running":
        _forward(operation, workflow, steps)
    if operation.state == "undoing":
        _backward(operation, workflow, steps)


def _forward(operation: Operation, workflow: Workflow, steps: Sequence[Step]) -> None:
    while operation.state == "running" and operation.lease_token:
        if operation.position == len(steps):
            with transaction.atomic():
                workflow.finish(operation)
                leases.end(operation, "succeeded")
        elif operation.is_cancellable and leases.is_cancel_requested(operation):
            _turn_back(operation, Cancelled(), steps[operation.position])
        else:
            _attempt(operation, workflow, steps[operation.position])


def _attempt(operation: Operation, workflow: Workflow, step: Step) -> None:
    started_at = clock.now()
    try:
        effect = step.do(operation)
        _record(operation, step, effect, started_at=started_at, position=operation.position + 1)
    except LeaseLost:
        raise
    except NotYet as exc:
        _wait(operation, step, exc)
    except CloudError as exc:
        _fail(operation, workflow, step, exc)
    except Exception:
        log.exception("operation %s: step %s has a bug", operation.pk, step.name)
        _fail(operation, workflow, step, CloudError())


def _fail(operation: Operation, workflow: Workflow, step: Step, exc: CloudError) -> None:
    is_late = clock.now() >= operation.deadline_at
    if workflow.never_gives_up or (exc.retryable and not is_late):
        _retry(operation, step, exc)
    elif exc.retryable:
        limit_s = int((operation.deadline_at - operation.created_at).total_seconds())
        _turn_back(operation, DeadlineExceeded(limit_s=limit_s, obstacle=str(exc)), step)
    else:
        _turn_back(operation, exc, step)


def _record(operation: Operation, step: Step, effect: object, *, started_at: object, position: int) -> None:
    """One transaction: the step's effect on our rows, its outcome, and the renewed lease."""
    state = "done" if position > operation.position else "undone"
    entry = {
        "name": step.name,
        "state": state,
        "attempts": operation.attempts + 1,
        "started_at": started_at.isoformat(),  # type: ignore[attr-defined]
        "finished_at": clock.now().isoformat(),
    }
    with transaction.atomic():
        if callable(effect):
            effect()
        leases.checkpoint(operation, position=position, attempts=0, steps=_replaced(operation.steps, entry))


def _replaced(steps: list[dict[str, object]], entry: dict[str, object]) -> list[dict[str, object]]:
    return [known for known in steps if known["name"] != entry["name"]] + [entry]


def _note(operation: Operation, step: Step, state: str, message: str) -> list[dict[str, object]]:
    entry = {"name": step.name, "state": state, "attempts": operation.attempts + 1, "message": message}
    return _replaced(operation.steps, entry)


def _wait(operation: Operation, step: Step, reason: NotYet) -> None:
    leases.postpone(operation, delay=reason.delay, steps=_note(operation, step, "waiting", str(reason)))


def _retry(operation: Operation, step: Step, exc: CloudError) -> None:
    log.warning("operation %s: step %s will be tried again: %s %s", operation.pk, step.name, exc, exc.facts)
    delay = min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** min(operation.attempts, 10)) * random.uniform(0.5, 1)
    leases.postpone(
        operation,
        delay=delay,
        attempts=operation.attempts + 1,
        steps=_note(operation, step, "retrying", str(exc)),
    )


def _turn_back(operation: Operation, exc: CloudError, step: Step) -> None:
    """From here on backwards. The step at `position` may have been begun, so its undo runs too."""
    log.warning("operation %s (%s) is undone: %s %s", operation.pk, operation.kind, exc, exc.facts)
    leases.checkpoint(
        operation,
        state="undoing",
        position=operation.position + 1,
        attempts=0,
        steps=_note(operation, step, "failed", str(exc)),
        error=exc.as_document(),
    )


def _backward(operation: Operation, workflow: Workflow, steps: Sequence[Step]) -> None:
    while operation.position > 0 and operation.lease_token:
        _undo(operation, steps[operation.position - 1])
    if operation.lease_token and operation.position == 0:
        error: dict[str, object] = operation.error or CloudError().as_document()
        with transaction.atomic():
            workflow.give_up(operation, error)
            leases.end(operation, "cancelled" if error["code"] == Cancelled.code else "failed", error=error)


def _undo(operation: Operation, step: Step) -> None:
    """An undo never gives up: it is tried again, ever more slowly, until it succeeds."""
    started_at = clock.now()
    try:
        effect = step.undo(operation) if step.undo is not None else None
        _record(operation, step, effect, started_at=started_at, position=operation.position - 1)
    except LeaseLost:
        raise
    except NotYet as exc:
        _wait(operation, step, exc)
    except CloudError as exc:
        _retry(operation, step, exc)
    except Exception:
        log.exception("operation %s: the undo of step %s has a bug", operation.pk, step.name)
        _retry(operation, step, CloudError())

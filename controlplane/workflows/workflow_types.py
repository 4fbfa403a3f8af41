"""Types of a workflow: steps with their undos, and the writes at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar, cast

from django.db.models import Model

from controlplane.kernel.errors import CloudError
from controlplane.kernel.prepared_queries import Prepared
from controlplane.operations.models import Operation

Effect = Callable[[], None]
M = TypeVar("M", bound=Model)
HELD = "_held"


@dataclass(frozen=True)
class Step:
    """A step: one change of one object, and its undo.

    Both can be repeated, and both succeed if the change is there already.

    `do` works outside any transaction. The effect that it returns, if any, is called in the transaction that records
    the step as done, so that the step and its effect on our rows become true together. A `do` that fails leaves nothing
    behind, or leaves what its own `undo` finds: the undo of the step that failed runs too.

    `handles_cancellation`: the step decides if it can be undone. Neither a cancellation nor the deadline undoes it: the
    engine retries it until it succeeds or raises StepAborted.

    `is_transfer`: it may send or copy the bytes of an image, for which it goes to another queue (operations/queues.py).

    `is_final`: it cannot be undone. Once it is begun, the operation can be neither undone nor cancelled: this step and
    the following ones are retried until they succeed, or one raises StepAborted.
    """

    name: str
    do: Callable[[Operation], Effect | None]
    undo: Callable[[Operation], Effect | None] | None = None
    handles_cancellation: bool = False
    is_final: bool = False
    is_transfer: bool = False


class StepPending(Exception):
    """Raised by a step that waits: the engine calls it again after `delay`, without a failed attempt.

    `progress`: how far the step is, in percent, if that is known.
    """

    def __init__(self, message: str, *, delay: timedelta, progress: int | None = None) -> None:
        super().__init__(message)
        self.delay = delay
        self.progress = progress


class StepAborted(Exception):
    """Raised by a step that handles cancellation, or is final: it will never complete, because of `error`."""

    def __init__(self, error: CloudError) -> None:
        super().__init__(str(error))
        self.error = error


class CachedRow(Generic[M]):
    """The row of the operation's resource, which no other operation changes while this one has it locked.

    It is read once for consecutive steps, and anew after each step with an effect on our rows, and during the undo.
    """

    def __init__(self, rows: Prepared[M]) -> None:
        self._rows = rows

    def of(self, operation: Operation) -> M:
        """Return the operation's row. Raises ObjectDoesNotExist."""
        cached = operation.__dict__.get(HELD)
        if cached is None:
            cached = operation.__dict__[HELD] = self._rows.get(operation.resource_id)
        return cast(M, cached)


def clear_cached_row(operation: Operation) -> None:
    operation.__dict__.pop(HELD, None)


@dataclass(frozen=True)
class Workflow:
    """The workflow of one kind of operation.

    `steps` depend on nothing but the operation's arguments. `on_success` and `on_failure` are called in the transaction
    that ends the operation; `on_failure` gets the error's document.

    `retries_forever`: retry after any failure, with growing delays; only a cancellation undoes the workflow.
    """

    kind: str
    steps: Callable[[Operation], Sequence[Step]]
    on_success: Callable[[Operation], None]
    on_failure: Callable[[Operation, dict[str, object]], None]
    retries_forever: bool = False

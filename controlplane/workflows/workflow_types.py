"""The parts of a workflow: steps with their undos, and what is written at the end."""

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
    """One thing done to one object, and how to undo it; both may be repeated, and both find "already so" good.

    `do` works outside any transaction. What it returns, if anything, is called in the transaction that records the
    step as done, so that the step and its effect on our rows are true together. A `do` that fails leaves nothing
    behind, or leaves what its own `undo` finds: the undo of the step that failed runs too.

    `handles_cancellation`: the step decides whether it can be undone. Neither a cancellation nor the deadline undoes
    it: the engine retries it until it succeeds or raises StepAborted.

    `is_transfer`: it may send or copy the bytes of an image, for which it goes to another lane (operations/queues.py).

    `is_final`: what it does cannot be undone. Once it is begun there is no way back and no cancellation: it, and what
    follows, is tried again until it succeeds.
    """

    name: str
    do: Callable[[Operation], Effect | None]
    undo: Callable[[Operation], Effect | None] | None = None
    handles_cancellation: bool = False
    is_final: bool = False
    is_transfer: bool = False


class StepPending(Exception):
    """Raised by a step that waits for something: it is called again after `delay`, and that is no failed attempt.
    `progress`: how far the step is, in percent, if that is known."""

    def __init__(self, message: str, *, delay: timedelta, progress: int | None = None) -> None:
        super().__init__(message)
        self.delay = delay
        self.progress = progress


class StepAborted(Exception):
    """Raised by a step that decides itself: it has not done what it was to do and never will, because of `error`."""

    def __init__(self, error: CloudError) -> None:
        super().__init__(str(error))
        self.error = error


class CachedRow(Generic[M]):
    """The row that an operation is about, which nobody else gives other contents while it is held: read once for the
    steps that follow one another, and anew after each that had an effect on our rows, and on the way back."""

    def __init__(self, rows: Prepared[M]) -> None:
        self._rows = rows

    def of(self, operation: Operation) -> M:
        """Raises ObjectDoesNotExist."""
        known = operation.__dict__.get(HELD)
        if known is None:
            known = operation.__dict__[HELD] = self._rows.get(operation.resource_id)
        return cast(M, known)


def clear_cached_row(operation: Operation) -> None:
    operation.__dict__.pop(HELD, None)


@dataclass(frozen=True)
class Workflow:
    """`steps` depend on nothing but the operation's arguments. `finish` and `give_up` are called in the transaction
    that ends the operation; `give_up` gets the error's document.

    `retries_forever`: retry after any failure, with growing delays; only a cancellation undoes the workflow.
    """

    kind: str
    steps: Callable[[Operation], Sequence[Step]]
    on_success: Callable[[Operation], None]
    on_failure: Callable[[Operation, dict[str, object]], None]
    retries_forever: bool = False

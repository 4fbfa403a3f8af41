"""Wait for an operation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, cast

from andromede_sdk.errors import OperationCancelled, OperationFailed, WaitTimeout
from andromede_sdk.model import Model
from andromede_sdk.resource import Ask

if TYPE_CHECKING:
    from andromede_sdk.models import Operation

POLL_S = 30
WATCHED_POLL_S = 1
ANSWER_MARGIN_S = 30.0
GAP_S = 1.0  # between two looks, when the API answers before the operation has ended or `wait` is over


class Waitable(Model):
    """An operation that can be waited for."""

    path: ClassVar[str] = "/v1/projects/{project}/operations/{operation}"

    @property
    def has_ended(self) -> bool:
        return cast("Operation", self).finished_at is not None

    def wait(self, *, timeout_s: float = 600.0, on_progress: Callable[[Operation], Any] | None = None) -> Operation:
        """Return the operation when it has succeeded. `on_progress` receives it now and after each change.

        Raises:
            OperationFailed: it ended otherwise; OperationCancelled when somebody wanted that.
            WaitTimeout: it goes on.
        """
        deadline = time.monotonic() + timeout_s
        current, reported = cast("Operation", self), None
        while True:
            if on_progress is not None and current.raw != reported:
                reported = current.raw
                on_progress(current)
            if current.has_ended:
                return _succeeded(current)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise WaitTimeout(current, timeout_s)
            looked_at = time.monotonic()
            current = self._poll(wait_s=max(1, min(POLL_S if on_progress is None else WATCHED_POLL_S, int(left_s))))
            if not current.has_ended:
                time.sleep(max(0.0, looked_at + GAP_S - time.monotonic()))

    def reload(self) -> Operation:
        """Read the operation again."""
        return self._poll(wait_s=0)

    def _poll(self, *, wait_s: int) -> Operation:
        this = cast("Operation", self)
        ask = Ask("GET", self.path, {"operation": this.id}, {"wait": f"{wait_s}s"})
        answer = self._scope.send(ask, timeout_s=wait_s + ANSWER_MARGIN_S)
        return type(this).read(answer.json(), self._scope)


class PlatformWaitable(Waitable):
    """An operation of any project, or of none."""

    path: ClassVar[str] = "/v1/operations/{operation}"


def _succeeded(operation: Operation) -> Operation:
    if operation.state == "succeeded":
        return operation
    raise (OperationCancelled if operation.state == "cancelled" else OperationFailed)(operation)

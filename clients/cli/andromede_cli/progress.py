"""Show the progress of an operation, live on a terminal; a pipe gets nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from andromede_cli.error_reports import Interrupted
from andromede_cli.terminal import console, harmless

if TYPE_CHECKING:
    from andromede_sdk.models import Operation, PlatformOperation, Step

MARKS: Mapping[str, tuple[str, str]] = {"done": ("✓", "green"), "running": ("•", "yellow"), "failed": ("✗", "red")}


def wait(operation: Operation | PlatformOperation, *, timeout_s: float) -> Operation:
    """Wait and return the operation when it has succeeded. Raises OperationFailed, WaitTimeout, Interrupted."""
    out = console(error=True)
    try:
        if not out.is_terminal:
            return operation.wait(timeout_s=timeout_s)
        with Live(_picture(operation), console=out, refresh_per_second=8, transient=True) as live:
            return operation.wait(timeout_s=timeout_s, on_progress=lambda current: live.update(_picture(current)))
    except KeyboardInterrupt:
        continuing = _("{kind} continues. Wait for it with: andromede operation wait {id}")
        raise Interrupted(continuing.format(kind=operation.kind, id=operation.id)) from None


def _picture(operation: Operation | PlatformOperation) -> Group:
    head = Spinner("dots", Text(f"{harmless(operation.kind)}  {operation.progress} %"))
    return Group(head, *(_line(step) for step in operation.steps))


def _line(step: Step) -> Text:
    mark, colour = MARKS.get(step.state, (" ", "dim"))
    tries = _("  try {number}").format(number=step.attempts) if (step.attempts or 0) > 1 else ""
    message = f"  {step.message}" if step.message else ""
    return Text.assemble((f"  {mark} ", colour), harmless(f"{step.name}{tries}{message}"))

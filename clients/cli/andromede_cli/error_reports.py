"""Print errors, and choose exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from gettext import gettext as _
from typing import TYPE_CHECKING

from andromede_sdk import (
    AndromedeError,
    ApiError,
    Forbidden,
    InsufficientCapacity,
    NotFound,
    OperationFailed,
    PolicyUnsatisfiable,
    ProjectNeeded,
    QuotaExceeded,
    ResourceBusy,
    ServerError,
    Unauthenticated,
    Unreachable,
    WaitTimeout,
)

if TYPE_CHECKING:
    from andromede_sdk.models import Drain

AT_MOST = 10  # of what is wrong in a request


class Exit(IntEnum):
    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_FOUND = 3
    TIMED_OUT = 4
    FAILED = 5
    UNREACHABLE = 6
    NOT_ALLOWED = 7
    INTERNAL = 70
    INTERRUPTED = 130


class Misuse(Exception):
    """The command line or the configuration is wrong. The message names the remedy."""


class ConsoleEnded(AndromedeError):
    """The other side has ended a console, with a reason."""


class DrainStopped(AndromedeError):
    """A drain did not empty its node, or has not yet."""

    def __init__(self, drain: Drain) -> None:
        self.drain = drain
        advice = {
            "running": _("The drain continues: andromede node drain-wait {node}"),
            "paused": _("The drain is paused: andromede node drain-resume {node}"),
            "blocked": _("Guests remain. Remove their obstacles, then: andromede node drain-retry {node}"),
            "cancelled": _("The drain was cancelled; the node is cordoned."),
        }
        if drain.kind == "recover":
            advice |= {
                "blocked": _("Some guests stay down. Free capacity; they are retried automatically."),
                "cancelled": _("The recovery was cancelled; the node stays fenced."),
            }
        super().__init__(advice.get(drain.state, drain.state).format(node=drain.node.name))


class Interrupted(Exception):
    """Interrupted by Ctrl-C, with a message."""


def exit_code(error: BaseException) -> Exit:
    codes: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Exit], ...] = (
        ((Misuse, ProjectNeeded), Exit.USAGE),
        (NotFound, Exit.NOT_FOUND),
        (WaitTimeout, Exit.TIMED_OUT),
        (DrainStopped, Exit.FAILED),
        (OperationFailed, Exit.FAILED),
        (Unreachable, Exit.UNREACHABLE),
        ((Unauthenticated, Forbidden), Exit.NOT_ALLOWED),
        (AndromedeError, Exit.REFUSED),
    )
    return next((code for kinds, code in codes if isinstance(error, kinds)), Exit.INTERNAL)


def lines_of(error: BaseException) -> Iterator[str]:
    """Return the lines of an error: problem, place, next step, and the id to quote to the operators."""
    if isinstance(error, ApiError):
        yield from _api_error(error)
    elif isinstance(error, OperationFailed):
        yield from _operation_failed(error)
    elif isinstance(error, WaitTimeout):
        yield str(error)
        yield _("Wait for it with: andromede operation wait {id}").format(id=error.operation.id)
    elif isinstance(error, Unreachable):
        yield _("No answer from the control plane: {reason}").format(reason=error)
        yield _("Check the address: andromede profile show")
    elif isinstance(error, ProjectNeeded):
        yield _("No project selected. Pass --project or set ANDROMEDE_PROJECT.")
    else:
        yield str(error) or type(error).__name__


def _api_error(error: ApiError) -> Iterator[str]:
    yield _("{title}: {detail}").format(title=error.title, detail=error.detail) if error.detail else error.title
    named = [each for each in error.errors if error.detail not in (each.detail, f"{each.place}: {each.detail}")]
    for each in named[:AT_MOST]:
        yield f"  {each.place.lstrip('/') or '-'}: {each.detail}"
    if len(named) > AT_MOST:
        yield _("  and {count} more").format(count=len(named) - AT_MOST)
    yield from _what_next(error)
    facts = [("code", error.code), (_("request"), error.request_id)]
    yield "  " + ", ".join(f"{name} {text}" for name, text in facts if text)


def _what_next(error: ApiError) -> Iterator[str]:
    by_code = {
        "signin.second_factor_demanded": _("Enrol one with: andromede totp enrol"),
        "signin.proof_too_old": _("Confirm your identity with: andromede session verify"),
        "signin.session_needed": _("Sign in as yourself with: andromede login --email"),
    }
    if error.code in by_code:
        yield by_code[error.code]
    elif isinstance(error, Unauthenticated):
        yield _("Sign in with: andromede login")
    elif isinstance(error, QuotaExceeded):
        yield _("See the usage with: andromede limits. Request more with: andromede quota-request create")
    elif isinstance(error, InsufficientCapacity | PolicyUnsatisfiable) and error.placement_decision:
        yield _("See why with: andromede placement explain {id}").format(id=error.placement_decision)
    elif isinstance(error, ResourceBusy) and error.blocking_operation:
        yield _("Wait for it with: andromede operation wait {id}").format(id=error.blocking_operation)
    elif isinstance(error, ServerError):
        yield _("The control plane had an internal error. Report the request id below to its operators.")


def _operation_failed(failed: OperationFailed) -> Iterator[str]:
    operation, error = failed.operation, failed.error
    if error is None:
        yield _("{kind} ended in the state {state}.").format(kind=operation.kind, state=operation.state)
    else:
        yield f"{operation.kind}: {error.title}: {error.detail}"
        if error.placement_decision:
            yield _("See why with: andromede placement explain {id}").format(id=error.placement_decision)
    yield _("  code {code}, operation {id}").format(code=failed.code, id=operation.id)

"""Errors of the SDK. Every error that is raised on purpose derives from AndromedeError.

An answer with a problem (RFC 9457) becomes an ApiError: of the class of its code where there is one, else of its
status. Codes that this version does not know are handled by their status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from andromede_sdk.models import Operation


class AndromedeError(Exception):
    """Base of all errors that this package raises."""


class Unreachable(AndromedeError):
    """No answer arrived after all attempts.

    It is unknown whether a change was made, unless it was a POST: repeat the call with the same idempotency key to find
    out.
    """


class MalformedAnswer(AndromedeError):
    """The answer is not one of this API: a proxy or another server sent it."""


class ProjectNeeded(AndromedeError, ValueError):
    """The call needs a project, and the client has none."""


@dataclass(frozen=True)
class FieldError:
    """A wrong field.

    `place` is a JSON pointer into the body, or the name of a query parameter; empty when it is neither.
    """

    place: str
    code: str
    detail: str


class ApiError(AndromedeError):
    """The API refused the request.

    `raw` is the whole problem; `status`, `code`, `title`, `detail`, `request_id`, `errors` (the wrong fields),
    `retryable`, `facts`, `blocking_operation` and `placement_decision` are its members.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> None:
        self.status = status
        self.raw = problem
        self.retry_after_s = retry_after_s
        self.code = str(problem.get("code", ""))
        self.title = str(problem.get("title", "") or f"HTTP {status}")
        self.detail = str(problem.get("detail", ""))
        self.request_id = str(problem.get("request_id", ""))
        self.retryable = bool(problem.get("retryable", False))
        self.errors = [_field_error(each) for each in problem.get("errors") or []]
        self.facts: Mapping[str, Any] = problem.get("facts") or {}
        self.blocking_operation: str | None = problem.get("blocking_operation")
        self.placement_decision: str | None = problem.get("placement_decision")
        super().__init__(status, self.code)

    def __str__(self) -> str:
        text = f"{self.title}: {self.detail}" if self.detail else self.title
        places = "".join(f" [{each.place}: {each.detail}]" for each in self.errors)
        return f"{text}{places} ({self.code or self.status}, request {self.request_id or 'unknown'})"


def _field_error(each: Mapping[str, Any]) -> FieldError:
    location = str(each.get("pointer") or each.get("parameter") or "")
    return FieldError(location, str(each.get("code", "")), str(each.get("detail", "")))


class BadRequest(ApiError):
    """400: the request is not well-formed; `errors` names the fields."""


class Unauthenticated(ApiError):
    """401: the token is missing, unknown, expired or revoked."""


class Forbidden(ApiError):
    """403: the token's role does not allow this."""


class NotFound(ApiError):
    """404: the resource does not exist, or the token may not see it."""


class Conflict(ApiError):
    """409: not possible in the current state."""


class NameTaken(Conflict):
    """409: another resource of the project has this name."""


class QuotaExceeded(Conflict):
    """409: `facts` has the dimension, the usage, the requested amount and the limit."""


class InsufficientCapacity(Conflict):
    """409: no zone has room; `placement_decision` is the decision with the reasons."""


class ResourceBusy(Conflict):
    """409: another operation, `blocking_operation`, is changing the resource; several attempts have failed."""


class PreconditionFailed(ApiError):
    """412: the resource has changed since the version that If-Match names. Read it again."""


class Unprocessable(ApiError):
    """422: well-formed, but not possible."""


class PolicyUnsatisfiable(Unprocessable):
    """422: no zone satisfies the policies; `placement_decision` is the decision with the reasons."""


class PreconditionRequired(ApiError):
    """428: pass if_match with the version to replace."""


class TooManyRequests(ApiError):
    """429: too many requests, and several attempts have failed."""


class ServerError(ApiError):
    """5xx: an internal error of the control plane; give `request_id` to its operators."""


class Unavailable(ServerError):
    """503: temporarily unavailable, and several attempts have failed."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    422: Unprocessable,
    428: PreconditionRequired,
    429: TooManyRequests,
    503: Unavailable,
}
_BY_CODE: Mapping[str, type[ApiError]] = {
    "insufficient_capacity": InsufficientCapacity,
    "policy_unsatisfiable": PolicyUnsatisfiable,
    "quota_exceeded": QuotaExceeded,
    "resource_busy": ResourceBusy,
}


def error_of(status: int, problem: Mapping[str, Any], *, retry_after_s: float | None = None) -> ApiError:
    """Return the error for an answer."""
    code = str(problem.get("code", ""))
    by_status = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    kind = NameTaken if code.endswith("name_taken") else _BY_CODE.get(code, by_status)
    return kind(status, problem, retry_after_s=retry_after_s)


class OperationFailed(AndromedeError):
    """The operation has ended without success; `error` is the reason, with the members of a problem."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.error = operation.error
        self.code = operation.error.code if operation.error is not None else operation.state
        super().__init__(operation.id, self.code)

    def __str__(self) -> str:
        kind = f"{self.operation.kind} ({self.operation.id})"
        if self.error is None:
            return f"{kind}: {self.operation.state}"
        return f"{kind}: {self.error.title}: {self.error.detail} ({self.code})"


class OperationCancelled(OperationFailed):
    """The operation was cancelled; its completed steps are undone."""


class WaitTimeout(AndromedeError):
    """The operation has not ended in the given time. It goes on."""

    def __init__(self, operation: Operation, timeout_s: float) -> None:
        self.operation = operation
        super().__init__(f"{operation.kind} ({operation.id}) has not ended within {timeout_s:g} s. It goes on.")

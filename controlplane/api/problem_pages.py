"""Pages of error codes: cause, remedy and example. The `type` of a problem leads to its page."""

import json
import string
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controlplane.api.errors import (
    MediaTypeNotSupported,
    MethodNotAllowed,
    ProblemNotFound,
    TooManyRequests,
)
from controlplane.api.problems import TYPE, status_of
from controlplane.kernel.error_messages import PROSE
from controlplane.kernel.errors import (
    REGISTRY,
    BodyTooLarge,
    CloudError,
    Conflict,
    Forbidden,
    Gone,
    InsufficientStorage,
    InvalidRequest,
    NotFound,
    Outdated,
    TooMany,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from controlplane.kernel.idempotency import IdempotencyKeyInUse, IdempotencyKeyReused
from controlplane.kernel.views import LengthRequired, VersionRequired
from controlplane.operations.errors import Busy
from controlplane.placement.errors import InsufficientCapacity, PolicyUnsatisfiable
from controlplane.quotas.errors import QuotaExceeded
from controlplane.terraform.errors import StateLocked

ANY_ID = "019abc00-0000-7000-8000-000000000000"
# Cause and remedy, inherited from the nearest ancestor class. The detail of a code says the rest.
MEANING: Mapping[type[CloudError], tuple[Any, Any]] = {
    CloudError: (
        _("The cause is a defect of the platform, not of the request."),
        _("Try again once. If the error remains, give support the request id, under which the log has the cause."),
    ),
    InvalidRequest: (
        _("The request is invalid: something in it is missing, unknown or malformed."),
        _("Correct what `errors` points at. The same request again has the same answer."),
    ),
    Unauthenticated: (
        _("The request shows no credential, or one that is unknown, expired or revoked."),
        _("Send a valid API token in the header Authorization: Bearer. If it has expired, create another one."),
    ),
    Forbidden: (
        _("The credential is valid, but its role or scope does not include this."),
        _("Use a credential with the right that the detail names, or ask an owner of the organization for it."),
    ),
    NotFound: (
        _("The resource does not exist, or this credential has no access to it; the API does not tell the two apart."),
        _(
            "Check the name or id, and that the credential is for the right project. List the resources to see which "
            "exist."
        ),
    ),
    MethodNotAllowed: (
        _("The path exists, but does not support this method."),
        _("Use one of the methods in the header Allow."),
    ),
    Conflict: (
        _("The request is valid, but conflicts with the current state."),
        _("Read the resource again and remove the conflict that the detail names."),
    ),
    Busy: (
        _("An operation has locked the resource, so that changes run one at a time."),
        _(
            "Wait for the operation in `blocking_operation` (GET it with ?wait=30s) or cancel it, then repeat "
            "the request."
        ),
    ),
    IdempotencyKeyInUse: (
        _("Another request with the same key has not ended. Only one of them does the work."),
        _("Repeat the request with the same key after Retry-After: it gets the answer of the first one."),
    ),
    QuotaExceeded: (
        _("Quotas keep one project from using all capacity. Nothing was created."),
        _("GET …/limits shows the usage. Delete what is not needed, or request a higher quota."),
    ),
    InsufficientCapacity: (
        _("Some nodes are suitable, but none has enough free capacity now."),
        _("Request less, name no zone, or try later; the decision in `placement_decision` shows what would fit."),
    ),
    LengthRequired: (_("A file is accepted only if its size is known in advance."), _("Send Content-Length.")),
    Outdated: (
        _("Another request changed the resource after it was read. That change was not overwritten."),
        _("Read the resource again. If the change is still wanted, repeat it with the new ETag in If-Match."),
    ),
    BodyTooLarge: (
        _("The body is larger than this API reads."),
        _("Send a smaller body. Files have a route of their own."),
    ),
    MediaTypeNotSupported: (
        _("This route does not accept the media type of the body."),
        _("Set Content-Type to application/json, or to application/octet-stream for a file."),
    ),
    Unprocessable: (
        _("The request is well-formed, but cannot be carried out."),
        _("Change the request as the detail says. Waiting does not help."),
    ),
    PolicyUnsatisfiable: (
        _(
            "The policies of the data admit no suitable location. They are evaluated on signed facts, and an unknown "
            "fact refuses."
        ),
        _(
            "Read `placement_decision`: it names the clauses that refused, and what would have to change. "
            "Choose an admitted zone, or have the policy changed."
        ),
    ),
    IdempotencyKeyReused: (
        _("An idempotency key identifies one request. This key was used for a different request within the last day."),
        _("Use a new key for a new request; to repeat the earlier request, send exactly the same body."),
    ),
    VersionRequired: (
        _("The request replaces the whole resource, so the change of another user could be lost."),
        _("GET it, and send its ETag in If-Match; * replaces whatever is there."),
    ),
    TooManyRequests: (
        _("Reads and writes are counted for each credential, so that one client cannot take the API from others."),
        _("Wait as Retry-After says. To wait for an operation, use ?wait=30s: that is one request."),
    ),
    Gone: (
        _("It existed, but is stored for a limited time only."),
        _("Start again from the current state: the detail says where."),
    ),
    TooMany: (
        _("The platform limits concurrent use by one caller, to keep capacity for the others."),
        _("Close a connection, cancel or finish a request, or wait; then try again after Retry-After."),
    ),
    StateLocked: (
        _("Two runs that write one state at the same time would lose each other's work."),
        _("Wait until the other run ends. If it was interrupted, remove its lock as the detail says."),
    ),
    Unavailable: (
        _("A part of the cloud does not answer at the moment. Nothing is lost."),
        _(
            "If `retryable` is true, repeat the request after Retry-After, with growing pauses and the same "
            "Idempotency-Key."
        ),
    ),
    InsufficientStorage: (
        _("A disk of the cloud is nearly full, and more data would make other writes fail."),
        _("Inform the operators of this cloud. Reads and small writes still work."),
    ),
}
LINKS: Mapping[type[CloudError], str] = {
    Busy: "blocking_operation",
    InsufficientCapacity: "placement_decision",
    PolicyUnsatisfiable: "placement_decision",
}


def codes() -> list[str]:
    """Return all codes that the API may answer."""
    return sorted(code for code, error in REGISTRY.items() if error.__module__.startswith("controlplane."))


def page(code: str) -> dict[str, Any]:
    """Return the page of a code in the active language. Words in braces are facts.

    Raises:
        ProblemNotFound
    """
    if code not in codes():
        raise ProblemNotFound(name=code[:80])
    error = REGISTRY[code]
    why, remedy = next(MEANING[ancestor] for ancestor in error.__mro__ if ancestor in MEANING)
    return {
        "type": f"{TYPE}{code}",
        "code": code,
        "title": gettext(error.title),
        "status": status_of(error),
        "retryable": error.retryable,
        "detail": gettext(error.detail),
        "why": str(why),
        "remedy": str(remedy),
        "facts": _facts(error),
        "example": _example(error),
    }


def text(code: str, *, level: str = "#") -> str:
    """Return the page as Markdown. Raises ProblemNotFound."""
    problem = page(code)
    retry_text = (
        gettext("It may be repeated as it is.")
        if problem["retryable"]
        else gettext("Repeating it unchanged does not help.")
    )
    example = json.dumps(problem["example"], indent=2, ensure_ascii=False)
    parts = [
        f"{level} {code}",
        f"{problem['title']} · HTTP {problem['status']} · {retry_text}",
        f"{level}# {gettext('What happened')}",
        problem["detail"],
        f"{level}# {gettext('Why')}",
        problem["why"],
        f"{level}# {gettext('What to do')}",
        problem["remedy"],
        f"{level}# {gettext('Example')}",
        f"```json\n{example}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _facts(error: type[CloudError]) -> list[str]:
    """Return the facts in the problem document besides those in the text."""
    named = {name for _, name, _, _ in string.Formatter().parse(error.detail) if name}
    return sorted(named - PROSE)


def _example(error: type[CloudError]) -> dict[str, Any]:
    """Return an example, with an ellipsis for each fact."""
    facts = _facts(error)
    named = {name for _, name, _, _ in string.Formatter().parse(error.detail) if name}
    return {
        "type": f"{TYPE}{error.code}",
        "code": error.code,
        "title": gettext(error.title),
        "detail": gettext(error.detail).format(**dict.fromkeys(named, "…")),
        "retryable": error.retryable,
        **({LINKS[error]: ANY_ID} if error in LINKS else {}),
        **({"facts": dict.fromkeys(facts, "…")} if facts else {}),
        "status": status_of(error),
        "request_id": ANY_ID,
        "errors": [],
    }

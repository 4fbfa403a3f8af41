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
        _("It is a mistake or a gap of ours, not of the request."),
        _("Try again once. If it stays, give support the request id, by which the log has the cause."),
    ),
    InvalidRequest: (
        _("The request cannot be meant as it stands: something in it is missing, unknown or not of the right form."),
        _("Correct what `errors` points at. The same request again has the same answer."),
    ),
    Unauthenticated: (
        _("The request shows no credential, or one that is unknown, expired or revoked."),
        _("Send a valid API token in the header Authorization: Bearer. If it has expired, create another one."),
    ),
    Forbidden: (
        _("The credential is good, and its role or scope does not include this."),
        _("Use a credential with the right that the detail names, or ask an owner of the organization for it."),
    ),
    NotFound: (
        _(
            "There is no such thing, or not for this credential: what others have is not told apart from what "
            "is not there."
        ),
        _("Check the name or id, and that the credential is for the right project. Lists show what there is."),
    ),
    MethodNotAllowed: (
        _("The path is there, and does not know this method."),
        _("Use one of the methods in the header Allow."),
    ),
    Conflict: (
        _("The request is right, and does not go together with how things are now."),
        _("Read the resource again and change what stands in the way, as the detail says."),
    ),
    Busy: (
        _("An operation holds the resource, so that two changes never mix."),
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
        _("Projects have limits, so that one cannot take everything. Nothing was created."),
        _("GET …/limits shows what is used. Delete what is not needed, or ask for more."),
    ),
    InsufficientCapacity: (
        _("Some nodes may take it, and none of them has room now."),
        _("Ask for less, leave the zone open, or try later; the decision in `placement_decision` says what would fit."),
    ),
    LengthRequired: (_("A file is taken only when its size is known beforehand."), _("Send Content-Length.")),
    Outdated: (
        _("Somebody else changed it after it was read; the change was not made over theirs."),
        _("Read it again, see whether the change still makes sense, and repeat it with the new ETag in If-Match."),
    ),
    BodyTooLarge: (_("The body is larger than this API reads."), _("Send less; files have a route of their own.")),
    MediaTypeNotSupported: (
        _("The body is of a kind that is not read here."),
        _("Set Content-Type to application/json, or to application/octet-stream for a file."),
    ),
    Unprocessable: (
        _("The request is well-formed, and what it asks for cannot be done."),
        _("Ask for something else, as the detail says. Waiting does not help."),
    ),
    PolicyUnsatisfiable: (
        _(
            "The policies that hold for the data admit no place for it. They are evaluated on signed facts, "
            "and what is not known refuses."
        ),
        _(
            "Read `placement_decision`: it names the clauses that refused, and what would have to change. "
            "Choose an admitted zone, or have the policy changed."
        ),
    ),
    IdempotencyKeyReused: (
        _("A key stands for one request. Under this one, something else was asked for within the last day."),
        _("Take a new key for what is a new request; to repeat the old one, send just the same body."),
    ),
    VersionRequired: (
        _("A whole is replaced, so the change of somebody else could be lost unnoticed."),
        _("GET it, and send its ETag in If-Match; * replaces whatever is there."),
    ),
    TooManyRequests: (
        _("Reads and writes are counted for each credential, so that one client cannot take the API from others."),
        _("Wait as Retry-After says. To wait for an operation, use ?wait=30s: that is one request."),
    ),
    Gone: (
        _("It was there, and is kept for a limited time only."),
        _("Begin again from what is there now: the detail says from where."),
    ),
    TooMany: (
        _("So much at once is not served to one caller, so that there is enough for all."),
        _("End some of what is open, or wait, and try again after Retry-After."),
    ),
    StateLocked: (
        _("Two runs that write one state at the same time would lose each other's work."),
        _("Wait until the other run has ended. If it has died, end its lock as the detail says."),
    ),
    Unavailable: (
        _("A part of the cloud does not answer at the moment. Nothing is lost."),
        _(
            "If `retryable` is true, repeat the request after Retry-After, with growing pauses and the same "
            "Idempotency-Key."
        ),
    ),
    InsufficientStorage: (
        _("A disk of the cloud is so full that what is written besides would soon fail too."),
        _("Tell whoever runs this cloud. What is small, and what only reads, goes on."),
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
    said = page(code)
    again = (
        gettext("It may be repeated as it is.") if said["retryable"] else gettext("Repeating it alone does not help.")
    )
    example = json.dumps(said["example"], indent=2, ensure_ascii=False)
    parts = [
        f"{level} {code}",
        f"{said['title']} · HTTP {said['status']} · {again}",
        f"{level}# {gettext('What happened')}",
        said["detail"],
        f"{level}# {gettext('Why')}",
        said["why"],
        f"{level}# {gettext('What to do')}",
        said["remedy"],
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

"""The error tree. An error is a stable code, a text and facts; it knows no HTTP.

    CloudError
    ├── InvalidRequest     the request is malformed; `field` names the cause
    ├── Unauthenticated    no valid credential
    ├── Forbidden          no permission; the existence of the resource is no secret
    ├── NotFound           no such resource, or not visible to the caller
    ├── Conflict           not possible in the present state
    ├── Outdated           the resource has changed since the client read it
    ├── Unprocessable      well-formed, but impossible
    ├── Unavailable        a component does not answer; a retry may work (`retryable`)
    └── InsufficientStorage  a disk of the platform is nearly full

Each concrete class has a `code`, which is part of the API: never renamed, never reused. `detail` is an English template
over the facts and at the same time the key of its translations; api/problems.py turns it into the caller's language.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

from andromede_core.documents.messages import Message

REGISTRY: dict[str, type["CloudError"]] = {}


class CloudError(Exception):
    """Base of all errors that a caller may see."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    detail: ClassVar[str] = "Something went wrong on our side. The request id helps support to find it."
    retryable: ClassVar[bool] = False
    # Extension members of the problem document (RFC 9457, 3.2).
    members: Mapping[str, object] = {}

    def __init_subclass__(cls) -> None:
        if "code" in cls.__dict__:
            registered = REGISTRY.setdefault(cls.code, cls)
            if registered.__qualname__ != cls.__qualname__:
                raise TypeError(f"Two errors have the code {cls.code!r}: {registered.__name__} and {cls.__name__}.")

    def __init__(self, *, field: str | None = None, **facts: object) -> None:
        self.field = field
        self.facts = facts
        self.on_persist: Callable[[], object] | None = None
        super().__init__(self.detail.format(**facts))

    def keep(self) -> None:
        """Write the records in `kept`, although the request that the error ends was rolled back."""
        if self.on_persist is not None:
            self.on_persist()

    def forget(self) -> None:
        """Drop the reference to a decision that is not stored."""
        self.facts.pop("placement_decision", None)

    @property
    def reason(self) -> Message:
        """Return the error's text as a fact of another error."""
        return Message(self.detail, **self.facts)

    def as_document(self) -> dict[str, object]:
        """Return the error as JSON for the operation's row, enough to render it later in any language."""
        return {
            "code": self.code,
            "detail": str(self),
            "facts": {name: _plain(value) for name, value in self.facts.items()},
            "retryable": self.retryable,
        }


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return {"template": value.template, "facts": _plain(value.facts)}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)


REGISTRY[CloudError.code] = CloudError


class InvalidRequest(CloudError):
    code = "invalid_request"
    title = "Invalid request"
    detail = "{reason}"


class Unauthenticated(CloudError):
    code = "unauthenticated"
    title = "Authentication needed"
    detail = "Send a valid API token: Authorization: Bearer <token>."


class Forbidden(CloudError):
    code = "forbidden"
    title = "Not allowed"
    detail = "This credential lacks the role {role}, which this request needs."


class NotFound(CloudError):
    code = "not_found"
    title = "Not found"
    detail = "There is no {kind} {name!r} here."


class Conflict(CloudError):
    code = "conflict"
    title = "Conflict"
    detail = "{reason}"


class Gone(CloudError):
    code = "gone"
    title = "Gone"
    detail = "The resource is no longer stored."


class TooMany(CloudError):
    code = "too_many"
    title = "Too many"
    detail = "The limit of concurrent requests is reached. Try again later."


class Outdated(CloudError):
    code = "outdated"
    title = "Changed meanwhile"
    detail = (
        "The resource changed; its version is now {current}. Read it again, and repeat the request with its ETag in "
        "If-Match if the change is still wanted."
    )


class Unprocessable(CloudError):
    code = "unprocessable"
    title = "Cannot be done"
    detail = "{reason}"


class Unavailable(CloudError):
    code = "unavailable"
    title = "Temporarily unavailable"
    detail = "A part of the cloud does not answer. Try again later."
    retryable = True


class InsufficientStorage(CloudError):
    code = "insufficient_storage"
    title = "No space left"
    detail = (
        "A disk of the cloud is nearly full, and large data is refused. Try again after the operators have freed space."
    )
    retryable = True


class BodyTooLarge(CloudError):
    code = "body_too_large"
    title = "Body too large"
    detail = "The body may have at most {limit_bytes} bytes."


class IllegalTransition(Conflict):
    code = "illegal_transition"
    detail = "It is {state} and cannot become {to}."


class StateConflict(Conflict):
    code = "state_conflict"
    detail = "It changed meanwhile. Read it again and repeat the request if it still makes sense."

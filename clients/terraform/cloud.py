"""Shared parts of all resources: the configured API client, and the mapping of its problems to attributes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from andromede_sdk.errors import AndromedeError, ApiError, Unreachable
from clients.terraform.runtime.diagnostics import Diagnostic, Failure, Step
from clients.terraform.runtime.schema import Attribute, Nested

if TYPE_CHECKING:
    from clients.terraform.api import Api

Document = dict[str, Any]


class OperationUnsuccessful(Exception):
    """An operation failed; the message is the API's problem (RFC 9457)."""

    def __init__(self, document: Document) -> None:
        super().__init__(document.get("title"))
        self.document = document


class DeadlineExceeded(Exception):
    """The deadline has passed, and the operation goes on."""


class Cloud:
    """Connection of the provider. `stopping` is set when the user interrupts."""

    def __init__(self, stopping: Event) -> None:
        self.stopping = stopping
        self._api: Api | None = None

    def connect(self, url: str, token: str, *, project: str, ca_file: str) -> None:
        """Connect.

        Terraform starts the provider several times in a run; only some starts connect, and only they load HTTP.

        Raises:
            OSError: `ca_file` cannot be read, or has no certificates.
            ValueError: the address or the token cannot be one.
        """
        from clients.terraform.api import Api

        self._api = Api(url, token, project=project, ca_file=ca_file, stopping=self.stopping)

    @property
    def is_connected(self) -> bool:
        """Return whether the provider is connected: not in a plan in which the address or the token is not known
        yet.
        """
        return self._api is not None

    @property
    def api(self) -> "Api":
        if self._api is None:
            raise Failure(
                "The provider is not configured yet",
                "Its url or token depends on what is not there yet. Apply that first, with -target.",
            )
        return self._api

    def ids(self, collection: str, references: list[str]) -> list[str | None]:
        """Resolve names and ids to ids; None: no such resource at present."""
        return [self._id(f"{collection}/{quoted(reference)}") for reference in references]

    def _id(self, path: str) -> str | None:
        try:
            resource_id: str = self.api.get(path)["id"]
        except ApiError as problem:
            if is_gone(problem):
                return None
            raise
        return resource_id


def project_path(project: str, *parts: str) -> str:
    """Return a path below /v1."""
    return quoted("projects", project, *parts)


def quoted(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)


def is_gone(problem: ApiError) -> bool:
    """Return whether the resource is gone. An invisible project does not show whether its resources exist."""
    return problem.status == 404 and problem.code != "identity.project.not_found"


@contextmanager
def translated_errors(attributes: Mapping[str, Attribute]) -> Iterator[None]:
    """Turn problems of the API into diagnostics at the attributes that they are about."""
    try:
        yield
    except ApiError as problem:
        raise Failure.of(diagnostics_of({**problem.raw, "title": problem.title}, attributes)) from problem
    except OperationUnsuccessful as failed:
        raise Failure.of(diagnostics_of(failed.document, attributes)) from failed
    except DeadlineExceeded as late:
        raise Failure("The time is over", f"{late}\n\nThe attribute `timeouts` gives it more.") from late
    except Unreachable as error:
        raise Failure("The API does not answer", f"{error}\n\nApply again when it does.") from error
    except AndromedeError as error:
        raise Failure("What answers is not the API", str(error)) from error


def diagnostics_of(document: Mapping[str, Any], attributes: Mapping[str, Attribute]) -> list[Diagnostic]:
    title, detail = document.get("title", "The API refused"), document.get("detail", "")
    small_print = _small_print(document)
    with_path = [
        (_path(error.get("pointer", ""), attributes), error["detail"]) for error in document.get("errors") or []
    ]
    located = [Diagnostic(title, f"{text}{small_print}", path) for path, text in with_path if path]
    return located or [Diagnostic(title, f"{detail}{small_print}")]


def _small_print(document: Mapping[str, Any]) -> str:
    names = {
        "code": "code",
        "operation": "operation",
        "blocking_operation": "blocked by operation",
        "request_id": "request",
    }
    words = [f"{word} {document[name]}" for name, word in names.items() if document.get(name)]
    return f"\n\n({', '.join(words)})" if words else ""


def _path(pointer: str, attributes: Mapping[str, Attribute]) -> tuple[Step, ...]:
    """Convert a JSON pointer into a body to a path: bodies and schemas have the same names.

    Members of sets have no path.
    """
    name, *more = pointer.strip("/").split("/")
    attribute = attributes.get(name)
    if attribute is None:
        return ()
    is_list = not isinstance(attribute.type, Nested) and attribute.type.kind == "list"
    return (name, int(more[0])) if is_list and more and more[0].isdigit() else (name,)

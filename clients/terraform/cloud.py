"""What all resources share: the API as the provider was configured to reach it, and its problems in terms of their
attributes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event

from clients.terraform.api import Api, Problem, Unreachable, below
from clients.terraform.runtime.diagnostics import Failure, Remark, Step
from clients.terraform.runtime.schema import Attribute, Nested


class Cloud:
    """`stopping` is set when the user interrupts."""

    def __init__(self, stopping: Event) -> None:
        self.stopping = stopping
        self._api: Api | None = None

    def connect(self, api: Api) -> None:
        self._api = api

    @property
    def is_connected(self) -> bool:
        """Not in a plan in which the address or the token is known only later."""
        return self._api is not None

    @property
    def api(self) -> Api:
        if self._api is None:
            raise Failure(
                "The provider is not configured yet",
                "Its url or token depends on what is not there yet. Apply that first, with -target.",
            )
        return self._api

    def ids(self, project: str, kind: str, references: list[str]) -> list[str | None]:
        """What names and ids stand for; None: nothing, at present."""
        return [self._id(project, kind, reference) for reference in references]

    def _id(self, project: str, kind: str, reference: str) -> str | None:
        try:
            found: str = self.api.get(below(project, kind, reference))["id"]
        except Problem as problem:
            if is_gone(problem):
                return None
            raise
        return found


def is_gone(problem: Problem) -> bool:
    """A project that cannot be seen (any more) says nothing of what is in it."""
    return problem.status == 404 and problem.code != "identity.project.not_found"


@contextmanager
def explained(attributes: Mapping[str, Attribute]) -> Iterator[None]:
    """Problems of the API become remarks at the attributes that they are about."""
    try:
        yield
    except Problem as problem:
        raise Failure.of(remarks_of(problem, attributes)) from problem
    except Unreachable as error:
        raise Failure("The time is over", f"{error}\n\nThe attribute `timeouts` gives it more.") from error


def remarks_of(problem: Problem, attributes: Mapping[str, Attribute]) -> list[Remark]:
    document = problem.document
    title, detail = document.get("title", "The API refused"), document.get("detail", "")
    known = [(_path(error.get("pointer", ""), attributes), error["detail"]) for error in document.get("errors") or []]
    located = [Remark(title, f"{text}{_small_print(problem)}", path) for path, text in known if path]
    return located or [Remark(title, f"{detail}{_small_print(problem)}")]


def _small_print(problem: Problem) -> str:
    names = {
        "code": "code",
        "operation": "operation",
        "blocking_operation": "blocked by operation",
        "request_id": "request",
    }
    words = [f"{word} {problem.document[name]}" for name, word in names.items() if problem.document.get(name)]
    return f"\n\n({', '.join(words)})" if words else ""


def _path(pointer: str, attributes: Mapping[str, Attribute]) -> tuple[Step, ...]:
    """Of a JSON pointer into a body: bodies and schemas have the same names. Members of sets have no path."""
    name, *more = pointer.strip("/").split("/")
    attribute = attributes.get(name)
    if attribute is None:
        return ()
    is_list = not isinstance(attribute.type, Nested) and attribute.type.kind == "list"
    return (name, int(more[0])) if is_list and more and more[0].isdigit() else (name,)

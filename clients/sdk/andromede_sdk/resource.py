"""Base of all managers: paths, queries and bodies from Python values, and models from answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote

from andromede_sdk.errors import MalformedAnswer, ProjectNeeded, Unreachable, error_of
from andromede_sdk.model import Model
from andromede_sdk.request import HttpRequest, new_key
from andromede_sdk.stream import END, Event, events_of

if TYPE_CHECKING:
    import httpx

    from andromede_sdk.transport import Transport

M = TypeVar("M", bound=Model)
FIRST_PAUSE_S = 3.0  # before a stream is read again, unless the API sends another pause
Moment = str | datetime
Labels = str | Mapping[str, str]
NULL: Any = object()  # sent in a body as null; None is not sent


@dataclass(frozen=True)
class Ask:
    """A call before it is made ready. `path` is a template; what `query` and `body` have as None is not sent."""

    method: str
    path: str
    names: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)  # it may have secrets
    key: str | None = None
    if_match: str | int | None = None


@dataclass(frozen=True)
class Scope:
    """Target of calls: the control plane, and the project for a path that has one."""

    transport: Transport
    project: str | None = None

    def document(self, ask: Ask) -> Any:
        """Return the JSON of the answer; None when the answer is empty."""
        return json_of(self.send(ask))

    def one(self, model: type[M], ask: Ask) -> M:
        return model.read(self.document(ask), self)

    def either(self, models: Mapping[int, type[Model] | None], ask: Ask) -> Any:
        """Return a model for calls whose status selects it; None stands for an empty answer."""
        answer = self.send(ask)
        model = models.get(answer.status_code, next(iter(models.values())))
        return None if model is None or not answer.content else model.read(json_of(answer), self)

    def text(self, ask: Ask) -> str:
        return self.send(ask).text

    def download(self, ask: Ask, to: BinaryIO) -> int:
        """Write the body into `to` and return its number of bytes."""
        with self.transport.stream(self.call(ask)) as answer:
            return sum(to.write(piece) for piece in answer.iter_bytes())

    def events(self, ask: Ask) -> Iterator[dict[str, Any]]:
        """Yield the JSON of each server-sent event as it arrives, without end.

        A lost connection is made again after the last event, so that no event is missed.

        Raises:
            ApiError: the stream is over: the credential is no longer good, or what was missed is kept no more.
            Unreachable: no new connection could be made.
        """
        call, pause_s = self.call(ask), FIRST_PAUSE_S
        while True:
            for event in self._connected(call):
                pause_s = pause_s if event.retry_s is None else event.retry_s
                call = replace(call, last_event_id=event.id or call.last_event_id)
                if event.kind == END:
                    problem = json.loads(event.data)
                    raise error_of(int(problem.get("status", 0)), problem)
                if event.data:
                    yield json.loads(event.data)
            time.sleep(pause_s)

    def _connected(self, call: HttpRequest) -> Iterator[Event]:
        """Yield events until the connection ends or is lost. Raises Unreachable: it was not made."""
        is_open = False
        try:
            with self.transport.stream(call) as answer:
                is_open = True
                yield from events_of(answer.iter_lines())
        except Unreachable:
            if not is_open:
                raise

    def upload(self, model: type[M], ask: Ask, file: BinaryIO) -> M:
        call = self.call(ask)
        sent = self.transport.send(HttpRequest(call.method, call.path, call.query, file=file, if_match=call.if_match))
        return model.read(json_of(sent), self)

    def send(self, ask: Ask, *, timeout_s: float | None = None) -> httpx.Response:
        return self.transport.send(self.call(ask, timeout_s=timeout_s))

    def call(self, ask: Ask, *, timeout_s: float | None = None) -> HttpRequest:
        names = dict(ask.names)
        if "{project}" in ask.path and "project" not in names:
            if self.project is None:
                raise ProjectNeeded("Which project? Client(…, project=…), or client.within(…).")
            names["project"] = self.project
        query = {name.rstrip("_"): _text(value) for name, value in ask.query.items() if value is not None}
        body = (
            None if ask.body is None else {name.rstrip("_"): _plain(v) for name, v in ask.body.items() if v is not None}
        )
        is_post = ask.method == "POST"
        return HttpRequest(
            ask.method,
            ask.path.format(**{part: _segment(part, name) for part, name in names.items()}),
            query,
            body if body is not None or not is_post else {},
            key=(ask.key or new_key()) if is_post else None,
            if_match=f'"{ask.if_match}"' if isinstance(ask.if_match, int) else ask.if_match,
            timeout_s=timeout_s,
        )


class Listing(Generic[M]):
    """A collection, read page by page during iteration. Each new iteration begins anew."""

    def __init__(self, scope: Scope, model: type[M], ask: Ask) -> None:
        self._scope, self._model, self._ask = scope, model, ask

    def __iter__(self) -> Iterator[M]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[M]]:
        token: str | None = None
        while True:
            document = self._scope.document(self._with(page_token=token))
            yield [self._model.read(each, self._scope) for each in document.get("items") or []]
            token = document.get("next_page_token")
            if not token:
                return

    def first(self) -> M | None:
        return next(iter(self), None)

    def count(self) -> int:
        """Return the total number, in one request."""
        return int(self._scope.document(self._with(count=True, limit=1))["total_count"])

    def _with(self, **more: Any) -> Ask:
        ask = self._ask
        return Ask(ask.method, ask.path, ask.names, {**ask.query, **more})


class Resource:
    """A manager of one kind of resource."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope


def json_of(answer: httpx.Response) -> Any:
    """Return the JSON; None of an empty body. Raises MalformedAnswer."""
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as exc:
        raise MalformedAnswer(f"{answer.url.path} answered something that is no JSON.") from exc


def _segment(part: str, name: str) -> str:
    """Quote a name or id as one segment of a path: no name can lead to another path."""
    if not isinstance(name, str) or name in ("", ".", ".."):
        raise ValueError(f"{name!r} is the name or id of no {part.replace('_', ' ')}.")
    return quote(name, safe="")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={text}" for name, text in value.items())
    return str(_plain(value))


def _plain(value: Any) -> Any:
    if value is NULL:
        return None
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone.")
    return value.isoformat()

"""The few calls of Andromède's API that the provider needs, with what makes them safe: keys that make repeated creates
one, retries while the API restarts or is busy, long polls, and problems as exceptions."""

import random
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any
from urllib.parse import quote

import httpx

WAIT_S = 30
CONNECT_LIMIT_S = 10
READ_LIMIT_S = WAIT_S + 30
BACKOFF_S = (0.25, 8.0)
TRY_AGAIN = (429, 502, 503, 504)
PAGE = 200
READ_DEADLINE_S = 60
CHUNK_BYTES = 1024 * 1024

Document = dict[str, Any]


class Problem(Exception):
    """The API's answer to what it does not do (RFC 9457), or why an operation failed."""

    def __init__(self, document: Document, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{document.get('title')}: {document.get('detail')}")
        self.document = document
        self.retry_after_s = retry_after_s

    @property
    def code(self) -> str:
        return str(self.document.get("code", ""))

    @property
    def status(self) -> int:
        return int(self.document.get("status", 0))


class Unreachable(Exception):
    """No answer until the deadline."""


@dataclass(frozen=True)
class Answer:
    document: Document
    etag: str = ""


@dataclass(frozen=True)
class Call:
    """`key` makes a repeated POST one. `version` is an ETag, or *."""

    method: str
    path: str
    deadline: float
    body: Document | None = None
    query: dict[str, str] = field(default_factory=dict)
    key: str = ""
    version: str = ""
    file: Path | None = None

    @property
    def headers(self) -> dict[str, str]:
        given = {"Idempotency-Key": self.key, "If-Match": self.version}
        if self.file is not None:
            given |= {"Content-Type": "application/octet-stream", "Content-Length": str(self.file.stat().st_size)}
        return {name: value for name, value in given.items() if value}


def soon() -> float:
    """A deadline for a read of which nobody said how long it may take."""
    return time.monotonic() + READ_DEADLINE_S


class Api:
    """Paths are below /v1. Used by many threads at once."""

    def __init__(self, url: str, token: str, *, project: str = "", ca_file: str = "", stopping: Event) -> None:
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/v1/",
            headers={"Authorization": f"Bearer {token}", "User-Agent": "terraform-provider-andromede"},
            timeout=httpx.Timeout(READ_LIMIT_S, connect=CONNECT_LIMIT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            verify=verify,
        )
        self._stopping = stopping
        self._project = project
        self._lock = Lock()

    def close(self) -> None:
        self._http.close()

    def project(self) -> str:
        """The one that was configured, or the only one that the token is for."""
        with self._lock:
            if not self._project:
                found = self.get("projects", limit="2")["items"]
                if len(found) != 1:
                    raise Problem({"title": "No project", "detail": "Say which: `project`, or ANDROMEDE_PROJECT."})
                self._project = found[0]["name"]
            return self._project

    def get(self, path: str, *, deadline: float = 0, **query: str) -> Document:
        return self.call(Call("GET", path, deadline or soon(), query=query)).document

    def items(self, path: str, **query: str) -> Iterator[Document]:
        """Of all pages."""
        token: str | None = ""
        while token is not None:
            more = {"page_token": token} if token else {}
            call = Call("GET", path, soon(), query={"limit": str(PAGE), **query, **more})
            page = self.call(call).document
            yield from page["items"]
            token = page["next_page_token"]

    def ended(self, project: str, operation: Document, *, deadline: float) -> Document:
        """The operation, when it has succeeded. Also after an interrupt: what was begun has to reach the state.

        Raises:
            Problem: it failed, and why.
            Unreachable: the deadline came first.
        """
        path = below(project, "operations", operation["id"])
        while operation["finished_at"] is None:
            wait_s = int(min(WAIT_S, deadline - time.monotonic()))
            if wait_s <= 0:
                steps = [step["name"] for step in operation["steps"] if step["state"] == "running"]
                at = f", in the step {steps[0]}" if steps else ""
                raise Unreachable(f"The operation {operation['kind']} ({operation['id']}) still runs{at}.")
            operation = self.get(path, deadline=deadline, wait=f"{wait_s}s")
        if operation["state"] != "succeeded":
            error = operation["error"] or {"title": f"The operation was {operation['state']}", "detail": ""}
            raise Problem({**error, "operation": operation["id"]})
        return operation

    def call(self, call: Call) -> Answer:
        """Once, as the API sees it: what may be repeated is, until the deadline.

        Raises:
            Problem, Unreachable.
        """
        delay_s = BACKOFF_S[0]
        while True:
            try:
                return self._once(call)
            except httpx.TransportError as error:
                self._pause(call, delay_s, because=error)
            except Problem as problem:
                if not _may_repeat(problem):
                    raise
                self._pause(call, problem.retry_after_s or delay_s, because=problem)
            delay_s = min(delay_s * 2, BACKOFF_S[1])

    def _once(self, call: Call) -> Answer:
        body: dict[str, Any] = {"json": call.body} if call.body is not None else {}
        if call.file is not None:
            body = {"content": _chunks(call.file)}
        answer = self._http.request(call.method, call.path, params=call.query, headers=call.headers, **body)
        if answer.is_error:
            raise Problem(_problem(answer), retry_after_s=_seconds(answer.headers.get("Retry-After", "")))
        return Answer(answer.json() if answer.content else {}, answer.headers.get("ETag", ""))

    def _pause(self, call: Call, delay_s: float, *, because: Exception) -> None:
        """Before the next try; none after the deadline, nor after an interrupt for what was not begun."""
        delay_s *= random.uniform(0.8, 1.2)
        is_late = time.monotonic() + delay_s > call.deadline
        if not is_late and call.method == "GET":
            time.sleep(delay_s)
        elif is_late or self._stopping.wait(delay_s):
            if isinstance(because, Problem):
                raise because
            raise Unreachable(f"{self._http.base_url} does not answer: {because}") from because


def below(project: str, *parts: str) -> str:
    return "/".join(["projects", quote(project, safe=""), *(quote(part, safe="") for part in parts)])


def _may_repeat(problem: Problem) -> bool:
    is_busy = problem.status == httpx.codes.CONFLICT and problem.document.get("retryable") is True
    return is_busy or problem.status in TRY_AGAIN


def _problem(answer: httpx.Response) -> Document:
    """Also of a proxy that knows no problems."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if isinstance(document, dict) and "title" in document:
        return {"status": answer.status_code, **document}
    return {"status": answer.status_code, "title": f"HTTP {answer.status_code}", "detail": answer.text[:500]}


def _seconds(text: str) -> float | None:
    return float(text) if text.isdigit() else None


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk

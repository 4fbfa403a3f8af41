"""API client of the provider: the SDK's transport, with plain documents and Terraform's deadlines."""

import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

from andromede_sdk.request import HttpRequest, new_key
from andromede_sdk.resource import json_of
from andromede_sdk.transport import Retry, Transport
from clients.terraform.cloud import DeadlineExceeded, Document, OperationUnsuccessful, project_path

WAIT_S = 30
GAP_S = 1.0
READ_LIMIT_S = WAIT_S + 30
PAGE = 200
# Limit of a call without a deadline.
LIMIT_S = 60


@dataclass(frozen=True)
class Answer:
    document: Document
    etag: str


class Api:
    """API client. Paths are below /v1. Used by many threads at once.

    Repeatable requests are repeated until the deadline, which is one of time.monotonic(). All methods raise ApiError,
    Unreachable.
    """

    def __init__(self, url: str, token: str, *, project: str = "", ca_file: str = "", stopping: Event) -> None:
        self._stopping = stopping
        self._project, self._organization = project, ""
        self._lock = Lock()
        self._transport = Transport(
            url.rstrip("/"),
            token,
            timeout_s=READ_LIMIT_S,
            retry=Retry(tries=sys.maxsize, first_pause_s=0.25, longest_pause_s=8.0, pause=self._pause),
            language=None,
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
        )
        self._transport.http.headers["User-Agent"] = "terraform-provider-andromede"

    def close(self) -> None:
        self._transport.close()

    def project(self) -> str:
        """Return the configured project, or the only one that the token is for.

        Raises:
            OperationUnsuccessful: there is not just one.
        """
        with self._lock:
            self._project = self._project or self._only("projects", "`project`, or ANDROMEDE_PROJECT")
            return self._project

    def organization(self) -> str:
        """Return the only organization that the token sees.

        Raises:
            OperationUnsuccessful: there is not just one.
        """
        with self._lock:
            self._organization = self._organization or self._only("organizations", "`organization`")
            return self._organization

    def _only(self, collection: str, way: str) -> str:
        items = self.get(collection, limit="2")["items"]
        if len(items) != 1:
            raise OperationUnsuccessful({"title": f"Which of the {collection}?", "detail": f"Say it with {way}."})
        return str(items[0]["name"])

    def get(self, path: str, *, deadline: float | None = None, **query: str) -> Document:
        return self.read(path, deadline=deadline, **query).document

    def read(self, path: str, *, deadline: float | None = None, **query: str) -> Answer:
        return self._call("GET", path, deadline, query=query)

    def items(self, path: str, **query: str) -> Iterator[Document]:
        """Yield the items of all pages."""
        token: str | None = ""
        while token is not None:
            more = {"page_token": token} if token else {}
            page = self._call("GET", path, None, query={"limit": str(PAGE), **query, **more}).document
            yield from page["items"]
            token = page["next_page_token"]

    def post(
        self, path: str, body: Document, *, deadline: float | None = None, key: str = "", **query: str
    ) -> Document:
        """POST; the same key creates the same resource once."""
        return self._call("POST", path, deadline, query=query, body=body, key=key or new_key()).document

    def patch(self, path: str, body: Document, *, deadline: float | None = None) -> Document:
        return self._call("PATCH", path, deadline, body=body).document

    def put(self, path: str, body: Document, *, version: str, deadline: float | None = None, **query: str) -> Answer:
        """PUT. `version`: the ETag of the version to replace, or *."""
        return self._call("PUT", path, deadline, query=query, body=body, if_match=version)

    def upload(self, path: str, file: Path, *, deadline: float) -> Document:
        with file.open("rb") as opened:
            return self._call("PUT", path, deadline, file=opened).document

    def delete(self, path: str, *, deadline: float | None = None) -> Document:
        return self._call("DELETE", path, deadline).document

    def ended(self, project: str, operation: Document, *, deadline: float) -> Document:
        """Return the operation when it has succeeded.

        The wait goes on after an interrupt: a started change must reach the state.

        Raises:
            OperationUnsuccessful: it failed, and why.
            DeadlineExceeded: the deadline came first.
        """
        path = project_path(project, "operations", operation["id"])
        while operation["finished_at"] is None:
            wait_s = int(min(WAIT_S, deadline - time.monotonic()))
            if wait_s <= 0:
                steps = [step["name"] for step in operation["steps"] if step["state"] == "running"]
                at = f", in the step {steps[0]}" if steps else ""
                raise DeadlineExceeded(f"The operation {operation['kind']} ({operation['id']}) still runs{at}.")
            looked_at = time.monotonic()
            operation = self.get(path, deadline=deadline, wait=f"{wait_s}s")
            if operation["finished_at"] is None:  # the API answers early when it holds as many as it can
                time.sleep(max(0.0, looked_at + GAP_S - time.monotonic()))
        if operation["state"] != "succeeded":
            error = operation["error"] or {"title": f"The operation was {operation['state']}", "detail": ""}
            raise OperationUnsuccessful({**error, "operation": operation["id"]})
        return operation

    def _call(self, method: str, path: str, deadline: float | None, **more: Any) -> Answer:
        limit_s = LIMIT_S if deadline is None else deadline - time.monotonic()
        answer = self._transport.send(HttpRequest(method, f"/v1/{path}", limit_s=limit_s, **more))
        return Answer(json_of(answer) or {}, answer.headers.get("ETag", ""))

    def _pause(self, call: HttpRequest, pause_s: float) -> bool:
        """Pause. After an interrupt no new work begins; started operations are still waited for."""
        if call.method == "GET":
            time.sleep(pause_s)
            return True
        return not self._stopping.wait(pause_s)

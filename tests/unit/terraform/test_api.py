"""The provider's way to the API, against a server that answers as it was told to."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from clients.terraform.api import Api, Call, Problem, Unreachable
from clients.terraform.cloud import remarks_of
from clients.terraform.resources.instance_schema import SCHEMA

Scripted = tuple[int, dict[str, str], dict[str, Any]]
BUSY: Scripted = (409, {"Retry-After": "0"}, {"title": "Busy", "code": "resource_busy", "retryable": True})


class Server(ThreadingHTTPServer):
    """Gives the answers in their order, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Scripted] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        assert isinstance(self.server, Server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        status, headers, document = self.server.answers.pop(0)
        text = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def stopping() -> Event:
    return Event()


@pytest.fixture
def api(server: Server, stopping: Event) -> Iterator[Api]:
    with closing(Api(server.url, "secret", project="p", stopping=stopping)) as made:
        yield made


def later() -> float:
    return time.monotonic() + 60


def test_what_is_sent_again_has_the_same_key(server: Server, api: Api) -> None:
    gone: Scripted = (503, {"Retry-After": "0"}, {"title": "Gone", "code": "unavailable"})
    server.answers = [gone, BUSY, (201, {}, {"id": "x"})]
    made = api.call(Call("POST", "projects/p/volumes", later(), body={"name": "a"}, key="once"))
    assert made.document == {"id": "x"}
    assert [headers["Idempotency-Key"] for _, _, headers, _ in server.asked] == ["once"] * 3
    assert {body for *_, body in server.asked} == {b'{"name":"a"}'}


def test_what_cannot_succeed_is_not_tried_again(server: Server, api: Api) -> None:
    server.answers = [(409, {}, {"title": "Taken", "code": "storage.volume.name_taken", "retryable": False})]
    with pytest.raises(Problem, match="Taken"):
        api.call(Call("POST", "projects/p/volumes", later(), body={}))


def test_the_deadline_ends_the_tries(server: Server, api: Api) -> None:
    server.answers = [BUSY]
    with pytest.raises(Problem, match="Busy"):
        api.call(Call("POST", "x", time.monotonic(), body={}))


def test_an_interrupt_begins_nothing_and_reads_on(server: Server, api: Api, stopping: Event) -> None:
    stopping.set()
    server.answers = [BUSY, BUSY, (200, {}, {"id": "x"})]
    with pytest.raises(Problem, match="Busy"):
        api.call(Call("POST", "x", later(), body={}))
    assert api.get("x") == {"id": "x"}


def test_nobody_there_is_said_so() -> None:
    nowhere = closing(Api("http://127.0.0.1:9", "secret", stopping=Event()))
    with nowhere as api, pytest.raises(Unreachable, match="does not answer"):
        api.call(Call("POST", "x", time.monotonic(), body={}))


def test_an_operation_is_waited_for_by_long_polls(server: Server, api: Api) -> None:
    running: dict[str, Any] = {"id": "o", "kind": "k", "finished_at": None, "state": "running", "steps": []}
    ended = {**running, "finished_at": "now", "state": "succeeded"}
    server.answers = [(200, {}, running), (200, {}, ended)]
    assert api.ended("p", running, deadline=later())["state"] == "succeeded"
    assert {path for _, path, _, _ in server.asked} == {"/v1/projects/p/operations/o?wait=30s"}


def test_an_operation_that_failed_says_why(server: Server, api: Api) -> None:
    error = {"title": "No place", "detail": "none", "code": "placement.no_place"}
    failed = {"id": "o", "kind": "k", "finished_at": "now", "state": "failed", "error": error, "steps": []}
    with pytest.raises(Problem, match="No place") as raised:
        api.ended("p", failed, deadline=later())
    (remark,) = remarks_of(raised.value, SCHEMA.attributes)
    assert "operation o" in remark.detail


def test_pages_are_read_to_the_last(server: Server, api: Api) -> None:
    first = {"items": [{"id": "1"}], "next_page_token": "more"}
    server.answers = [(200, {}, first), (200, {}, {"items": [{"id": "2"}], "next_page_token": None})]
    assert [item["id"] for item in api.items("x")] == ["1", "2"]
    assert server.asked[1][1] == "/v1/x?limit=200&page_token=more"


def test_each_field_of_a_problem_has_its_own_remark() -> None:
    errors = [
        {"pointer": "/networks/1", "code": "network.not_found", "detail": "No such network."},
        {"pointer": "/zones/0", "code": "placement.zone_unknown", "detail": "No such zone."},
        {"parameter": "dry_run", "code": "invalid_parameter", "detail": "Not in the schema."},
    ]
    problem = Problem({"title": "Not found", "detail": "…", "errors": errors, "code": "x", "request_id": "r"})
    remarks = remarks_of(problem, SCHEMA.attributes)
    assert [remark.path for remark in remarks] == [("networks", 1), ("zones",)]
    assert remarks[0].detail == "No such network.\n\n(code x, request r)"


def test_a_proxy_that_knows_no_problems(server: Server, api: Api) -> None:
    server.answers = [(404, {}, {"detail": "nothing"})]
    with pytest.raises(Problem, match="HTTP 404"):
        api.get("x")

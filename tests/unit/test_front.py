"""nginx with the limits and routes that the playbook installs, in front of two programs that say who they are."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jinja2 import Environment, FileSystemLoader

from scripts import nginx
from tests.limits import PATIENCE_S
from tests.ports import free_port

IMAGE = "/v1/projects/p/images/i/file"
STATE = "/v1/projects/p/terraform-states/prod"


class Upstream(ThreadingHTTPServer):
    """`heard`: what has reached it, as soon as the head of a request has. It answers once it has the body."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.name, self.received = name, list[str]()
        self.news = threading.Condition()
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def hear(self, line: str) -> None:
        with self.news:
            self.received.append(line)
            self.news.notify_all()

    def wait_for_requests(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.received) >= count, PATIENCE_S), self.received


class Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        upstream: Any = self.server
        upstream.hear(f"{self.command} {self.path}")
        remaining = int(self.headers.get("Content-Length") or 0)
        while remaining and (piece := self.rfile.read1(min(remaining, 65536))):  # type: ignore[attr-defined]
            remaining -= len(piece)
        body = json.dumps({"name": upstream.name, "missing": remaining}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Into no log."""


class Site:
    def __init__(self, folder: Path) -> None:
        self.web, self.stream = Upstream("web"), Upstream("stream")
        self.port = free_port()
        command = nginx.command(folder, port=self.port, web=self.web.address, stream=self.stream.address)
        with (folder / "log").open("wb") as log:
            self.nginx = subprocess.Popen(command, stderr=log)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=PATIENCE_S)
        pause = threading.Event()
        for _ in range(PATIENCE_S * 50):
            try:
                self.client.get("/ready")
                return
            except httpx.TransportError:
                pause.wait(0.02)
        raise AssertionError((folder / "log").read_text())

    def who(self, method: str, url: str, **more: Any) -> str:
        answer = self.client.request(method, url, **more)
        assert answer.status_code == 200, answer.text
        name: str = answer.json()["name"]
        return name

    def begin(self, method: str, url: str, *, length: int) -> socket.socket:
        """A request whose body has only begun."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        head = f"{method} {url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + b"x")
        return connection

    def close(self) -> None:
        self.client.close()
        self.nginx.terminate()
        self.nginx.wait(PATIENCE_S)
        for upstream in (self.web, self.stream):
            upstream.shutdown()
            upstream.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    created = Site(tmp_path_factory.mktemp("front"))
    yield created
    created.close()


def answer_of(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as reader:
        return reader.read()


def test_a_slow_body_does_not_reach_web(site: Site) -> None:
    before = len(site.web.received)
    slow = [site.begin("POST", "/v1/sessions", length=2) for _ in range(64)]
    assert site.who("GET", "/v1/healthz") == "web"
    assert site.web.received[before:] == ["GET /v1/healthz"]
    for connection in slow:
        connection.sendall(b"x")
    assert all(b'"missing": 0' in answer_of(connection) for connection in slow)
    assert sorted(site.web.received[before + 1 :]) == ["POST /v1/sessions"] * 64


@pytest.mark.parametrize(
    ("method", "url", "name"),
    [
        ("GET", "/v1/events?after=now&wait=30s", "stream"),
        ("GET", "/v1/operations/x?wait=1", "stream"),
        ("GET", "/v1/projects/p/operations/x?wait=60s", "stream"),
        ("GET", "/v1/nodes/n/drain?wait=60s", "stream"),
        ("GET", "/v1/events/stream", "stream"),
        ("GET", "/live", "stream"),
        ("GET", "/v1/events?after=now", "web"),
        ("GET", "/v1/events?wait=0s", "web"),
        ("POST", "/v1/nodes/n/drain?wait=60s", "web"),
        ("GET", "/v1/projects/p/operations?wait=60s", "web"),
        ("GET", "/projects/p/operations/x?wait=60s", "web"),
    ],
)
def test_requests_reach_the_process_of_their_route(site: Site, method: str, url: str, name: str) -> None:
    assert site.who(method, url) == name


def test_oversized_body_is_refused_unread(site: Site) -> None:
    before = len(site.web.received)
    with site.begin("POST", "/sign-in", length=2**30) as connection:
        answer = answer_of(connection)
    assert b"413" in answer.split(b"\r\n")[0]
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"] == "body_too_large"
    assert site.web.received[before:] == []


def test_a_state_is_buffered_up_to_its_size(site: Site) -> None:
    assert site.who("PUT", STATE, content=bytes(16 * 2**20)) == "web"
    assert site.client.put(STATE, content=bytes(18 * 2**20)).status_code == 413


def test_image_uploads_are_streamed_and_limited(site: Site) -> None:
    before = len(site.web.received)
    uploads = [site.begin("PUT", IMAGE, length=2**33) for _ in range(4)]
    site.web.wait_for_requests(before + 4)
    assert b"429" in answer_of(site.begin("PUT", IMAGE, length=2**33)).split(b"\r\n")[0]
    for connection in uploads:
        connection.close()


@pytest.mark.parametrize("is_for_all", [False, True])
def test_hsts_covers_subdomains_only_when_configured(is_for_all: bool) -> None:
    templates = Environment(loader=FileSystemLoader(nginx.ROLE / "templates"), autoescape=False)
    defaults = yaml.safe_load((nginx.ROLE / "defaults" / "main.yml").read_text())
    assert defaults["nginx_hsts_subdomains"] is False
    page = templates.get_template("andromede.conf.j2").render(defaults | {"nginx_hsts_subdomains": is_for_all})
    demanded = "max-age=31536000; includeSubDomains" if is_for_all else "max-age=31536000"
    assert f'add_header Strict-Transport-Security "{demanded}" always;' in page

"""A web server that receives webhooks and answers as a test sets."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier

from tests.limits import PATIENCE_S


@dataclass(frozen=True)
class Got:
    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """Verify with the library, as its owner would; raises if it is not signed with this secret."""
        return Verifier(secret).verify(self.body, self.headers)

    def name(self) -> str:
        name: str = json.loads(self.body)["resource"]["name"]
        return name


class Receiver(ThreadingHTTPServer):
    """A receiver. `answer` returns the status for each request; None: no answer until the test ends."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.got: list[Got] = []
        self.changed = threading.Condition()
        self.over = threading.Event()
        self.answer: Callable[[Got], int | None] = lambda got: 204
        self.headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_address[1]}/hook"

    def names(self) -> list[str]:
        return [got.name() for got in self.got]

    def wait_for(self, is_so: Callable[[list[Got]], bool]) -> list[Got]:
        with self.changed:
            assert self.changed.wait_for(lambda: is_so(self.got), timeout=PATIENCE_S), [got.name() for got in self.got]
            return list(self.got)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        got = Got({name.lower(): value for name, value in self.headers.items()}, body, self.path)
        with self.server.changed:
            self.server.got.append(got)
            self.server.changed.notify_all()
        status = self.server.answer(got)
        if status is None:
            self.server.over.wait(60)
            return
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        receiver.shutdown()
        thread.join()
        receiver.server_close()

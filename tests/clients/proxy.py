"""A proxy between a client and the control plane that causes faults of proxies and networks."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.limits import PATIENCE_S

DROP = "drop the answer"
REFUSE = "close without passing the request on"
Fault = str | tuple[int, dict[str, str], bytes]
HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"})


def problem(status: int, code: str, *, retryable: bool, **headers: str) -> Fault:
    body = {"code": code, "title": code, "status": status, "retryable": retryable, "request_id": "of-the-proxy"}
    return status, {name.replace("_", "-"): text for name, text in headers.items()}, json.dumps(body).encode()


@dataclass
class Proxy:
    """The proxy.

    `faults` happen to the next requests, one each; the rest passes. `seen`: method, path and headers of all.
    """

    upstream: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def headers(self, name: str) -> list[str | None]:
        return [headers.get(name) for _, _, headers in self.seen]

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        kept = {name: text for name, text in headers.items() if name not in HOP and name != "host"}
        return httpx.request(method, self.upstream + path, content=body, headers=kept, timeout=PATIENCE_S)


@contextmanager
def proxy_to(upstream: str) -> Iterator[Proxy]:
    proxy = Proxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Log nothing."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): text for name, text in self.headers.items()}
            proxy.seen.append((self.command, self.path, headers))
            fault = proxy.faults.pop(0) if proxy.faults else None
            if fault == REFUSE:
                self.close_connection = True
                return
            if isinstance(fault, tuple):
                self._answer(*fault)
                return
            answer = proxy.ask(self.command, self.path, headers, body)
            if fault == DROP:
                self.close_connection = True
                return
            self._answer(answer.status_code, dict(answer.headers), answer.content)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, text in headers.items():
                if name.lower() not in HOP:
                    self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

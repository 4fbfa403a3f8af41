"""Serve `GET /metrics`, `/healthz` and `/readyz` of one process, for Prometheus and for supervisors.

There is neither TLS nor a credential: the address must be reachable for them alone.
"""

import json
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from telemetry.address import parse_address

log = logging.getLogger(__name__)

# Raises Missing when what the process needs is not there.
Need = Callable[[], object]
Answer = tuple[HTTPStatus, str, bytes]

CLIENT_LIMIT_S = 10
PLAIN, JSON = "text/plain; charset=utf-8", "application/json"


class NotReady(Exception):
    """A need of the process is missing. The text is logged; the answer only names the need."""


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """Metrics and readiness of the process. `after` runs in the thread of each answer, after it."""

    needs: Mapping[str, Need]
    registry: CollectorRegistry = REGISTRY
    after: Callable[[], None] = lambda: None

    def answer(self, path: str) -> Answer:
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry)
        if path == "/healthz":
            return HTTPStatus.OK, PLAIN, b"ok\n"
        if path == "/readyz":
            missing = sorted(name for name, need in self.needs.items() if not _is_there(name, need))
            status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
            return status, JSON, json.dumps({"is_ready": not missing, "missing": missing}).encode() + b"\n"
        return HTTPStatus.NOT_FOUND, PLAIN, b"There are /metrics, /healthz and /readyz.\n"


class HealthServer(ThreadingHTTPServer):
    """HTTP server. `is_shared`: several processes listen on the address, and the kernel chooses which one answers."""

    daemon_threads = True

    def __init__(self, listen: str, look: ProcessHealth, *, is_shared: bool) -> None:
        host, port = parse_address(listen)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.allow_reuse_port = is_shared
        self.look = look
        try:
            super().__init__((host, port), Handler)
        except OSError as exc:
            why = exc.strerror or exc
            raise OSError(f"{listen} cannot be listened on: {why}. Each process needs an address of its own.") from exc

    def server_bind(self) -> None:
        """Bind without the DNS lookup that http.server adds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.exception("request from %s failed", client_address)


class Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_LIMIT_S

    def do_GET(self) -> None:
        assert isinstance(self.server, HealthServer)
        look = self.server.look
        try:
            status, kind, body = look.answer(self.path.partition("?")[0])
        finally:
            look.after()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: scrapes arrive every few seconds."""


def serve_health(listen: str, look: ProcessHealth, *, is_shared: bool = False) -> HealthServer:
    """Answer at `listen` (ADDRESS:PORT) from a thread of its own, until the process ends.

    Raises:
        ValueError: that is no address.
        OSError: it cannot be listened on.
    """
    server = HealthServer(listen, look, is_shared=is_shared)
    Thread(target=server.serve_forever, name="observed", daemon=True).start()
    return server


def _is_there(name: str, need: Need) -> bool:
    try:
        need()
    except NotReady as exc:
        log.warning("not ready: %s: %s", name, exc)
        return False
    return True

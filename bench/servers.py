"""Servers of images on loopback: some send a byte now and then and have no end, one sends a small image at once."""

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "localhost"
DRIP_EVERY_S = 2.0
IMAGE_BYTES = 8 * 2**20
ANNOUNCED_BYTES = 2**30


@dataclass
class Images:
    """`slow`, `honest`: addresses of an image."""

    slow: list[str]
    honest: str
    _servers: "list[_Server]"

    def dripping(self) -> int:
        """Return how many slow servers send an image now."""
        return sum(server.connections > 0 for server in self._servers)


@contextmanager
def serving(slow: int) -> Iterator[Images]:
    """Serve from slow servers and a fast one until the block ends."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        servers = [opened.enter_context(_running(_Server(_Slow))) for _ in range(slow)]
        honest = opened.enter_context(_running(_Server(_Honest)))
        honest.image = _image(Path(folder) / "small.qcow2")
        yield Images([server.url for server in servers], honest.url, servers)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    image = b""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://{HOST}:{self.server_address[1]}/image.qcow2"
        self.is_over = threading.Event()
        self.connections = 0
        self.lock = threading.Lock()

    def count(self, change: int) -> None:
        with self.lock:
            self.connections += change


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def begin(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


class _Honest(_Handler):
    def do_GET(self) -> None:
        self.begin(len(self.server.image))
        self.wfile.write(self.server.image)


class _Slow(_Handler):
    def do_GET(self) -> None:
        self.server.count(1)
        try:
            self.begin(ANNOUNCED_BYTES)
            with suppress(OSError):
                while not self.server.is_over.wait(DRIP_EVERY_S):
                    self.wfile.write(b"x")
        finally:
            self.server.count(-1)


@contextmanager
def _running(server: _Server) -> Iterator[_Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _image(path: Path) -> bytes:
    command = ["qemu-img", "create", "-q", "-f", "qcow2", str(path), str(IMAGE_BYTES)]
    subprocess.run(command, check=True)
    return path.read_bytes()

"""Connections from outside to the guest `web`, and what its neighbour `db` sees: what passes, the longest silence."""

import hashlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO

from scripts.polling import wait_until
from tests import processes
from tests.cloud.edge import Edge
from tests.limits import PATIENCE_S

UPLOAD, DOWNLOAD, DOWNLOAD6, INSIDE, IDLE, IDLE6 = range(9001, 9007)
BLOCK, EVERY_S = 1024, 0.01
# Lines until the file is there; what was sent is kept in a file of memory.
TICK = """echo 'i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo "$i of the stream"; usleep 10000; done' >/tmp/tick.sh
rm -f /tmp/stop"""
SERVE = "nc -l -p {port} -e sh -c 'sh /tmp/tick.sh | tee /tmp/{port}' >/dev/null 2>&1 </dev/null &"
# The longest time between two lines, in hundredths of a second.
LISTEN = (
    "last=; longest=0; while read -r line; do read -r now rest </proc/uptime; now=${{now%.*}}${{now#*.}};"
    ' [ -z "$last" ] || [ $((now-last)) -le $longest ] || {{ longest=$((now-last)); echo $longest >/tmp/{name}; }};'
    " last=$now; done"
)
MORE = 50  # lines or blocks that show that a connection goes on


@dataclass
class Received:
    """Digest, number of lines and longest silence of a connection so far."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    lines: int = 0
    longest_s: float = 0.0
    last_at: float | None = None

    def note(self, block: bytes) -> None:
        now = time.monotonic()
        if self.last_at is not None:
            self.longest_s = max(self.longest_s, now - self.last_at)
        self.last_at = now
        self.digest.update(block)
        self.lines += block.count(b"\n")


@dataclass
class Streams:
    """`public`: the IPv4 address outside; `own`: the guest's addresses by family. `in_web`, `in_db`: run a command."""

    edge: Edge
    public: str
    own: Mapping[str, str]
    in_web: Callable[[str], str]
    in_db: Callable[[str], str]
    downloads: dict[int, Received] = field(default_factory=dict)
    pings: Received = field(default_factory=Received)
    uploaded: int = 0
    sent: str = ""
    idle: list[socket.socket] = field(default_factory=list)
    streams: list[socket.socket] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run all connections, and end them in an orderly way at the end of the block."""
        self._listen()
        with ExitStack() as stack:
            threads = self._connect(stack)
            self._watch_inside()
            self.wait_for_more()
            yield
            self.is_over.set()
            self.in_web("touch /tmp/stop")
            for thread in threads:
                thread.join(PATIENCE_S)
                assert not thread.is_alive(), "the guest did not end its stream"
            for number, connection in enumerate(self.idle):
                connection.sendall(b"still here %d" % number)
                assert connection.recv(64) == b"still here %d" % number

    def wait_for_more(self) -> None:
        """Wait until each of them has brought more than it has now."""
        before = self._counts()

        def has_more() -> bool:
            now = self._counts()
            return all(now[name] >= count + MORE for name, count in before.items())

        wait_until(has_more, limit_s=PATIENCE_S, or_else=lambda: f"{before}, then {self._counts()}")

    def assert_whole(self) -> None:
        """Check that each side has received exactly what the other one has sent."""

        def sum_of(name: int) -> str:
            return self.in_web(f"sha256sum /tmp/{name}").split()[0]

        wait_until(lambda: sum_of(UPLOAD) == self.sent, limit_s=PATIENCE_S)
        for port, received in self.downloads.items():
            assert received.digest.hexdigest() == sum_of(port)

    def longest_silence_ms(self) -> dict[str, dict[str, int]]:
        inside = {name: int(self.in_db(f"cat /tmp/{name}")) * 10 for name in ("ping", "download")}
        outside = {
            "ping": self.pings.longest_s,
            "download": self.downloads[DOWNLOAD].longest_s,
            "download_ipv6": self.downloads[DOWNLOAD6].longest_s,
        }
        return {"outside_ms": {name: round(each * 1000) for name, each in outside.items()}, "inside_ms": inside}

    def _counts(self) -> dict[str, int]:
        downloads = {f"download {port}": each.lines for port, each in self.downloads.items()}
        return {"upload": self.uploaded // BLOCK, "pings": self.pings.lines, **downloads}

    def _listen(self) -> None:
        served = "\n".join(SERVE.format(port=port) for port in (DOWNLOAD, DOWNLOAD6, INSIDE))
        echoes = "\n".join(f"nc -l -p {port} -e cat >/dev/null 2>&1 </dev/null &" for port in (IDLE, IDLE6))
        """Start the six servers in the guest, each for one connection."""
        self.in_web(f"{TICK}\n{served}\n{echoes}\nnc -l -p {UPLOAD} </dev/null >/tmp/{UPLOAD} 2>/dev/null &")
        ports = "|".join(f"{port:04X}" for port in range(UPLOAD, IDLE6 + 1))
        listening = f"cat /proc/net/tcp /proc/net/tcp6 | grep -cE ':({ports}) .* 0A '"
        wait_until(
            lambda: self.in_web(f"{listening} || true") == "6",
            limit_s=PATIENCE_S,
            or_else=lambda: self.in_web("netstat -ltn"),
        )

    def _connect(self, stack: ExitStack) -> list[threading.Thread]:
        ipv6 = self.own["ipv6"]
        self.idle = [stack.enter_context(self.edge.connect(*to)) for to in ((self.public, IDLE), (ipv6, IDLE6))]
        upload = stack.enter_context(self.edge.connect(self.public, UPLOAD))
        self.streams = [upload]
        threads = [threading.Thread(target=self._upload, args=(upload,), daemon=True)]
        for address, port in ((self.public, DOWNLOAD), (ipv6, DOWNLOAD6)):
            connection = stack.enter_context(self.edge.connect(address, port))
            self.streams.append(connection)
            self.downloads[port] = Received()
            arguments = (connection, self.downloads[port])
            threads.append(threading.Thread(target=download, args=arguments, daemon=True))
        stack.callback(self._end, threads)
        for thread in threads:
            thread.start()
        command = self.edge.from_outside("ping", "-i", "0.02", self.public)
        ping = stack.enter_context(processes.running(command, stdout=subprocess.PIPE))
        assert ping.stdout is not None
        threading.Thread(target=self._ping, args=(ping.stdout,), daemon=True).start()
        return threads

    def _end(self, threads: list[threading.Thread]) -> None:
        """End the threads, also after a failure, before their connections are closed."""
        self.is_over.set()
        for connection in self.streams:
            with suppress(OSError):  # the guest has ended it
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(PATIENCE_S)

    def _watch_inside(self) -> None:
        """Let the neighbour note the silence of the same guest, within their network."""
        address = self.own["ipv4"]
        commands = {"download": f"nc {address} {INSIDE}", "ping": f"ping -i 0.05 {address}"}
        for name, command in commands.items():
            self.in_db(f"({command} </dev/null | ({LISTEN.format(name=name)})) >/dev/null 2>&1 </dev/null & echo begun")

    def _upload(self, connection: socket.socket) -> None:
        digest = hashlib.sha256()
        while not self.is_over.wait(EVERY_S):
            block = os.urandom(BLOCK)
            digest.update(block)
            connection.sendall(block)
            self.uploaded += BLOCK
        self.sent = digest.hexdigest()
        connection.shutdown(socket.SHUT_WR)

    def _ping(self, lines: IO[str]) -> None:
        for line in lines:
            if "icmp_seq=" in line:
                self.pings.note(b"\n")


def download(connection: socket.socket, received: Received) -> None:
    while block := connection.recv(65536):
        received.note(block)

"""Load generator with a low cost: one process, one thread, plain persistent sockets, requests as bytes.

A client sends, waits for the whole answer, and sends again. The generator's cost is measured and reported with the
rest, since it shares the processors with the measured server.
"""

import multiprocessing
import re
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
PIECE_BYTES = 2**18
SILENCE_S = 30


@dataclass(frozen=True)
class Call:
    """A request. `body`: of a number, to make it unique; None: no body. `status`: any other is an error."""

    method: str
    path: str
    status: int
    token: str = ""
    body: Callable[[int], bytes] | None = None

    def request(self, number: int) -> bytes:
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
        if self.token:
            head += f"Authorization: Bearer {self.token}\r\n"
        if self.body is None:
            return f"{head}\r\n".encode()
        body = self.body(number)
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Bounds:
    """Limits; the first one reached ends the run."""

    seconds: float
    requests: int


@dataclass
class Run:
    """One run. `cpu_s`: of the generator itself."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    samples_s: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return len(self.samples_s) / self.seconds


class Client:
    """One connection, with one request in progress."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer, self.expected, self.begun = b"", 0, 0.0

    def send(self, request: bytes) -> None:
        self.answer, self.expected, self.begun = b"", 0, time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Receive; returns whether the answer is complete."""
        piece = self.socket.recv(PIECE_BYTES)
        if not piece:
            raise SystemExit(f"The server closed a connection, after {self.answer[:500]!r}.")
        self.answer += piece
        if not self.expected:
            end = self.answer.find(b"\r\n\r\n")
            if end < 0:
                return False
            length = LENGTH.search(self.answer, 0, end + 2)
            if length is None:
                raise SystemExit(f"An answer without Content-Length: {self.answer[:end]!r}.")
            self.expected = end + 4 + int(length[1])
        return len(self.answer) >= self.expected


def run(port: int, call: Call, clients: int, bounds: Bounds, numbers: Iterator[int]) -> Run:
    """Run in a process of its own. `numbers`: for unique bodies."""
    first = next(numbers)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_run, args=(sender, port, call, clients, bounds, first))
    child.start()
    sender.close()
    try:
        result: Run = receiver.recv()
    except EOFError as exc:
        raise SystemExit("The load generator has ended; its output is above.") from exc
    finally:
        child.join()
    for _ in range(len(result.samples_s) + clients):
        next(numbers)
    return result


def _run(sender: "multiprocessing.connection.Connection[Run, Run]", *arguments: object) -> None:
    sender.send(_load(*arguments))  # type: ignore[arg-type]


def _load(port: int, call: Call, clients: int, bounds: Bounds, first: int) -> Run:
    result, number = Run(), first
    selector = selectors.DefaultSelector()
    begun, cpu = time.perf_counter(), time.process_time()
    ends = begun + bounds.seconds
    for _ in range(clients):
        client = Client(port)
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send(call.request(number))
        number += 1
    waiting = clients
    while waiting:
        ready = selector.select(SILENCE_S)
        if not ready:
            raise SystemExit(f"{call.method} {call.path}: no answer for {SILENCE_S} s.")
        for key, _ in ready:
            client = key.data
            if not client.receive():
                continue
            now = time.perf_counter()
            result.samples_s.append(now - client.begun)
            _check(call, client.answer)
            if now < ends and len(result.samples_s) + waiting <= bounds.requests:
                client.send(call.request(number))
                number += 1
            else:
                waiting -= 1
                selector.unregister(client.socket)
                client.socket.close()
    result.seconds, result.cpu_s = time.perf_counter() - begun, time.process_time() - cpu
    return result


def _check(call: Call, answer: bytes) -> None:
    status = STATUS.match(answer)
    if status is None or int(status[1]) != call.status:
        raise SystemExit(f"{call.method} {call.path} was answered {answer[:2000]!r}.")

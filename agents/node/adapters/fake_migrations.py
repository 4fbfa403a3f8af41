"""Migrations between fake nodes on one machine, also between processes: over a socket on loopback.

As between real nodes, the destination has the guest and does not run it until its source has let go of it.
"""

import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from agents.node.adapters.interfaces import GuestSpec
from agents.node.adapters.migrations import MigrationOptions, MigrationProgress, MigrationResult, MigrationTarget
from agents.node.errors import AdapterError, AgentError, AgentStopping, MigrationCancelled

log = logging.getLogger(__name__)

SCHEME = "fake"
ANSWER_WITHIN_S = 10.0
LOOK_S = 0.02
MAX_LINE_BYTES = 64 * 1024


class Movable(Protocol):
    """Actions of a fake node on its own guests."""

    def size_bytes(self, guest_id: UUID) -> int: ...

    def release_guest(self, guest_id: UUID) -> None:
        """Remove the guest from here."""

    def accept_guest(self, guest: GuestSpec) -> None:
        """Accept the guest, paused."""

    def throw_away(self, guest_id: UUID) -> None: ...

    def is_whole(self, guest_id: UUID) -> None:
        """Record that the guest has arrived completely."""

    def wake(self, guest_id: UUID, *, is_off: bool) -> None: ...


@dataclass(frozen=True)
class Expected:
    guest: GuestSpec
    is_off: bool


@dataclass
class FakeTransfer:
    """A migration: the fake hypervisor's own, which goes on after the agent's end."""

    total_bytes: int
    manner: MigrationOptions
    moved_bytes: int = 0
    is_cancelled: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)
    error: AdapterError | None = None

    @property
    def progress(self) -> MigrationProgress:
        return MigrationProgress(self.total_bytes, self.moved_bytes)


class FakeTunnel:
    """Migrations of one fake node.

    `move_s`: the duration of each; `hang`: none ends before it is cancelled. `before_the_end` is called when all is
    copied, and `after_the_end` when the guest was handed over, by tests of a failure at that point.
    """

    def __init__(self, node: Movable) -> None:
        self.move_s = 0.0
        self.hang = False
        self.before_the_end: Callable[[UUID], None] = lambda guest_id: None
        self.after_the_end: Callable[[UUID], None] = lambda guest_id: None
        self.expected: dict[UUID, Expected] = {}
        self.volumes: dict[UUID, Callable[[int], None]] = {}  # that are expected without a guest; called with the size
        self.journeys: dict[UUID, FakeTransfer] = {}
        self._node = node
        self._lock = threading.Lock()
        self._server: FakeTunnelListener | None = None

    @property
    def uri(self) -> str:
        with self._lock:
            if self._server is None:
                self._server = FakeTunnelListener(self)
            host, port = self._server.server_address[:2]
        return f"{SCHEME}://{host!s}:{port}"

    def begin(self, guest_id: UUID, uri: str, manner: MigrationOptions) -> FakeTransfer:
        """Start the migration, or return the one in progress."""
        with self._lock:
            journey = self.journeys.get(guest_id)
            if journey is None:
                journey = self.journeys[guest_id] = FakeTransfer(self._node.size_bytes(guest_id), manner)
                threading.Thread(target=self._travel, args=(guest_id, uri, journey), daemon=True).start()
            return journey

    def progress(self, guest_id: UUID) -> MigrationProgress | None:
        with self._lock:
            journey = self.journeys.get(guest_id)
        return journey.progress if journey is not None else None

    def cancel(self, guest_id: UUID) -> None:
        with self._lock:
            journey = self.journeys.get(guest_id)
        if journey is not None:
            journey.is_cancelled.set()

    def _travel(self, guest_id: UUID, uri: str, journey: FakeTransfer) -> None:
        try:
            self._move(guest_id, uri, journey)
        except AdapterError as exc:
            journey.error = exc
        except OSError as exc:
            journey.error = AdapterError(f"The destination does not answer: {exc}", retryable=True)
        finally:
            with self._lock:
                self.journeys.pop(guest_id, None)
            journey.is_over.set()

    def _move(self, guest_id: UUID, uri: str, journey: FakeTransfer) -> None:
        target = urlsplit(uri)
        if target.scheme != SCHEME:
            raise AdapterError(f"No fake node is found at {uri}.", retryable=False)
        address = (target.hostname, target.port)
        with socket.create_connection(address, ANSWER_WITHIN_S) as client, client.makefile("rwb") as stream:
            _exchange(stream, {"guest": str(guest_id)})
            self._copy(journey)
            self.before_the_end(guest_id)
            _exchange(stream, {"is_whole": True})
            self._node.release_guest(guest_id)
            _wake(stream)

    def _copy(self, journey: FakeTransfer) -> None:
        began = time.monotonic()
        while self.hang or time.monotonic() - began < self.move_s:
            if journey.is_cancelled.wait(LOOK_S):
                break
            share = min((time.monotonic() - began) / (self.move_s or 1), 1)
            journey.moved_bytes = round(journey.total_bytes * share)
        if journey.is_cancelled.is_set():
            raise MigrationCancelled()
        journey.moved_bytes = journey.total_bytes

    def serve(self, stream: Any) -> None:
        """Serve arrivals at the destination."""
        first = _receive_line(stream)
        if "volume" in first:
            self._serve_volume(stream, UUID(first["volume"]), int(first["size_bytes"]))
            return
        guest_id = UUID(first["guest"])
        expected = self.expected.get(guest_id)
        if expected is None:
            _reply(stream, f"Guest {guest_id} is not expected here.")
            return
        try:
            self._node.accept_guest(expected.guest)
        except AdapterError as exc:
            _reply(stream, exc.message)
            return
        _reply(stream, "")
        is_whole = False
        try:
            _receive_line(stream)
            if guest_id not in self.expected:
                raise EOFError  # it was turned away meanwhile
            is_whole = True
            self._node.is_whole(guest_id)
            _reply(stream, "")
            _receive_line(stream)
            self._node.wake(guest_id, is_off=expected.is_off)
            _reply(stream, "")
        except (EOFError, OSError):
            if not is_whole:
                self._node.throw_away(guest_id)

    def send_volume(self, volume_id: UUID, size_bytes: int, uri: str) -> None:
        """Send a volume without a guest.

        Raises:
            AdapterError: the other node does not answer, or refuses.
        """
        target = urlsplit(uri)
        try:
            with (
                socket.create_connection((target.hostname, target.port), ANSWER_WITHIN_S) as client,
                client.makefile("rwb") as stream,
            ):
                _exchange(stream, {"volume": str(volume_id), "size_bytes": size_bytes})
        except OSError as exc:
            raise AdapterError(f"The destination does not answer: {exc}", retryable=True) from exc

    def _serve_volume(self, stream: Any, volume_id: UUID, size_bytes: int) -> None:
        keep = self.volumes.get(volume_id)
        if keep is None:
            _reply(stream, f"Volume {volume_id} is not expected here.")
            return
        try:
            keep(size_bytes)
        except AgentError as exc:
            _reply(stream, exc.message)
            return
        _reply(stream, "")


class FakeTunnelListener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, tunnel: FakeTunnel) -> None:
        self.tunnel = tunnel
        super().__init__(("127.0.0.1", 0), _Conversation)
        threading.Thread(target=self.serve_forever, name="fake-moves", daemon=True).start()


class _Conversation(socketserver.StreamRequestHandler):
    server: FakeTunnelListener

    def handle(self) -> None:
        with self.request.makefile("rwb") as stream:
            self.server.tunnel.serve(stream)


class FakeMigrations:
    def __init__(self, tunnel: FakeTunnel, call: Callable[[str], Any]) -> None:
        self._tunnel = tunnel
        self._call = call
        self._is_closed = threading.Event()

    def accepts_incoming(self) -> bool:
        return True

    def expect(self, guest: GuestSpec, certificate_sha256: str, *, is_off: bool) -> str:
        with self._call("expect"):
            self._tunnel.expected[guest.id] = Expected(guest, is_off)
            return self._tunnel.uri

    def refuse(self, guest_id: UUID) -> None:
        with self._call("refuse"):
            self._tunnel.expected.pop(guest_id, None)

    def send(
        self, guest_id: UUID, route: MigrationTarget, manner: MigrationOptions, *, record: Callable[[], None]
    ) -> MigrationResult:
        with self._call("send"):
            journey = self._tunnel.begin(guest_id, route.uri, manner)
        while not journey.is_over.wait(LOOK_S):
            if self._is_closed.is_set():
                raise AgentStopping()
        if journey.error is not None:
            raise journey.error
        record()
        self._tunnel.after_the_end(guest_id)
        return MigrationResult(journey.progress, pause_ms=1)

    def cancel(self, guest_id: UUID) -> None:
        with self._call("cancel"):
            self._tunnel.cancel(guest_id)

    def progress(self, guest_id: UUID) -> MigrationProgress | None:
        with self._call("progress"):
            return self._tunnel.progress(guest_id)

    def close(self) -> None:
        self._is_closed.set()


def _exchange(stream: Any, question: dict[str, object]) -> None:
    """Send a message and wait for its acknowledgement.

    Raises:
        AdapterError: the other node refuses, or is gone.
    """
    _send_line(stream, question)
    try:
        reason = _receive_line(stream)["reason"]
    except EOFError:
        raise AdapterError("The destination closed the connection.", retryable=True) from None
    if reason:
        raise AdapterError(str(reason), retryable=False)


def _wake(stream: Any) -> None:
    """Wake the guest at the destination; the migration has succeeded, since the guest is gone here."""
    try:
        _exchange(stream, {"is_let_go": True})
    except (AdapterError, OSError) as exc:
        log.warning("guest resume failed at the destination", extra={"facts": {"problem": str(exc)}})


def _reply(stream: Any, reason: str) -> None:
    _send_line(stream, {"reason": reason})


def _send_line(stream: Any, message: dict[str, object]) -> None:
    stream.write(json.dumps(message).encode() + b"\n")
    stream.flush()


def _receive_line(stream: Any) -> dict[str, Any]:
    """Receive one line.

    Raises:
        EOFError: the other one has hung up.
    """
    text = stream.readline(MAX_LINE_BYTES)
    if not text:
        raise EOFError
    return dict(json.loads(text))

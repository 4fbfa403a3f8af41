"""Consoles: the agent shares one connection to a guest's serial console among all viewers; each display viewer has its
own.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.interfaces import ConsoleKind
from agents.node.context import Node
from agents.node.errors import AgentError, AgentStopping, Exhausted
from agents.node.services.guest_sessions import Places, check_running, why_over

MAX_CONSOLES = 64  # each keeps a thread of the server busy
MAX_VIEWERS = 8  # of one guest
MAX_SCROLLBACK_BYTES = 256 * 1024
MAX_PENDING_BYTES = 2**20  # a slower viewer is disconnected, so that no other waits for it
MAX_OUTPUT_BYTES = 64 * 1024
IDLE_LIMIT_S = 4 * 3600.0


class Viewer(Protocol):
    scrollback: bytes

    def read(self) -> bytes:
        """Return the output of the guest as soon as there is some; empty when the guest has stopped or `close` was
        called.

        Raises:
            Exhausted: the viewer was too slow, or the guest sent nothing for very long.
            AgentStopping: the agent ends.
            GuestMigrating: the guest goes on at another node.
        """

    def write(self, data: bytes) -> None: ...

    def close(self, reason: AgentError | None = None) -> None: ...


class SerialViewer:
    def __init__(self, channel: Channel, scrollback: bytes) -> None:
        self.scrollback = scrollback
        self._channel = channel
        self._pending = bytearray()
        self._is_over = False
        self._reason: AgentError | None = None
        self._changed = threading.Condition()

    def read(self) -> bytes:
        with self._changed:
            if not self._changed.wait_for(lambda: self._pending or self._is_over, timeout=IDLE_LIMIT_S):
                raise _idle()
            if self._reason is not None:
                raise self._reason
            data = bytes(self._pending[:MAX_OUTPUT_BYTES])
            del self._pending[:MAX_OUTPUT_BYTES]
            return data

    def write(self, data: bytes) -> None:
        self._channel.write(data)

    def push(self, data: bytes) -> None:
        """Queue output for the viewer; never waits."""
        with self._changed:
            if self._is_over:
                return
            self._pending += data
            self._changed.notify()
            if len(self._pending) <= MAX_PENDING_BYTES:
                return
            self._pending.clear()
        self.close(Exhausted("The viewer reads too slowly for the guest's output. Open the console again."))

    def close(self, reason: AgentError | None = None) -> None:
        with self._changed:
            self._is_over, self._reason = True, self._reason or reason
            self._changed.notify()


class DisplayViewer:
    scrollback = b""

    def __init__(self, channel: Channel, why_over: Callable[[], AgentError | None]) -> None:
        self._channel = channel
        self._why_over = why_over
        self._reason: AgentError | None = None

    def read(self) -> bytes:
        try:
            data = self._channel.read(IDLE_LIMIT_S)
        except TimeoutError:
            raise _idle() from None
        reason = self._reason or (None if data else self._why_over())
        if reason is not None:
            raise reason
        return data

    def write(self, data: bytes) -> None:
        self._channel.write(data)

    def close(self, reason: AgentError | None = None) -> None:
        self._reason = self._reason or reason
        self._channel.close()


class SerialConnection:
    """The connection to one guest's serial console: open while it has viewers, or until the guest stops."""

    def __init__(self, channel: Channel, before: bytes, why_over: Callable[[], AgentError | None]) -> None:
        """Create the connection. `why_over` is called when the guest's end has closed."""
        self._channel = channel
        self._why_over = why_over
        self._recent = bytearray(before)
        self._viewers: set[SerialViewer] = set()
        self._lock = threading.Lock()
        self.is_over = False
        self._thread = threading.Thread(target=self._run, name="serial-line", daemon=True)
        self._thread.start()

    def join(self, scrollback_bytes: int) -> SerialViewer:
        with self._lock:
            recent = bytes(self._recent[-scrollback_bytes:]) if scrollback_bytes else b""
            viewer = SerialViewer(self._channel, recent)
            self._viewers.add(viewer)
            if self.is_over:
                viewer.close()
        return viewer

    def leave(self, viewer: SerialViewer) -> None:
        """Remove the viewer; the last one closes the connection."""
        with self._lock:
            self._viewers.discard(viewer)
            if not self._viewers:
                self._hang_up()

    def end(self) -> None:
        """Hang up, and wait until no query about the guest is pending."""
        with self._lock:
            self._hang_up()
        self._thread.join()

    def _hang_up(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._channel.close()

    def _run(self) -> None:
        while data := self._channel.read():
            with self._lock:
                self._recent += data
                del self._recent[:-MAX_SCROLLBACK_BYTES]
                for viewer in self._viewers:
                    viewer.push(data)
        reason = None if self.is_over else self._why_over()
        with self._lock:
            self.is_over = True
            for viewer in self._viewers:
                viewer.close(reason)
        self._channel.release()


class Consoles:
    """Holds all consoles that are open on the node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lines: dict[UUID, SerialConnection] = {}
        self._viewers: set[Viewer] = set()
        self._places = Places("consoles")
        self._is_stopping = False
        self._lock = threading.Lock()

    @contextmanager
    def open(self, instance_id: UUID, kind: ConsoleKind, *, scrollback_bytes: int) -> Iterator[Viewer]:
        """Open a console for a viewer.

        Raises:
            NotFound, GuestNotRunning, NoConsole
            Exhausted: the console or the node has too many viewers.
            AgentStopping: the agent ends.
        """
        with self._places.take(instance_id, of_node=MAX_CONSOLES, of_guest=MAX_VIEWERS):
            check_running(self._node, instance_id)
            if kind is ConsoleKind.VNC:
                with self._display(instance_id) as display:
                    yield display
            else:
                with self._serial(instance_id, scrollback_bytes) as viewer:
                    yield viewer

    def close(self) -> None:
        """Close all consoles at the agent's end, without waiting for viewers; the state store may be closed
        afterwards.
        """
        with self._lock:
            self._is_stopping = True
            for viewer in self._viewers:
                viewer.close(AgentStopping())
            lines = list(self._lines.values())
        for line in lines:
            line.end()

    @contextmanager
    def _known(self, viewer: Viewer) -> Iterator[None]:
        """Register the viewer, so that `close` reaches it."""
        with self._lock:
            if self._is_stopping:
                raise AgentStopping()
            self._viewers.add(viewer)
        try:
            yield
        finally:
            with self._lock:
                self._viewers.discard(viewer)

    @contextmanager
    def _display(self, instance_id: UUID) -> Iterator[Viewer]:
        channel = self._node.adapters.hypervisor.open_console(instance_id, ConsoleKind.VNC)
        viewer = DisplayViewer(channel, partial(why_over, self._node, instance_id))
        try:
            with self._known(viewer):
                yield viewer
        finally:
            channel.close()
            channel.release()

    @contextmanager
    def _serial(self, instance_id: UUID, scrollback_bytes: int) -> Iterator[Viewer]:
        with self._node.locks.hold(("console", instance_id)):
            line = self._lines.get(instance_id)
            if line is None or line.is_over:
                line = self._lines[instance_id] = self._new_line(instance_id)
            viewer = line.join(scrollback_bytes)
        try:
            with self._known(viewer):
                yield viewer
        finally:
            with self._node.locks.hold(("console", instance_id)):
                line.leave(viewer)
                if line.is_over and self._lines.get(instance_id) is line:
                    line.end()
                    del self._lines[instance_id]

    def _new_line(self, instance_id: UUID) -> SerialConnection:
        """Create the connection; the log so far comes first. Output of this very moment may appear twice."""
        adapters = self._node.adapters
        channel = adapters.hypervisor.open_console(instance_id, ConsoleKind.SERIAL)
        most = MAX_SCROLLBACK_BYTES
        try:
            before = adapters.disks.read_console(instance_id, offset=-most, max_bytes=most)
        except BaseException:
            channel.release()
            raise
        return SerialConnection(channel, before.data, partial(why_over, self._node, instance_id))


def _idle() -> Exhausted:
    return Exhausted(f"The guest wrote nothing for {IDLE_LIMIT_S / 3600:.0f} hours.")

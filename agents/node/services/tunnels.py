"""Tunnels: one TCP connection to a guest each, from the router of its network on this node."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from agents.node.adapters.channel import Channel
from agents.node.adapters.network_specs import PortSpec
from agents.node.context import Node
from agents.node.errors import (
    AdapterError,
    AgentError,
    AgentStopping,
    BadRequest,
    Exhausted,
    GuestNotRunning,
    TcpRefused,
    TcpReset,
    TcpTimedOut,
)
from agents.node.services.guest_sessions import Places, check_running, why_over
from agents.node.specs import TunnelSpec

MAX_TUNNELS = 64  # each keeps a thread of the server busy
MAX_OF_GUEST = 32
CONNECT_LIMIT_S = 5.0
CHECK_S = 5.0  # whether the guest still runs, while it sends nothing: a stopped one does not hang up
IDLE_LIMIT_S = 4 * 3600.0


class Tunnel:
    """One connection. One thread reads the guest's bytes, another one writes the caller's; any thread may close it."""

    def __init__(self, channel: Channel, guest_id: UUID, check_guest: Callable[[], None]) -> None:
        """Create it. `check_guest` raises an AgentError when the guest no longer runs here."""
        self._channel = channel
        self._guest_id = guest_id
        self._check_guest = check_guest
        self._reason: AgentError | None = None
        self._is_closed = False
        self._caller_ended = threading.Event()
        self._last = time.monotonic()

    def output(self) -> Iterator[bytes]:
        """Yield the guest's bytes as they come, and an empty value when it sends nothing more; then wait for the caller
        to end as well.

        Raises:
            TcpReset, GuestNotRunning, GuestMigrating, AgentStopping
            Exhausted: neither side sent anything for very long.
        """
        while data := self._read():
            self._last = time.monotonic()
            yield data
        self._check_open()
        yield b""
        while not self._caller_ended.wait(CHECK_S):
            self._check()
        self._check_open()

    def write(self, data: bytes) -> None:
        """Write to the guest; returns when it has taken all bytes, however long that takes, or has gone."""
        self._channel.write(data)
        self._last = time.monotonic()
        if self._channel.is_reset:
            self.close(TcpReset(self._guest_id))

    def end_writing(self) -> None:
        """Tell the guest that the caller sends nothing more."""
        self._channel.end_writing()
        self._caller_ended.set()

    def close(self, reason: AgentError | None = None) -> None:
        self._reason = self._reason or reason
        self._is_closed = True
        self._channel.close()
        self._caller_ended.set()

    def _read(self) -> bytes:
        while True:
            try:
                return self._channel.read(CHECK_S)
            except TimeoutError:
                self._check()

    def _check(self) -> None:
        if time.monotonic() - self._last > IDLE_LIMIT_S:
            raise Exhausted(f"Neither side sent anything for {IDLE_LIMIT_S / 3600:.0f} hours.")
        self._check_guest()

    def _check_open(self) -> None:
        if self._reason is not None:
            raise self._reason
        if self._channel.is_reset and not self._is_closed:
            raise TcpReset(self._guest_id)


class Tunnels:
    """Holds all tunnels that are open on the node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._open: set[Tunnel] = set()
        self._places = Places("tunnels")
        self._is_stopping = False
        self._lock = threading.Lock()

    @contextmanager
    def open(self, spec: TunnelSpec) -> Iterator[Tunnel]:
        """Connect to the guest.

        Raises:
            NotFound, GuestNotRunning, TcpRefused, TcpTimedOut
            BadRequest: the network card or the address is not the guest's.
            Exhausted: the guest or the node has too many tunnels.
            AgentStopping: the agent ends.
        """
        with self._places.take(spec.instance_id, of_node=MAX_TUNNELS, of_guest=MAX_OF_GUEST):
            check_running(self._node, spec.instance_id)
            channel = self._connect(self._card(spec), spec)
            tunnel = Tunnel(channel, spec.instance_id, partial(self._check_guest, spec))
            try:
                with self._known(tunnel):
                    yield tunnel
            finally:
                tunnel.close()
                channel.release()

    def close(self) -> None:
        """Close all tunnels at the agent's end, without waiting for callers."""
        with self._lock:
            self._is_stopping = True
            for tunnel in self._open:
                tunnel.close(AgentStopping())

    def _card(self, spec: TunnelSpec) -> PortSpec:
        store = self._node.state_store
        if spec.port_id not in store.instances.require(spec.instance_id).spec.port_ids:
            raise BadRequest("header.port_id", "is no network card of the guest")
        port: PortSpec = store.ports.require(spec.port_id).spec
        if spec.address not in port.addresses:
            raise BadRequest("header.address", "is no address of the network card")
        return port

    def _connect(self, port: PortSpec, spec: TunnelSpec) -> Channel:
        switch = self._node.adapters.switch
        try:
            return switch.connect_tcp(port, spec.address, spec.tcp_port, timeout_s=CONNECT_LIMIT_S)
        except ConnectionRefusedError:
            raise TcpRefused(spec.instance_id, spec.tcp_port) from None
        except TimeoutError:
            raise TcpTimedOut(spec.instance_id, spec.tcp_port) from None

    @contextmanager
    def _known(self, tunnel: Tunnel) -> Iterator[None]:
        """Register the tunnel, so that `close` reaches it."""
        with self._lock:
            if self._is_stopping:
                raise AgentStopping()
            self._open.add(tunnel)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(tunnel)

    def _check_guest(self, spec: TunnelSpec) -> None:
        """Check that the guest runs here and has the card; a hypervisor that does not answer says nothing about it."""
        try:
            check_running(self._node, spec.instance_id)
        except GuestNotRunning as exc:
            raise why_over(self._node, spec.instance_id) or exc from None
        except AdapterError:
            return
        self._card(spec)

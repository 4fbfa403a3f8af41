"""Destination's end of the tunnel: a port on which only expected guests arrive."""

import logging
import secrets
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from agents.node.adapters.migration_tunnel import peer_auth
from agents.node.adapters.migration_tunnel.libvirt_calls import MigrationOnly
from agents.node.adapters.migration_tunnel.peer_auth import PeerRejected
from agents.node.adapters.migration_tunnel.pending_connections import PendingConnections
from agents.node.adapters.migration_tunnel.relay import detect_disconnect, relay, shut_down
from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

KNOCK, WAKE, VARIABLES, LIBVIRT = "knock", "wake", "variables", "libvirt"
# Opened before the guest is paused, and used while it is: an agent of before knows WAKE alone.
HANDOVER = "handover"
# Of a volume without a guest: its content, and then that all of it was sent.
VOLUME, WHOLE_VOLUME = "volume", "whole-volume"


class IncomingGuests(Protocol):
    def expects(self, guest_id: UUID, fingerprint: str) -> bool: ...

    def connect(self, guest_id: UUID, channel: str) -> socket.socket:
        """Connect to the local socket of the guest's `channel`.

        Raises:
            PeerRejected: there is no such channel.
            OSError: no process listens.
        """

    def wake(self, guest_id: UUID) -> None:
        """Wake the guest: it has arrived completely, and its source has let go of it."""

    def add_connections(self, guest_id: UUID, block: bytes) -> None:
        """Add the guest's open connections to this node's connection tracking table.

        Raises:
            AdapterError: it has had some already, or they cannot be added.
        """

    def keep_variables(self, guest_id: UUID, variables: bytes) -> None:
        """Store the firmware variables of a guest that arrives off.

        Raises:
            PeerRejected: it comes otherwise.
            OSError: the disk.
        """

    def keep_volume(self, volume_id: UUID) -> None:
        """Keep a volume, all of which has arrived.

        Raises:
            AdapterError: it has not, is not expected, or cannot be kept.
        """


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Parse ADDRESS:PORT.

        Raises:
            ValueError: this is no ADDRESS:PORT.
        """
        host, colon, port = text.rpartition(":")
        if not (host and colon and port.isdecimal() and int(port) < 2**16):
            raise ValueError(f"{text!r} is no ADDRESS:PORT.")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TunnelListener(socketserver.ThreadingTCPServer):
    """Accepts connections from its creation until `stop`."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        address: Address,
        node: peer_auth.NodeCredentials,
        inside: IncomingGuests,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start listening. `now`: see `PendingConnections`.

        Raises:
            OSError: the address cannot be listened on.
        """
        self.inside = inside
        self.fingerprint = node.fingerprint
        self.context = node.server_context()
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._open: dict[UUID, set[socket.socket]] = {}
        self.pending = PendingConnections(now=now)
        self._lock = threading.Lock()
        super().__init__((address.host, address.port), _TunnelHandler)
        threading.Thread(target=self.serve_forever, name="door", daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        with self._lock:
            guests = list(self._open)
        for guest_id in guests:
            self.throw_out(guest_id)

    def throw_out(self, guest_id: UUID) -> None:
        """Close the connections that bring this guest."""
        with self._lock:
            connections = list(self._open.get(guest_id, ()))
        for connection in connections:
            shut_down(connection)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self.pending.admit(request, str(client_address[0]))

    def service_actions(self) -> None:
        """End overdue connections. `serve_forever` calls this at least twice a second."""
        self.pending.end_late_ones()

    def shutdown_request(self, request: Any) -> None:
        self.pending.remove(request)
        super().shutdown_request(request)

    @contextmanager
    def let_in(self, guest_id: UUID, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.setdefault(guest_id, set()).add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open[guest_id].discard(connection)


class _TunnelHandler(socketserver.BaseRequestHandler):
    server: TunnelListener
    request: socket.socket

    def handle(self) -> None:
        detect_disconnect(self.request)
        self.request.settimeout(peer_auth.TIMEOUT_S)
        try:
            tls, guest_id, lead = self._greet()
        except (OSError, AdapterError) as exc:
            facts = {"from": self.client_address[0], "problem": str(exc)}
            log.warning("connection rejected", extra={"facts": facts})
            return
        try:
            with tls, self.server.let_in(guest_id, tls):
                lead(tls)
        except (OSError, PeerRejected) as exc:
            log.warning("incoming connection closed", extra={"facts": {"id": guest_id, "problem": str(exc)}})

    def _greet(self) -> "tuple[ssl.SSLSocket, UUID, Callable[[ssl.SSLSocket], None]]":
        """Authenticate the peer.

        Raises:
            OSError, AdapterError: the peer is not expected; it receives the reason if possible.
        """
        pending, request = self.server.pending, self.request
        tls = self.server.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        try:
            pending.replace(request, tls)
            tls.do_handshake()
            nonce = secrets.token_hex(32)
            peer_auth.send_message(tls, {"nonce": nonce})
            try:
                claim = peer_auth.read_claim(peer_auth.receive_message(tls), nonce=nonce, to=self.server.fingerprint)
                if not self.server.inside.expects(claim.guest_id, claim.fingerprint):
                    raise PeerRejected(f"Guest {claim.guest_id} is not expected here, or not from this node.")
                pending.remove(request)
                lead = self._lead(claim.guest_id, claim.channel)
            except (AdapterError, OSError) as exc:
                peer_auth.send_message(tls, {"reason": str(exc)})
                raise
            peer_auth.send_message(tls, {"reason": ""})
        except BaseException:
            tls.close()
            raise
        return tls, claim.guest_id, lead

    def _lead(self, guest_id: UUID, channel: str) -> Callable[[ssl.SSLSocket], None]:
        if channel in (KNOCK, WAKE):
            if channel == WAKE:
                self.server.inside.wake(guest_id)
            return lambda tls: None
        if channel == WHOLE_VOLUME:
            self.server.inside.keep_volume(guest_id)
            return lambda tls: None
        if channel == VARIABLES:
            return partial(self._keep_variables, guest_id)
        if channel == HANDOVER:
            return partial(self._take_over, guest_id)
        local = self.server.inside.connect(guest_id, channel)
        passes = MigrationOnly().passes if channel == LIBVIRT else None

        def lead(tls: ssl.SSLSocket) -> None:
            with local:
                relay(tls, local, passes=passes)

        return lead

    def _take_over(self, guest_id: UUID, tls: ssl.SSLSocket) -> None:
        """Take the connections of a guest that is paused, and then wake it."""
        tls.settimeout(None)  # the migration takes its time
        is_over = False
        while not is_over:
            message = peer_auth.receive_message(tls)
            is_over, reason = "size_bytes" not in message, ""
            try:
                if not is_over:
                    self.server.inside.add_connections(guest_id, peer_auth.receive_rest(tls, message))
                elif message.get("is_gone") is True:
                    self.server.inside.wake(guest_id)
            except AdapterError as exc:
                reason = exc.message
            peer_auth.send_message(tls, {"reason": reason})

    def _keep_variables(self, guest_id: UUID, tls: ssl.SSLSocket) -> None:
        self.server.inside.keep_variables(guest_id, peer_auth.receive_block(tls))
        peer_auth.send_message(tls, {"reason": ""})

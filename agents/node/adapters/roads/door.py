"""The destination's end: a port on which other nodes bring guests, and nobody is let in who is not expected."""

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

from agents.node.adapters.roads import proof
from agents.node.adapters.roads.libvirt_calls import MigrationOnly
from agents.node.adapters.roads.pipe import find_out_when_gone, hang_up, pipe
from agents.node.adapters.roads.proof import NotLetIn
from agents.node.adapters.roads.strangers import Strangers
from agents.node.errors import AdapterError

log = logging.getLogger(__name__)

KNOCK, WAKE, VARIABLES, LIBVIRT = "knock", "wake", "variables", "libvirt"


class Inside(Protocol):
    def expects(self, guest_id: UUID, fingerprint: str) -> bool: ...

    def connect(self, guest_id: UUID, channel: str) -> socket.socket:
        """To what the guest's `channel` leads to here.

        Raises:
            NotLetIn: there is no such channel.
            OSError: nobody is there.
        """

    def wake(self, guest_id: UUID) -> None:
        """The guest has wholly come, and its source has let go of it."""

    def keep_variables(self, guest_id: UUID, variables: bytes) -> None:
        """What the firmware of a guest remembers that comes as one that is off.

        Raises:
            NotLetIn: it comes otherwise.
            OSError: the disk.
        """


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """
        Raises:
            ValueError: this is no ADDRESS:PORT.
        """
        host, colon, port = text.rpartition(":")
        if not (host and colon and port.isdecimal() and int(port) < 2**16):
            raise ValueError(f"{text!r} is no ADDRESS:PORT.")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Door(socketserver.ThreadingTCPServer):
    """Answers from the moment it is made until `stop`."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, address: Address, node: proof.Self, inside: Inside, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`now`: see `Strangers`.

        Raises:
            OSError: the address cannot be listened on.
        """
        self.inside = inside
        self.fingerprint = node.fingerprint
        self.context = node.server_context()
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._open: dict[UUID, set[socket.socket]] = {}
        self.strangers = Strangers(now=now)
        self._lock = threading.Lock()
        super().__init__((address.host, address.port), _Visit)
        threading.Thread(target=self.serve_forever, name="door", daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        with self._lock:
            guests = list(self._open)
        for guest_id in guests:
            self.throw_out(guest_id)

    def throw_out(self, guest_id: UUID) -> None:
        """Whoever brings this guest."""
        with self._lock:
            connections = list(self._open.get(guest_id, ()))
        for connection in connections:
            hang_up(connection)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self.strangers.take_place(request, str(client_address[0]))

    def service_actions(self) -> None:
        """Called by `serve_forever` at least twice a second."""
        self.strangers.end_late_ones()

    def shutdown_request(self, request: Any) -> None:
        self.strangers.leave(request)
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


class _Visit(socketserver.BaseRequestHandler):
    server: Door
    request: socket.socket

    def handle(self) -> None:
        find_out_when_gone(self.request)
        self.request.settimeout(proof.WITHIN_S)
        try:
            tls, guest_id, lead = self._greet()
        except (OSError, AdapterError) as exc:
            facts = {"from": self.client_address[0], "problem": str(exc)}
            log.warning("not let in", extra={"facts": facts})
            return
        try:
            with tls, self.server.let_in(guest_id, tls):
                lead(tls)
        except (OSError, NotLetIn) as exc:
            log.warning("a visit was ended", extra={"facts": {"id": guest_id, "problem": str(exc)}})

    def _greet(self) -> "tuple[ssl.SSLSocket, UUID, Callable[[ssl.SSLSocket], None]]":
        """
        Raises:
            OSError, AdapterError: it is nobody who is expected, and was told so if possible.
        """
        strangers, request = self.server.strangers, self.request
        tls = self.server.context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        try:
            strangers.goes_on_as(request, tls)
            tls.do_handshake()
            nonce = secrets.token_hex(32)
            proof.say(tls, {"nonce": nonce})
            try:
                claim = proof.read_claim(proof.heard(tls), nonce=nonce, to=self.server.fingerprint)
                if not self.server.inside.expects(claim.guest_id, claim.fingerprint):
                    raise NotLetIn(f"Guest {claim.guest_id} is not expected here, or not from this node.")
                strangers.leave(request)
                lead = self._lead(claim.guest_id, claim.channel)
            except (AdapterError, OSError) as exc:
                proof.say(tls, {"reason": str(exc)})
                raise
            proof.say(tls, {"reason": ""})
        except BaseException:
            tls.close()
            raise
        return tls, claim.guest_id, lead

    def _lead(self, guest_id: UUID, channel: str) -> Callable[[ssl.SSLSocket], None]:
        if channel in (KNOCK, WAKE):
            if channel == WAKE:
                self.server.inside.wake(guest_id)
            return lambda tls: None
        if channel == VARIABLES:
            return partial(self._keep_variables, guest_id)
        local = self.server.inside.connect(guest_id, channel)
        passes = MigrationOnly().passes if channel == LIBVIRT else None

        def lead(tls: ssl.SSLSocket) -> None:
            with local:
                pipe(tls, local, passes=passes)

        return lead

    def _keep_variables(self, guest_id: UUID, tls: ssl.SSLSocket) -> None:
        self.server.inside.keep_variables(guest_id, proof.heard_block(tls))
        proof.say(tls, {"reason": ""})

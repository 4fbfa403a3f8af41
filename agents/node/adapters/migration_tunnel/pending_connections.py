"""Connections that are not authenticated yet; each occupies a thread of the listener.

They have `PLACES` places, each for `peer_auth.TIMEOUT_S` in all, however slow they are. An address has at most
`PLACES_PER_ADDRESS`. When all places are taken, a new connection gets the place of the oldest connection from the
address which has most: so a connection from an address with fewer always finds a place.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from agents.node.adapters.migration_tunnel import peer_auth
from agents.node.adapters.migration_tunnel.relay import shut_down

PLACES = 64
PLACES_PER_ADDRESS = 16


@dataclass(slots=True)
class PendingConnection:
    connection: socket.socket
    address: str
    until: float


class PendingConnections:
    """Holds the places. Safe for use by many threads. `now`: a clock that never goes back, in seconds."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._places: dict[socket.socket, PendingConnection] = {}  # the oldest first
        self._lock = threading.Lock()

    def admit(self, request: socket.socket, address: str) -> bool:
        """Give the connection a place; False if its address has its maximum already."""
        victim = None
        with self._lock:
            taken = Counter(pending.address for pending in self._places.values())
            if taken[address] >= PLACES_PER_ADDRESS:
                return False
            if len(self._places) >= PLACES:
                victim = self._oldest_of(max(taken, key=taken.__getitem__))
            self._places[request] = PendingConnection(request, address, self._now() + peer_auth.TIMEOUT_S)
        if victim is not None:
            shut_down(victim)
        return True

    def replace(self, request: socket.socket, tls: socket.socket) -> None:
        """Replace the connection by its TLS connection.

        Raises:
            PeerRejected: it has lost its place.
        """
        with self._lock:
            pending = self._places.get(request)
            if pending is None:
                raise peer_auth.PeerRejected("Others needed the place.")
            pending.connection = tls

    def remove(self, request: socket.socket) -> None:
        """Remove a connection that is authenticated or gone. May be repeated."""
        with self._lock:
            self._places.pop(request, None)

    def end_late_ones(self) -> None:
        with self._lock:
            now = self._now()
            late = [request for request, pending in self._places.items() if pending.until <= now]
            connections = [self._places.pop(request).connection for request in late]
        for connection in connections:
            shut_down(connection)

    def _oldest_of(self, address: str) -> socket.socket:
        oldest = next(request for request, pending in self._places.items() if pending.address == address)
        return self._places.pop(oldest).connection

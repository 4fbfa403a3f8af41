"""Open node streams, exported as metrics and readiness."""

import time
from uuid import UUID

from prometheus_client import Counter, Gauge

from telemetry.http_endpoint import NotReady

STREAMS = Gauge("andromede_watcher_streams", "Open event streams of nodes.")
MESSAGES = Counter("andromede_watcher_messages_total", "Messages received from nodes.", ["kind"])
DROPPED = Counter("andromede_watcher_samples_dropped_total", "Lost usage samples of guests.")
REFRESH_TIMEOUT_S = 30


class StreamRegistry:
    """The open streams. `looked_at`: when the watcher last read the list of nodes."""

    def __init__(self) -> None:
        self.known = 0
        self.connected: set[UUID] = set()
        self.looked_at = time.monotonic()

    def set_known(self, count: int) -> None:
        self.known, self.looked_at = count, time.monotonic()

    def mark_alive(self, node_id: UUID, kind: str) -> None:
        MESSAGES.labels(kind).inc()
        self.connected.add(node_id)
        STREAMS.set(len(self.connected))

    def discard_node(self, node_id: UUID) -> None:
        self.connected.discard(node_id)
        STREAMS.set(len(self.connected))

    def require_streams(self) -> None:
        """Check readiness: unreachable nodes are no fault of the watcher, unless all are. Raises NotReady."""
        if time.monotonic() - self.looked_at > REFRESH_TIMEOUT_S:
            raise NotReady("the watcher has stopped looking for nodes")
        if self.known and not self.connected:
            raise NotReady(f"none of {self.known} nodes is heard")

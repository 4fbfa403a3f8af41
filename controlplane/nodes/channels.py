"""Channels to the agents: one per node and process, with a limit on concurrent calls.

A node that hangs answers no call, and each call holds a thread until its timeout. With the limit such a node holds a
few threads of a process, and calls to other nodes go on. Transfers of images have no limit here: they take minutes on a
healthy node. A channel is closed when its node has another address, and when the node has not been called for IDLE_S,
as after it was retired. Running calls end first.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import grpc
from django.conf import settings

from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.nodes.errors import NodeBusy
from controlplane.nodes.models import Node
from controlplane.nodes.pki import server_name

CHANNEL_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
IDLE_S = 900.0
SWEEP_EVERY_S = 60.0


def is_agent_address(address: str) -> bool:
    """Tell if the address is written HOST:PORT."""
    host, _, port = address.rpartition(":")
    return bool(host) and address.isprintable() and port.isdecimal() and 0 < int(port) < 2**16


def channel_credentials(process: str) -> grpc.ChannelCredentials:
    """Load the certificate of one of our processes ("worker", "watcher")."""
    folder: Path = settings.PKI_DIR
    return grpc.ssl_channel_credentials(
        root_certificates=(folder / "ca.crt").read_bytes(),
        private_key=(folder / f"{process}.key").read_bytes(),
        certificate_chain=(folder / f"{process}.crt").read_bytes(),
    )


def channel_options(node_id: UUID) -> tuple[tuple[str, object], ...]:
    return (*CHANNEL_OPTIONS, ("grpc.ssl_target_name_override", server_name(node_id)))


@dataclass(slots=True)
class NodeChannel:
    """A channel. `calls`: running on it, transfers too. `slots`: of the calls that are limited."""

    address: str
    channel: grpc.Channel
    stub: AgentStub
    slots: threading.BoundedSemaphore
    used_at: float
    calls: int = 0
    is_replaced: bool = False


_channels: dict[UUID, NodeChannel] = {}
_lock = threading.Lock()
_swept_at = 0.0


@contextmanager
def calling(node: Node, *, is_limited: bool = True) -> Iterator[AgentStub]:
    """Yield the stub for one call.

    Raises:
        NodeBusy: settings.AGENT_CALLS_PER_NODE limited calls are running, and none of them ended within
            settings.AGENT_SLOT_WAIT_S.
    """
    node_channel = _acquire(node)
    try:
        if is_limited and not node_channel.slots.acquire(timeout=settings.AGENT_SLOT_WAIT_S):
            raise NodeBusy(cause="too many calls to it are under way", calls=settings.AGENT_CALLS_PER_NODE)
        try:
            yield node_channel.stub
        finally:
            if is_limited:
                node_channel.slots.release()
    finally:
        _release(node_channel)


def addresses() -> dict[UUID, str]:
    """Return the channels that are open for new calls: node id → address."""
    with _lock:
        return {node_id: node_channel.address for node_id, node_channel in _channels.items()}


def close() -> None:
    """Close all channels, also under running calls."""
    with _lock:
        open_channels = list(_channels.values())
        _channels.clear()
    for node_channel in open_channels:
        node_channel.channel.close()


def _acquire(node: Node) -> NodeChannel:
    now = time.monotonic()
    with _lock:
        left = _sweep(now)
        node_channel = _channels.get(node.pk)
        if node_channel is not None and node_channel.address != node.address:
            node_channel.is_replaced = True
            left += [node_channel] if not node_channel.calls else []
            node_channel = None
        if node_channel is None:
            node_channel = _channels[node.pk] = _open(node, now)
        node_channel.calls += 1
        node_channel.used_at = now
    for each in left:
        each.channel.close()
    return node_channel


def _release(node_channel: NodeChannel) -> None:
    with _lock:
        node_channel.calls -= 1
        node_channel.used_at = time.monotonic()
        is_over = node_channel.is_replaced and not node_channel.calls
    if is_over:
        node_channel.channel.close()


def _open(node: Node, now: float) -> NodeChannel:
    channel = grpc.secure_channel(node.address, channel_credentials(settings.PROCESS), options=channel_options(node.pk))
    stub = AgentStub(channel)  # type: ignore[no-untyped-call]
    return NodeChannel(node.address, channel, stub, threading.BoundedSemaphore(settings.AGENT_CALLS_PER_NODE), now)


def _sweep(now: float) -> list[NodeChannel]:
    """Remove the channels that were idle for IDLE_S; checks once in SWEEP_EVERY_S."""
    global _swept_at
    if now < _swept_at + SWEEP_EVERY_S:
        return []
    _swept_at = now
    unused_since = now - IDLE_S
    idle = [node_id for node_id, each in _channels.items() if not each.calls and each.used_at <= unused_since]
    return [_channels.pop(node_id) for node_id in idle]

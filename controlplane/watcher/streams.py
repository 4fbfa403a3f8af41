"""Streams: keep one open to every node, and write the messages.

Streams live on one event loop; database work goes to one thread, so that the messages of a node are written in order,
those of all nodes that have arrived meanwhile together (batches.py). Usage samples have another thread (usage.py),
which delays no stream. A stream that breaks, for whatever reason, is opened again. reconcilers/node_liveness.py detects
unreachable nodes from the rows alone, also when this process is down.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar
from uuid import UUID

import grpc
import grpc.aio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import Error as DatabaseDown
from django.db import close_old_connections

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.nodes.channels import channel_credentials, channel_options
from controlplane.nodes.models import Node
from controlplane.watcher import receipts, storage_receipts
from controlplane.watcher.stream_registry import StreamRegistry
from controlplane.watcher.usage import UsageBuffer
from controlplane.watcher.writer import EventWriter

log = logging.getLogger(__name__)

LOOK_FOR_NODES_S = 2.0
REOPEN_S = 1.0
SILENCE_LIMIT_FACTOR = 3

UNWRITTEN_MAX = 100

Nodes = set[tuple[UUID, str]]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Sinks:
    """The consumers of messages."""

    registry: StreamRegistry
    buffer: UsageBuffer
    writer: EventWriter


async def watch_all(registry: StreamRegistry) -> None:
    """Run until cancelled.

    Raises:
        ExceptionGroup: a task that all streams rely on has failed. The process ends, and its supervisor starts it
            again.
    """
    sinks = Sinks(registry, UsageBuffer(), EventWriter(_in_database))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sinks.buffer.write_all())
        tasks.create_task(sinks.writer.write_all())
        tasks.create_task(storage_receipts.collect_all(_in_database))
        await _keep_streams(tasks, sinks)


async def _keep_streams(tasks: asyncio.TaskGroup, sinks: Sinks) -> None:
    """Keep one stream to each node, as tasks of this group."""
    streams: dict[tuple[UUID, str], asyncio.Task[None]] = {}
    while True:
        nodes = await _known_nodes(meanwhile=set(streams))
        sinks.registry.set_known(len(nodes))
        for node in nodes - streams.keys():
            streams[node] = tasks.create_task(_watch(*node, sinks))
        for node in streams.keys() - nodes:
            streams.pop(node).cancel()
            sinks.registry.discard_node(node[0])
        await asyncio.sleep(LOOK_FOR_NODES_S)


async def _known_nodes(*, meanwhile: Nodes) -> Nodes:
    """Return the nodes; `meanwhile` while the database does not answer."""
    try:
        return await _in_database(nodes_to_watch)
    except DatabaseDown as exc:
        log.error("node list not refreshed: database unavailable: %s", exc)
        return meanwhile


def nodes_to_watch() -> Nodes:
    """Return id and address of each node that is not retired."""
    return set(Node.objects.exclude(admin_state="retired").values_list("pk", "address"))


async def _watch(node_id: UUID, address: str, sinks: Sinks) -> None:
    registry = sinks.registry
    while True:
        try:
            await _listen(node_id, address, sinks)
        except (grpc.aio.AioRpcError, StopAsyncIteration, TimeoutError, DatabaseDown) as exc:
            if node_id in registry.connected:
                log.warning("node %s: event stream interrupted, reconnecting: %s", node_id, _describe(exc))
        except Exception:
            log.exception("node %s: event stream failed unexpectedly, reconnecting", node_id)
        registry.discard_node(node_id)
        await asyncio.sleep(REOPEN_S)


async def _listen(node_id: UUID, address: str, sinks: Sinks) -> None:
    """Write the node's messages until its stream breaks; the stream counts as open from the first message on."""
    options = channel_options(node_id)
    async with grpc.aio.secure_channel(address, channel_credentials("watcher"), options=options) as channel:
        stub = AgentStub(channel)  # type: ignore[no-untyped-call]
        events_queue: asyncio.Queue[pb.NodeEvent] = asyncio.Queue(UNWRITTEN_MAX)
        after = await _in_database(receipts.last_number, node_id)
        parts = [
            asyncio.create_task(_receive(node_id, stub, after, events_queue, sinks)),
            asyncio.create_task(_write(node_id, stub, events_queue, sinks)),
        ]
        try:
            await asyncio.gather(*parts)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)


async def _receive(
    node_id: UUID, stub: AgentStub, after: int, events_queue: asyncio.Queue[pb.NodeEvent], sinks: Sinks
) -> None:
    request = pb.WatchRequest(
        heartbeat_interval_ms=settings.HEARTBEAT_INTERVAL_MS,
        receipts_after=after,
        usage_interval_ms=settings.METRICS_INTERVAL_S * 1000,
    )
    events = stub.Watch(request).__aiter__()
    while True:
        async with asyncio.timeout(_silence_limit_s()):  # wait_for may swallow a cancellation (Python 3.11)
            event = await anext(events)
        if event.HasField("usage"):
            sinks.buffer.offer(node_id, event.usage)
        else:
            if event.HasField("heartbeat"):
                sinks.writer.mark_alive(node_id)
            await events_queue.put(event)


async def _write(node_id: UUID, stub: AgentStub, events_queue: asyncio.Queue[pb.NodeEvent], sinks: Sinks) -> None:
    """Write all waiting messages of the node at once."""
    while True:
        events = [await events_queue.get()]
        while not events_queue.empty():
            events.append(events_queue.get_nowait())
        answer = await sinks.writer.write(node_id, events)
        if node_id not in sinks.registry.connected:
            log.info("node %s: event stream open, heartbeats received", node_id)
        for event in events:
            sinks.registry.mark_alive(node_id, event.WhichOneof("event") or "none")
        if answer.trust is not None:
            await _send_trust(node_id, stub, answer.trust)
        if answer.renewal is not None:
            await _renew(node_id, stub, answer.renewal)


async def _send_trust(node_id: UUID, stub: AgentStub, request: pb.EnsureTrustRequest) -> None:
    """Send the trust documents. A failure is retried after the next heartbeat."""
    try:
        await stub.EnsureTrust(request, timeout=settings.AGENT_TIMEOUT_S)
    except grpc.aio.AioRpcError as exc:
        log.error("node %s rejected the trust document: %s", node_id, _describe(exc))


async def _renew(node_id: UUID, stub: AgentStub, request: pb.RenewLeaseRequest) -> None:
    """Send the node lease. A failure is retried after the next heartbeat."""
    try:
        await stub.RenewLease(request, timeout=settings.AGENT_TIMEOUT_S)
    except grpc.aio.AioRpcError as exc:
        log.error("node %s rejected the lease renewal: %s", node_id, _describe(exc))


async def _in_database(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the function in the thread with the database connection; a broken one is opened again first."""

    def call() -> R:
        close_old_connections()
        return function(*args, **kwargs)

    return await sync_to_async(call)()


def _silence_limit_s() -> float:
    return settings.HEARTBEAT_INTERVAL_MS * SILENCE_LIMIT_FACTOR / 1000


def _describe(exc: Exception) -> str:
    return f"{exc.code().name} {exc.details()}" if isinstance(exc, grpc.aio.AioRpcError) else type(exc).__name__

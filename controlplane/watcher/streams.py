"""Keep one stream open to every node, and write what they say.

Streams live on one event loop; database work goes to one thread, so that the messages of a node are written in order.
A stream that breaks is opened again; that a node is silent is seen elsewhere (reconcilers/node_liveness.py), from the
rows alone, so that it is seen also when this process is gone.
"""

import asyncio
import logging
from uuid import UUID

import grpc
import grpc.aio
from asgiref.sync import sync_to_async
from django.conf import settings

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.nodes.agent_client import channel_credentials, channel_options
from controlplane.nodes.models import Node
from controlplane.watcher import messages

log = logging.getLogger(__name__)

LOOK_FOR_NODES_S = 2.0
OPEN_AGAIN_S = 1.0
SILENCE_LIMIT_FACTOR = 3


async def watch_all() -> None:
    """Runs until it is cancelled."""
    streams: dict[tuple[UUID, str], asyncio.Task[None]] = {}
    try:
        while True:
            known = set(await sync_to_async(_nodes)())
            for node in known - streams.keys():
                streams[node] = asyncio.create_task(_watch(*node))
            for node in streams.keys() - known:
                streams.pop(node).cancel()
            await asyncio.sleep(LOOK_FOR_NODES_S)
    finally:
        for task in streams.values():
            task.cancel()
        await asyncio.gather(*streams.values(), return_exceptions=True)


def _nodes() -> list[tuple[UUID, str]]:
    return list(Node.objects.values_list("pk", "address"))


async def _watch(node_id: UUID, address: str) -> None:
    credentials = channel_credentials("watcher")
    options = channel_options(node_id)
    is_heard = False
    while True:
        try:
            async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
                request = pb.WatchRequest(heartbeat_interval_ms=settings.HEARTBEAT_INTERVAL_MS)
                events = AgentStub(channel).Watch(request).__aiter__()  # type: ignore[no-untyped-call]
                while True:
                    event = await asyncio.wait_for(anext(events), _silence_limit_s())
                    await sync_to_async(messages.write)(node_id, event)
                    if not is_heard:
                        log.info("node %s: its heartbeats arrive", node_id)
                        is_heard = True
        except (grpc.aio.AioRpcError, StopAsyncIteration, TimeoutError) as exc:
            if is_heard:
                log.warning("node %s: its stream broke: %s", node_id, _describe(exc))
                is_heard = False
        await asyncio.sleep(OPEN_AGAIN_S)


def _silence_limit_s() -> float:
    return settings.HEARTBEAT_INTERVAL_MS * SILENCE_LIMIT_FACTOR / 1000


def _describe(exc: Exception) -> str:
    return f"{exc.code().name} {exc.details()}" if isinstance(exc, grpc.aio.AioRpcError) else type(exc).__name__

"""Consoles of guests through their node's agent: the stream process's one call to agents, by its own certificate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import grpc
import grpc.aio

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from controlplane.nodes.agent_client import translate_error
from controlplane.nodes.channels import channel_credentials, channel_options
from controlplane.nodes.errors import NodeUnreachable
from controlplane.nodes.models import Node

PROCESS = "stream"
SCROLLBACK_BYTES = 64 * 1024
TYPED_MAX_BYTES = 64 * 1024
OPEN_LIMIT_S = 10


class NodeConsole:
    def __init__(self, call: Any) -> None:
        self._call = call

    async def begin(self, header: pb.ConsoleHeader) -> bytes:
        """Return the earlier output."""
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                await self._send(pb.ConsoleInput(header=header))
                return await self.read()
        except TimeoutError:
            raise NodeUnreachable(cause="It does not open the console.", status="TIMEOUT") from None

    async def read(self) -> bytes:
        """Return the guest's output as soon as there is some; empty when the console has ended.

        Raises:
            NodeUnreachable, NodeFailed, NodeRefused
        """
        try:
            message = await self._call.read()
        except grpc.RpcError as exc:
            raise translate_error(exc) from exc
        return message.data if isinstance(message, pb.ConsoleOutput) else b""

    async def write(self, data: bytes) -> None:
        """Send input; waits while the guest takes none.

        After the call has ended it does nothing: read() raises the cause.
        """
        for start in range(0, len(data), TYPED_MAX_BYTES):
            await self._send(pb.ConsoleInput(data=data[start : start + TYPED_MAX_BYTES]))

    async def _send(self, message: pb.ConsoleInput) -> None:
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            await self._call.write(message)


@asynccontextmanager
async def console(node: Node, *, instance_id: UUID, kind: str) -> AsyncIterator[tuple[NodeConsole, bytes]]:
    """Open a console; yields it with the earlier output.

    Raises:
        NodeUnreachable, NodeFailed, NodeRefused
    """
    header = pb.ConsoleHeader(
        instance_id=str(instance_id), kind=f"CONSOLE_KIND_{kind.upper()}", scrollback_bytes=SCROLLBACK_BYTES
    )
    options = channel_options(node.pk)
    async with grpc.aio.secure_channel(node.address, channel_credentials(PROCESS), options=options) as channel:
        call = AgentStub(channel).OpenConsole()  # type: ignore[no-untyped-call]
        opened = NodeConsole(call)
        try:
            yield opened, await opened.begin(header)
        finally:
            call.cancel()

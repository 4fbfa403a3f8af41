"""Consoles and TCP connections of guests through their node's agent: the stream process's two calls to agents, by its
own certificate.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias
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
INPUT_MAX_BYTES = 64 * 1024
OPEN_LIMIT_S = 10


Header: TypeAlias = pb.ConsoleHeader | pb.TcpHeader


class GuestStream:
    """One call of either kind. `Input`: the message that carries the bytes of the client."""

    Input: ClassVar[Any]

    def __init__(self, call: Any) -> None:
        self._call = call

    async def begin(self, header: Header) -> bytes:
        """Return the first bytes: the earlier output of a serial console."""
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                await self._send(self.Input(header=header))
                return await self.read()
        except TimeoutError:
            raise NodeUnreachable(cause="It does not open the session.", status="TIMEOUT") from None

    async def read(self) -> bytes:
        """Return the guest's bytes as soon as there are some; empty when there will be no more.

        Raises:
            NodeUnreachable, NodeFailed, NodeRefused
        """
        try:
            message = await self._call.read()
        except grpc.RpcError as exc:
            raise translate_error(exc) from exc
        return message.data if isinstance(message, pb.ConsoleOutput | pb.TcpOutput) else b""

    async def write(self, data: bytes) -> None:
        """Send input; waits while the guest takes none.

        After the call has ended it does nothing: read() raises the cause.
        """
        for start in range(0, len(data), INPUT_MAX_BYTES):
            await self._send(self.Input(data=data[start : start + INPUT_MAX_BYTES]))

    async def _send(self, message: Any) -> None:
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            await self._call.write(message)


class NodeConsole(GuestStream):
    Input = pb.ConsoleInput


class NodeTunnel(GuestStream):
    """A TCP connection. An empty read() ends the guest's direction alone."""

    Input = pb.TcpInput

    async def end_writing(self) -> None:
        """Tell the guest that nothing more comes."""
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            await self._call.done_writing()


@dataclass(frozen=True, slots=True)
class GuestAddress:
    """A TCP port of a guest, at an address of its network card."""

    instance_id: UUID
    port_id: UUID | None
    ip: str
    tcp_port: int


@asynccontextmanager
async def console(node: Node, *, instance_id: UUID, kind: str) -> AsyncIterator[tuple[NodeConsole, bytes]]:
    """Open a console; yields it with the earlier output.

    Raises:
        NodeUnreachable, NodeFailed, NodeRefused
    """
    header = pb.ConsoleHeader(
        instance_id=str(instance_id), kind=f"CONSOLE_KIND_{kind.upper()}", scrollback_bytes=SCROLLBACK_BYTES
    )
    async with _agent(node) as stub:
        call = stub.OpenConsole()
        opened = NodeConsole(call)
        try:
            yield opened, await opened.begin(header)
        finally:
            call.cancel()


@asynccontextmanager
async def tunnel(node: Node, to: GuestAddress) -> AsyncIterator[NodeTunnel]:
    """Open a TCP connection to the guest.

    Raises:
        NodeUnreachable, NodeFailed, NodeRefused
    """
    header = pb.TcpHeader(instance_id=str(to.instance_id), port_id=str(to.port_id), address=to.ip, tcp_port=to.tcp_port)
    async with _agent(node) as stub:
        call = stub.OpenTcp()
        opened = NodeTunnel(call)
        try:
            await opened.begin(header)
            yield opened
        finally:
            call.cancel()


@asynccontextmanager
async def _agent(node: Node) -> AsyncIterator[AgentStub]:
    options = channel_options(node.pk)
    async with grpc.aio.secure_channel(node.address, channel_credentials(PROCESS), options=options) as channel:
        yield AgentStub(channel)  # type: ignore[no-untyped-call]

"""HTTP for guests, one request per connection. What a guest can occupy is bounded, in size, number and time."""

import asyncio
import os
import socket
import time
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from io import BytesIO

from agents.node.metadata.answers import Request, Response, Tokens, answer
from agents.node.metadata.channel import Gone, Guest, Listen, Message, Unlisten

MAX_HEAD_BYTES = 8192
DEADLINE_S = 5.0  # of a connection
CONNECTIONS, CONNECTIONS_OF_GUEST = 1024, 8


class Server:
    """Guests, and the sockets at which they ask. All methods belong to one event loop."""

    def __init__(self) -> None:
        self._tokens = Tokens(os.urandom(32))
        self._listening: dict[str, list[asyncio.Server]] = {}
        self._guests: dict[str, Guest] = {}
        self._by_address: dict[tuple[str, str], str] = {}
        self._open: Counter[tuple[str, str]] = Counter()

    async def handle(self, message: Message, descriptors: list[int]) -> None:
        """Carry out what the agent says."""
        match message:
            case Listen(network):
                self._unlisten(network)
                sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
                self._listening[network] = [await self._serve(network, each) for each in sockets]
            case Unlisten(network):
                self._unlisten(network)
            case Guest(id):
                self._forget(id)
                self._guests[id] = message
                self._by_address |= {
                    (network, address): id for network, addresses in message.addresses.items() for address in addresses
                }
            case Gone(id):
                self._forget(id)

    def _unlisten(self, network: str) -> None:
        for server in self._listening.pop(network, []):
            server.close()

    def _forget(self, guest_id: str) -> None:
        self._guests.pop(guest_id, None)
        self._by_address = {key: holder for key, holder in self._by_address.items() if holder != guest_id}

    async def _serve(self, network: str, listening: socket.socket) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._connected(network, reader, writer)

        return await asyncio.start_server(connected, sock=listening, limit=MAX_HEAD_BYTES)

    async def _connected(self, network: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = (network, writer.get_extra_info("peername")[0])
        if self._open[sender] >= CONNECTIONS_OF_GUEST or self._open.total() >= CONNECTIONS:
            writer.transport.abort()
            return
        self._open[sender] += 1
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._answer(sender, reader, writer)
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open[sender] -= 1
            self._open += Counter()  # drops what is zero

    async def _answer(
        self, sender: tuple[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = parse(await reader.readuntil(b"\r\n\r\n"))
        guest = self._guests.get(self._by_address.get(sender, ""))
        if request is None:
            response = Response(HTTPStatus.BAD_REQUEST, b"The request is no HTTP/1.\n")
        else:
            response = answer(request, guest, " ".join(sender), self._tokens, now_s=time.time())
        writer.write(head(response))
        if request is None or request.method != "HEAD":
            writer.write(response.body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def parse(text: bytes) -> Request | None:
    """Return the request with this head; None if it has none."""
    line, _, rest = text.partition(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1.") or not parts[1].startswith(b"/"):
        return None
    with suppress(HTTPException, ValueError):
        headers = parse_headers(BytesIO(rest))
        named = {name.lower(): value.strip() for name, value in headers.items()}
        return Request(parts[0].decode("ascii"), parts[1].decode("ascii"), named)
    return None


def head(response: Response) -> bytes:
    """Return the status line and the headers."""
    headers = {
        "Server": "EC2ws",  # what clients of this protocol expect
        "Content-Type": "text/plain",
        "Content-Length": str(len(response.body)),
        "Connection": "close",
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()

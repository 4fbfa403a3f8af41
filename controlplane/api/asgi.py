"""Shared parts of the process `stream`: the ASGI types, and the sending of responses."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from django.http.response import HttpResponseBase

SEND_LIMIT_S = 60  # a client that reads nothing for so long is disconnected

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
InThread: TypeAlias = Callable[..., Awaitable[Any]]


async def disconnected(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_start(send: Send, answer: HttpResponseBase) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.items()]
    headers = [header for header in headers if header[0] != b"content-length"]
    headers.append((b"x-accel-buffering", b"no"))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})


async def send_piece(send: Send, piece: bytes, *, is_last: bool = False) -> None:
    """Send a chunk of a response. Raises TimeoutError when the client does not read."""
    async with asyncio.timeout(SEND_LIMIT_S):
        await send({"type": "http.response.body", "body": piece, "more_body": not is_last})


async def send_whole(send: Send, answer: HttpResponseBase) -> None:
    await send_start(send, answer)
    await send_piece(send, answer.content, is_last=True)  # type: ignore[attr-defined]

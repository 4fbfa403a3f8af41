"""The two directions of a session between a websocket and a guest. Each returns or raises how it has ended."""

import asyncio

from django.utils.translation import gettext as _

from controlplane.api.asgi import SEND_LIMIT_S, Receive, Send
from controlplane.api.open_session import OpenSession
from controlplane.api.session_ends import NORMAL, PROTOCOL, TIMED_OUT, TOO_BIG, End, Ended
from controlplane.compute.errors import ConsoleNotRunning
from controlplane.nodes.guest_client import GuestStream, NodeConsole, NodeTunnel

MESSAGE_MAX_BYTES = 2**20
STALL_LIMIT_S = 300  # of a tunnel: programs may be busy for longer than users


async def show(session: OpenSession, guest: NodeConsole, before: bytes, send: Send) -> End:
    """Send the output of a console, `before` first, even if it is empty: clients read it as the earlier output."""
    data = before
    while True:
        await _send(session, data, send, limit_s=SEND_LIMIT_S)
        data = await guest.read()
        if not data:
            raise ConsoleNotRunning()


async def send_from_guest(session: OpenSession, guest: NodeTunnel, send: Send) -> End:
    """Send the bytes of a tunnel. An empty message opens it, a second one ends the guest's direction; the session ends
    when the client's direction has ended, too.
    """
    await _send(session, b"", send, limit_s=STALL_LIMIT_S)
    while data := await guest.read():
        await _send(session, data, send, limit_s=STALL_LIMIT_S)
    await _send(session, b"", send, limit_s=STALL_LIMIT_S)
    await guest.read()
    return End(NORMAL)


async def type_in(session: OpenSession, guest: NodeConsole, receive: Receive) -> End:
    """Type the client's messages into a console."""
    while (data := await _received(receive)) is not None:
        session.record_traffic(typed=len(data))
        if not session.of.is_read_only:
            await _write(session, guest, data, limit_s=SEND_LIMIT_S)
    return End(NORMAL)


async def write_to_guest(session: OpenSession, guest: NodeTunnel, receive: Receive) -> End:
    """Write the client's messages to a tunnel. An empty one ends the client's direction."""
    has_ended = False
    while (data := await _received(receive)) is not None:
        if has_ended:
            return End(PROTOCOL, _("No message may follow the empty one, which ends your direction."))
        if data:
            await _write(session, guest, data, limit_s=STALL_LIMIT_S)
            session.record_traffic(typed=len(data))
        else:
            await guest.end_writing()
            has_ended = True
    return End(NORMAL)


async def _received(receive: Receive) -> bytes | None:
    """Return the next message; None when the client has hung up. Raises Ended."""
    message = await receive()
    if message["type"] == "websocket.disconnect":
        return None
    data: bytes = message.get("bytes") or (message.get("text") or "").encode()
    if len(data) > MESSAGE_MAX_BYTES:
        text = _("A message may have at most {limit_bytes} bytes.")
        raise Ended(End(TOO_BIG, text.format(limit_bytes=MESSAGE_MAX_BYTES)))
    return data


async def _send(session: OpenSession, data: bytes, send: Send, *, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await send({"type": "websocket.send", "bytes": data})
    except TimeoutError:
        raise Ended(End(TIMED_OUT, _("The client does not read its messages."))) from None
    except OSError:
        raise Ended(End(NORMAL)) from None
    session.record_traffic(shown=len(data))


async def _write(session: OpenSession, guest: GuestStream, data: bytes, *, limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await guest.write(data)
    except TimeoutError:
        raise Ended(End(TIMED_OUT, _("The guest does not read its input."))) from None

"""Relay bytes both ways between a TLS connection and a local socket."""

import contextlib
import select
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

CHUNK_BYTES = 2**18
RECORD_BYTES = 2**16
MAX_WAITING_BYTES = 2**20
PART_WITHIN_S = 5.0


class Watch(Protocol):
    def sent(self, data: bytes) -> None: ...

    def received(self, data: bytes) -> None: ...


def relay(
    tls: ssl.SSLSocket,
    local: socket.socket,
    *,
    passes: Callable[[bytes], bytes] | None = None,
    watch: Watch | None = None,
) -> None:
    """Relay until one end is closed and its bytes are delivered.

    `passes` filters the bytes that arrive by TLS. `watch` sees those that the local socket sends, before they go
    on, and those that it has taken.

    One thread does it all: OpenSSL does not support reading and writing at once.

    Raises:
        OSError: a connection broke, or `passes` refused.
    """
    for each in (tls, local):
        each.setblocking(False)
    inward, outward = bytearray(), bytearray()
    tls_is_over = local_is_over = False
    while not (tls_is_over and not inward) and not (local_is_over and not outward):
        reading = [tls] if not tls_is_over and len(inward) < MAX_WAITING_BYTES else []
        if not local_is_over and len(outward) < MAX_WAITING_BYTES:
            reading.append(local)  # type: ignore[arg-type]
        writing = [each for each, waiting in ((tls, outward), (local, inward)) if waiting]
        is_buffered = tls in reading and tls.pending() > 0
        readable, writable, _ = select.select(reading, writing, [], 0 if is_buffered else None)
        if tls in readable or is_buffered:
            data = _received(tls)
            tls_is_over = data == b""
            inward += passes(data) if data and passes else data or b""
        if local in readable:
            data = _received(local)
            local_is_over = data == b""
            if watch and data:
                watch.sent(data)
            outward += data or b""
        if tls in writable:
            _send(tls, outward)
        if local in writable:
            sent = _send(local, inward)
            if watch:
                watch.received(sent)
    _close_gracefully(tls)


def _received(source: socket.socket) -> bytes | None:
    """Return the received bytes; None: none yet; empty: the end."""
    try:
        return source.recv(CHUNK_BYTES)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return None
    except ConnectionResetError:
        return b""  # the peer hung up before it received everything


def _send(target: socket.socket, waiting: bytearray) -> bytes:
    """Send the first bytes, and return those that were taken.

    A closed peer does not receive the rest; its earlier bytes are still read, and then its end.
    """
    data = memoryview(waiting)[:RECORD_BYTES].tobytes()
    try:
        sent = target.send(data)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return b""
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        waiting.clear()
        return b""
    del waiting[:sent]
    return data[:sent]


def _close_gracefully(tls: ssl.SSLSocket) -> None:
    """Announce the end and wait until the peer has received it.

    Closing at once would make the kernel discard bytes that are still on their way.
    """
    with contextlib.suppress(OSError):
        tls.settimeout(PART_WITHIN_S)
        tls.shutdown(socket.SHUT_WR)
        while tls.recv(CHUNK_BYTES):
            continue


def detect_disconnect(connection: socket.socket) -> None:
    """Enable keepalive, to detect within half a minute that the other node has vanished."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000)  # also while something is on its way
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def shut_down(each: socket.socket) -> None:
    """Shut down a connection that another thread may be waiting on: that thread finds it closed."""
    with contextlib.suppress(OSError):  # it is closed already
        each.shutdown(socket.SHUT_RDWR)

"""Bytes both ways between a TLS connection and a local socket."""

import contextlib
import select
import socket
import ssl
from collections.abc import Callable

CHUNK_BYTES = 2**18
RECORD_BYTES = 2**16
MAX_WAITING_BYTES = 2**20


def pipe(tls: ssl.SSLSocket, local: socket.socket, *, passes: Callable[[bytes], bytes] | None = None) -> None:
    """Until one end is closed and what it sent has been delivered. `passes`: what may go on of that which comes by TLS.

    One thread does it all: OpenSSL knows no reading and writing at once.

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
            outward += data or b""
        if tls in writable:
            _send(tls, outward)
        if local in writable:
            _send(local, inward)


def _received(source: socket.socket) -> bytes | None:
    """None: not yet; nothing: it is over."""
    try:
        return source.recv(CHUNK_BYTES)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return None


def _send(target: socket.socket, waiting: bytearray) -> None:
    try:
        sent = target.send(memoryview(waiting)[:RECORD_BYTES].tobytes())
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return
    del waiting[:sent]


def hang_up(each: socket.socket) -> None:
    """For a connection that another thread may be waiting on: it finds it closed."""
    with contextlib.suppress(OSError):  # it is closed already
        each.shutdown(socket.SHUT_RDWR)

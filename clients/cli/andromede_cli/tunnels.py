"""Carry bytes between the websocket of a tunnel and a socket, or the standard input and output."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from andromede_cli.consoles import READ_BYTES, check_end, connected
from andromede_cli.session import Session

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

STALL_LIMIT_S = 300  # as the control plane has it


def opened(me: Session, name: str, *, tcp_port: int, network: str | None) -> ClientConnection:
    """Open a tunnel.

    Raises:
        ApiError: it cannot be opened.
        ConsoleEnded: the guest does not accept the connection, or does not answer.
        Misuse: what is sent would travel in the clear.
        Unreachable
    """
    from websockets import ConnectionClosed

    ticket = me.client.instances.tunnel_open(name, tcp_port=tcp_port, network=network)
    tunnel = connected(me, ticket.url, stall_limit_s=STALL_LIMIT_S, compression=None)  # SSH's bytes are random
    with suppress(ConnectionClosed):
        tunnel.recv()  # empty: it is open
        return tunnel
    check_end(tunnel)
    return tunnel


def carry_standard_streams(tunnel: ClientConnection) -> None:
    """Carry bytes until both directions have ended. Raises ConsoleEnded: the tunnel was closed before."""

    def write(data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(sys.stdout.fileno(), left) :]

    def end() -> None:
        os.close(sys.stdout.fileno())

    _carry(tunnel, lambda: os.read(sys.stdin.fileno(), READ_BYTES), write, end)


def carry_socket(tunnel: ClientConnection, client: socket.socket) -> None:
    """Carry bytes of one connection of a program here. Raises ConsoleEnded: the tunnel was closed before its end."""
    _carry(tunnel, lambda: client.recv(READ_BYTES), client.sendall, lambda: client.shutdown(socket.SHUT_WR))


def _carry(
    tunnel: ClientConnection, read: Callable[[], bytes], write: Callable[[bytes], None], end: Callable[[], None]
) -> None:
    """Carry bytes both ways. An empty message ends a direction."""
    from websockets import ConnectionClosed

    def to_guest() -> None:
        with suppress(ConnectionClosed):
            try:
                while data := read():
                    tunnel.send(data)
                tunnel.send(b"")
            except OSError:
                tunnel.close()

    threading.Thread(target=to_guest, daemon=True).start()
    with suppress(ConnectionClosed):
        try:
            while True:
                data = tunnel.recv()
                if data:
                    write(data if isinstance(data, bytes) else data.encode())
                else:
                    end()
        except OSError:
            tunnel.close()  # the program here has gone
    check_end(tunnel)

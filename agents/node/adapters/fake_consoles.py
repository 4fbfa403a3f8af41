"""Consoles of fake guests: a terminal that echoes, and a screen with one picture (RFB 3.8, RFC 6143)."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from agents.node.adapters.channel import Channel
from agents.node.adapters.interfaces import ConsoleKind

PROMPT = b"fake# "
LONGEST_LINE = 4096
WIDTH, HEIGHT = 64, 48
NAME = b"A fake guest"
FORMAT = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)  # 32 bits, little-endian, red << 16
BLUE = struct.pack("<I", 0x2050A0)
# Lengths of a client's messages after the type, where they are fixed.
SET_PIXEL_FORMAT, SET_ENCODINGS, UPDATE_REQUEST, KEY, POINTER, CUT_TEXT = 0, 2, 3, 4, 5, 6
LENGTHS = {SET_PIXEL_FORMAT: 19, UPDATE_REQUEST: 9, KEY: 7, POINTER: 5}
Write = Callable[[bytes], None]


class FakeConsoles:
    """Consoles of one guest while it runs. `log` gets the output of its terminal."""

    def __init__(self, log: Write) -> None:
        self._log = log
        self._open: list[socket.socket] = []

    def open(self, kind: ConsoleKind) -> Channel:
        ours, theirs = socket.socketpair()
        self._open.append(theirs)
        serve = self._terminal if kind is ConsoleKind.SERIAL else _screen
        threading.Thread(target=_serving, args=(serve, theirs), name=f"fake-{kind}", daemon=True).start()
        return Channel(ours)

    def stop(self) -> None:
        """Close the consoles: the guest has stopped."""
        for each in self._open:
            with suppress(OSError):  # the viewer has hung up
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _terminal(self, connection: socket.socket) -> None:
        """Echo the input, and repeat each completed line."""
        typed = b""
        while data := connection.recv(65536):
            *lines, rest = data.replace(b"\n", b"\r").split(b"\r")
            shown = b""
            for each in lines:
                typed += each
                shown += each + b"\r\n" + (typed + b"\r\n" if typed else b"") + PROMPT
                typed = b""
            typed = (typed + rest)[-LONGEST_LINE:]
            self._log(shown + rest)
            connection.sendall(shown + rest)


def _serving(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection, suppress(OSError):  # the viewer has hung up, or the guest has stopped
        serve(connection)


def _screen(connection: socket.socket) -> None:
    """Serve a shared screen without a password."""
    client = connection.makefile("rb")
    connection.sendall(b"RFB 003.008\n")
    client.read(12)
    connection.sendall(b"\x01\x01")  # one kind of security: none
    client.read(1)
    connection.sendall(bytes(4))
    client.read(1)
    connection.sendall(struct.pack(">HH", WIDTH, HEIGHT) + FORMAT + struct.pack(">I", len(NAME)) + NAME)
    while data := client.read(1):
        message = data[0]
        if message == SET_ENCODINGS:
            _, count = struct.unpack(">BH", client.read(3))
            client.read(4 * count)
        elif message == CUT_TEXT:
            (length,) = struct.unpack(">3xI", client.read(7))
            client.read(length)
        elif message in LENGTHS:
            body = client.read(LENGTHS[message])
            if message == UPDATE_REQUEST and not body[0]:
                connection.sendall(_picture())  # what has not changed since, an incremental one does not get
        else:
            return


def _picture() -> bytes:
    """Return the whole screen, raw."""
    return struct.pack(">BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0) + BLUE * (WIDTH * HEIGHT)

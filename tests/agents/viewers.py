"""Viewers of a console, through the agent or from afar, and the handshake of RFB."""

import queue
import struct
from collections.abc import Iterator
from typing import Protocol

import grpc

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from tests.limits import PATIENCE_S


class Viewer(Protocol):
    def type(self, data: bytes) -> None: ...

    def take(self, count: int) -> bytes: ...


class AgentViewer:
    def __init__(
        self, stub: AgentStub, instance_id: str, kind: "pb.ConsoleKind" = pb.CONSOLE_KIND_SERIAL, *, scrollback: int = 0
    ) -> None:
        self._inputs: queue.SimpleQueue[pb.ConsoleInput | None] = queue.SimpleQueue()
        header = pb.ConsoleHeader(instance_id=instance_id, kind=kind, scrollback_bytes=scrollback)
        self._inputs.put(pb.ConsoleInput(header=header))
        self.call = stub.OpenConsole(iter(self._inputs.get, None), timeout=PATIENCE_S)
        self.seen = b""

    def opened(self) -> "AgentViewer":
        """Open the console and wait for its scrollback."""
        self.seen += next(self.call).data
        return self

    def type(self, data: bytes) -> None:
        self._inputs.put(pb.ConsoleInput(data=data))

    def message(self, message: pb.ConsoleInput) -> None:
        self._inputs.put(message)

    def wait_for(self, words: bytes) -> None:
        while words not in self.seen:
            self.seen += next(self.call).data

    def take(self, count: int) -> bytes:
        """Take the next bytes out of the output."""
        while len(self.seen) < count:
            self.seen += next(self.call).data
        taken, self.seen = self.seen[:count], self.seen[count:]
        return taken

    def hang_up(self) -> None:
        self._inputs.put(None)
        self.call.cancel()

    def rest(self) -> Iterator[bytes]:
        for message in self.call:
            yield message.data

    def end(self) -> "grpc.StatusCode":
        """Return the outcome of the call."""
        try:
            for _ in self.call:
                pass
        except grpc.RpcError:
            pass
        return self.call.code()


def shake_hands(viewer: Viewer) -> tuple[int, int, str]:
    """Shake hands; returns width, height and name of the screen."""
    assert viewer.take(12) == b"RFB 003.008\n"
    viewer.type(b"RFB 003.008\n")
    assert viewer.take(2) == b"\x01\x01"
    viewer.type(b"\x01")
    assert viewer.take(4) == bytes(4)
    viewer.type(b"\x00")  # for oneself alone: which nobody gets
    width, height = struct.unpack(">HH", viewer.take(4))
    viewer.take(16)
    (length,) = struct.unpack(">I", viewer.take(4))
    return width, height, viewer.take(length).decode()


def picture(viewer: Viewer, width: int, height: int) -> bytes:
    """Return the whole screen as it is, in pixels of 32 bits."""
    viewer.type(struct.pack(">BxHi", 2, 1, 0))  # raw
    viewer.type(struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
    viewer.type(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
    pixels = bytearray(4 * width * height)
    kind, count = struct.unpack(">BxH", viewer.take(4))
    assert kind == 0
    for _ in range(count):
        x, y, wide, high, encoding = struct.unpack(">HHHHi", viewer.take(12))
        assert encoding == 0
        for row in range(y, y + high):
            at = 4 * (row * width + x)
            pixels[at : at + 4 * wide] = viewer.take(4 * wide)
    return bytes(pixels)

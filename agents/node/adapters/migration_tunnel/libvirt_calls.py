"""Filter of the calls that one node may make to another's libvirt: those that bring in a guest, and no others.

libvirt's calls are packets of XDR: a length, and a header of six words (program, version, procedure, type, serial,
status), each of four bytes, in network order; the length counts itself.
"""

import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

from agents.node.adapters.migration_tunnel.peer_auth import PeerRejected

HEADER = struct.Struct(">IIIIIII")
MAX_PACKET_BYTES = 32 * 2**20  # libvirt's own limit
REMOTE, KEEPALIVE = 0x20008086, 0x6B656570
# By their numbers in libvirt's remote_protocol.x, which never change.
OPEN, CLOSE, SUPPORTS_FEATURE, AUTH_LIST = 1, 2, 60, 66
PREPARE, FINISH, REGISTER_CLOSE, UNREGISTER_CLOSE = 303, 306, 360, 361
ALLOWED = frozenset({OPEN, CLOSE, SUPPORTS_FEATURE, AUTH_LIST, PREPARE, FINISH, REGISTER_CLOSE, UNREGISTER_CLOSE})
CALL, REPLY, OK = 0, 1, 0


class Header(NamedTuple):
    length: int
    program: int
    version: int
    procedure: int
    kind: int
    serial: int
    status: int


class PacketReader:
    """Reads the headers of the packets in one direction of a connection."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0  # of the present packet
        self._present: Header | None = None

    def whole(self, data: bytes) -> Iterator[Header]:
        """Yield the header of each packet that ends in these bytes, which follow those of the call before."""
        rest = memoryview(data)
        while rest:
            taken = min(self._left or HEADER.size - len(self._header), len(rest))
            if self._left:
                self._left -= taken
            else:
                self._header += rest[:taken]
            rest = rest[taken:]
            if len(self._header) == HEADER.size:
                self._present = Header(*HEADER.unpack(self._header))
                self._left = max(self._present.length - HEADER.size, 0)
                self._header.clear()
            if self._present is not None and not self._left:
                yield self._present
                self._present = None


class FinishWatch:
    """Watches one connection of the libvirt that calls: when the other one says that it has the whole guest.

    `is_whole` is set by the answer without an error to the call FINISH, which ends a migration at its destination. The
    answer has to be received whole: with a part of it, the libvirt that calls lets the guest go on. An answer to a call
    that was not made (libvirt matches them by their serials) sets nothing: the destination could end the guest while
    its memory is still on the way.
    """

    def __init__(self, is_whole: threading.Event) -> None:
        self._is_whole = is_whole
        self._calls, self._answers = PacketReader(), PacketReader()
        self._serials: set[int] = set()  # of the calls FINISH without an answer

    def sent(self, data: bytes) -> None:
        """See what the libvirt that calls sends, before it is passed on."""
        for call in self._calls.whole(data):
            if (call.program, call.procedure, call.kind) == (REMOTE, FINISH, CALL):
                self._serials.add(call.serial)

    def received(self, data: bytes) -> None:
        """See what the libvirt that calls has received."""
        for answer in self._answers.whole(data):
            if (answer.program, answer.procedure, answer.kind) != (REMOTE, FINISH, REPLY):
                continue
            if answer.serial in self._serials and answer.status == OK:
                self._is_whole.set()
            self._serials.discard(answer.serial)


class MigrationOnly:
    """Filters one connection, in the direction of the libvirt that is called."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def passes(self, data: bytes) -> bytes:
        """Return the whole packets among the bytes received so far.

        Raises:
            PeerRejected: one of them is another call.
        """
        self._waiting += data
        taken = bytearray()
        while len(self._waiting) >= HEADER.size:
            length, program, _version, procedure, *_ = HEADER.unpack_from(self._waiting)
            if not HEADER.size <= length <= MAX_PACKET_BYTES:
                raise PeerRejected("That is no packet of libvirt's.")
            if not (program == KEEPALIVE or (program == REMOTE and procedure in ALLOWED)):
                raise PeerRejected(f"Call {procedure} of program {program:#x} is no part of a migration.")
            if len(self._waiting) < length:
                break
            taken += self._waiting[:length]
            del self._waiting[:length]
        return bytes(taken)

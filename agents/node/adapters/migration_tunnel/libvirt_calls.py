"""Filter of the calls that one node may make to another's libvirt: those that bring in a guest, and no others.

libvirt's calls are packets of XDR: a length, and a header of six words (program, version, procedure, type, serial,
status), each of four bytes, in network order; the length counts itself.
"""

import struct
import threading

from agents.node.adapters.migration_tunnel.peer_auth import PeerRejected

HEADER = struct.Struct(">IIIIIII")
MAX_PACKET_BYTES = 32 * 2**20  # libvirt's own limit
REMOTE, KEEPALIVE = 0x20008086, 0x6B656570
# By their numbers in libvirt's remote_protocol.x, which never change.
OPEN, CLOSE, SUPPORTS_FEATURE, AUTH_LIST = 1, 2, 60, 66
PREPARE, FINISH, REGISTER_CLOSE, UNREGISTER_CLOSE = 303, 306, 360, 361
ALLOWED = frozenset({OPEN, CLOSE, SUPPORTS_FEATURE, AUTH_LIST, PREPARE, FINISH, REGISTER_CLOSE, UNREGISTER_CLOSE})


REPLY, OK = 1, 0


class FinishWatch:
    """Watches what the libvirt that calls has received on one connection: when the other one has the whole guest.

    `is_whole` is set by the answer without an error to the call FINISH, which ends a migration at its destination. The
    answer has to be received whole: with a part of it, the libvirt that calls lets the guest go on.
    """

    def __init__(self, is_whole: threading.Event) -> None:
        self._is_whole = is_whole
        self._header = bytearray()
        self._left = 0  # of the present packet
        self._is_finish = False

    def see(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            taken = min(self._left or HEADER.size - len(self._header), len(rest))
            if self._left:
                self._left -= taken
            else:
                self._header += rest[:taken]
            rest = rest[taken:]
            if len(self._header) == HEADER.size:
                self._see_header(*HEADER.unpack(self._header))
                self._header.clear()
            if self._is_finish and not self._left:
                self._is_whole.set()

    def _see_header(
        self, length: int, program: int, _version: int, procedure: int, kind: int, _serial: int, status: int
    ) -> None:
        self._left = max(length - HEADER.size, 0)
        self._is_finish = (program, procedure, kind, status) == (REMOTE, FINISH, REPLY, OK)


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

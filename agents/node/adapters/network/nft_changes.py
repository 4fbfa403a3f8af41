"""Detect changes of the nftables rules of the node or of a router, over netlink (linux/netfilter/nf_tables.h).

Each commit of rules in a network namespace has a number, the generation, one higher than the last. Reading it costs one
message each way, whatever the number of rules. The kernel also sends each change to a multicast group, and those of the
namespaces at the other end of a veth pair to processes with CAP_NET_BROADCAST.
"""

import errno
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Self

from agents.node.adapters.network import namespaces
from agents.node.errors import AdapterError

NETLINK_NETFILTER = 12
SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
NEW_GENERATION, GET_GENERATION = SUBSYSTEM << 8 | 15, SUBSYSTEM << 8 | 16
GENERATION_ID = 1  # NFTA_GEN_ID, 32 bits in network order
CHANGES = 1 << 6  # bit of the multicast group 7, NFNLGRP_NFTABLES
SOL_NETLINK, LISTEN_ALL_NSID = 270, 8
REQUEST = 1  # NLM_F_REQUEST
_HEAD = struct.Struct("=IHHII4x")  # netlink: length, type, flags, number, sender; then 4 bytes of netfilter
_ATTRIBUTE = struct.Struct("=HH")
ANSWER_TIMEOUT_S = 30.0
MESSAGE_BYTES = 65536


def generation() -> int:
    """Return the number of the newest commit in the network namespace of this process.

    Raises:
        OSError: the kernel does not say.
    """
    with _socket() as asking:
        asking.settimeout(ANSWER_TIMEOUT_S)
        asking.send(_HEAD.pack(_HEAD.size, GET_GENERATION, REQUEST, 1, 0))
        answer = asking.recv(MESSAGE_BYTES)
    length, kind, *_ = _HEAD.unpack_from(answer)
    at = _HEAD.size
    while kind == NEW_GENERATION and at < length:
        size, attribute = _ATTRIBUTE.unpack_from(answer, at)
        if attribute == GENERATION_ID:
            return int.from_bytes(answer[at + 4 : at + 8])
        at += (size + 3) & ~3
    raise OSError(f"The kernel does not say the generation of its rules, but {answer.hex()}.")


def generations(names: Iterable[str]) -> dict[str, int]:
    """Return the generations of these named namespaces; a namespace that is gone is left out."""
    found: dict[str, int] = {}

    def ask() -> None:
        for name in wanted:
            with suppress(AdapterError):
                namespaces.enter(name)
                found[name] = generation()

    wanted = list(names)
    if wanted:
        namespaces.in_own_thread(ask)
    return found


class Changes:
    """A subscription to changes of rules, from its creation on."""

    def __init__(self) -> None:
        self._socket = _socket()
        self._socket.setsockopt(SOL_NETLINK, LISTEN_ALL_NSID, 1)
        self._socket.bind((0, CHANGES))
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable after a change."""
        return self._socket.fileno()

    def forget(self) -> None:
        discard(self._socket)


def discard(messages: socket.socket) -> None:
    """Discard the received messages.

    Those that did not fit into the buffer make no difference: all mean the same.
    """
    while True:
        try:
            messages.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno != errno.ENOBUFS:
                raise


def _socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)

"""Detect changes of the nftables rules of the node or of a router, over netlink (linux/netfilter/nf_tables.h).

Each commit of rules in a network namespace has a number, the generation, one higher than the last. Reading it costs one
message each way, whatever the number of rules. The kernel also sends each change to a multicast group, and those of the
namespaces at the other end of a veth pair to processes with CAP_NET_BROADCAST.
"""

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress

from agents.node.adapters.network import namespaces
from agents.node.adapters.network.subscription import MESSAGE_BYTES, Subscription
from agents.node.errors import AdapterError

NETLINK_NETFILTER = 12
SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
NEW_GENERATION, GET_GENERATION = SUBSYSTEM << 8 | 15, SUBSYSTEM << 8 | 16
GENERATION_ID = 1  # NFTA_GEN_ID, 32 bits in network order
CHANGES = 1 << 6  # bit of the multicast group 7, NFNLGRP_NFTABLES
REQUEST = 1  # NLM_F_REQUEST
_HEAD = struct.Struct("=IHHII4x")  # netlink: length, type, flags, number, sender; then 4 bytes of netfilter
_ATTRIBUTE = struct.Struct("=HH")
ANSWER_TIMEOUT_S = 30.0


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
    numbers: dict[str, int] = {}

    def ask() -> None:
        for name in own_names:
            with suppress(AdapterError):
                namespaces.enter(name)
                numbers[name] = generation()

    own_names = list(names)
    if own_names:
        namespaces.in_own_thread(ask)
    return numbers


class Changes(Subscription):
    """A subscription to changes of rules, from its creation on."""

    def __init__(self) -> None:
        super().__init__(_socket(), groups=CHANGES)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)

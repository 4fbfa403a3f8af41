"""Detect losses of the agent's routes and of routing rules, of the node or of a router, over rtnetlink(7).

A filter in the kernel (BPF, socket(7) SO_ATTACH_FILTER) lets through the removals of the agent's routes and of all
routing rules: on a node that takes part in BGP, other routes come and go by the thousand. Of IPv4 routes that go with
their device the kernel sends none.
"""

import ctypes
import socket
import struct
import sys

from agents.node.adapters.network.netlink import PROTOCOL
from agents.node.adapters.network.subscription import Subscription

NETLINK_ROUTE = 0
# Bits of the multicast groups RTNLGRP_IPV4_ROUTE, IPV4_RULE, IPV6_ROUTE and IPV6_RULE.
GROUPS = sum(1 << group - 1 for group in (7, 8, 11, 19))
DELETED_ROUTE, DELETED_RULE = 25, 33  # RTM_DELROUTE, RTM_DELRULE
TYPE_AT = 4 if sys.byteorder == "little" else 5  # the lower byte of the message's type
PROTOCOL_AT = 16 + 5  # rtm_protocol, behind the head of the message
SO_ATTACH_FILTER = 26
LOAD_BYTE, IF_EQUAL, RETURN = 0x30, 0x15, 0x06
# Operation, instructions to skip if equal, and if not, value.
FILTER = (
    (LOAD_BYTE, 0, 0, TYPE_AT),
    (IF_EQUAL, 3, 0, DELETED_RULE),
    (IF_EQUAL, 0, 3, DELETED_ROUTE),
    (LOAD_BYTE, 0, 0, PROTOCOL_AT),
    (IF_EQUAL, 0, 1, PROTOCOL),
    (RETURN, 0, 0, 0xFFFFFFFF),
    (RETURN, 0, 0, 0),
)


class RouteLosses(Subscription):
    """A subscription to losses, from its creation on."""

    def __init__(self) -> None:
        messages = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE)
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in FILTER))
        program = struct.pack("@HP", len(FILTER), ctypes.addressof(code))
        messages.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        super().__init__(messages, groups=GROUPS)

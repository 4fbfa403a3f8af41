"""Forged frames of a node that was broken into and carries the network, and VXLAN packets that no such node sends.

What a node sends in the name of guests of its own cannot be told from what these send. In the name of a gateway, a DHCP
server or a router, or in a form that no guest may use, nothing of it gets to another node's guests.
"""

import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from agents.node.adapters.network.ipv6_rules import ROUTER
from tests.agents.network import forged_ethernet, forged_ipv4, forged_ipv6, frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network import ipv6_frames as v6
from tests.agents.network.forged_beyond import text_in
from tests.agents.network.forged_kinds import FREE4, GATEWAY, GATEWAY4, HERS, HIS, OWN, OWN4, Group, Kind


def _icmp6(target: IPv6Address, body: bytes) -> bytes:
    return v6.ipv6(HERS, OWN, target, protocol=v6.ICMP, body=body, to=HIS)


_AIMS = (
    "reach another VLAN, or hide a frame from the rules behind tags",
    "act as a switch, or speak to the node's own protocols",
    "reach a neighbour by a protocol that no rule judges",
    "take the gateway's traffic",
    "hide a false sender from the rules in an unusual message",
    "keep the rules from reading a packet that a guest may read",
    "act as DHCP server",
    "ask for, or give back, a neighbour's address",
    "use the router's services as another, or answer in their name",
    "act as router",
    "act as router behind headers or in fragments",
    "act as DHCPv6 server, or as another client",
)
_NAMES = (
    *("source MAC of the gateway", "source MAC of the gateway, RARP", "IPv6 with the MAC of the gateway"),
    *("source: gateway", "source: second gateway", "source: metadata service"),
    *("source by IPv6: gateway", "source by IPv6: second gateway", "source by IPv6: router"),
    *("source by IPv6: metadata service", "ARP probe of the gateway's address", "redirect of the gateway"),
    *("redirect of the second gateway", "too large, of the gateway", "time exceeded, of the gateway"),
    *("echo reply of the gateway", "router advertisement of IPv4, of the gateway", "address mask, of the gateway"),
    *("source of the gateway, IGMP query", "too large, of the router", "too large, of the gateway by IPv6"),
    *("time exceeded, of the gateway by IPv6", "echo reply of the gateway by IPv6", "advertisement of the gateway"),
    *("advertisement of the second gateway", "advertisement of the router", "advertisement in a fragment"),
    *("advertisement of the router without its MAC", "advertisement of the metadata service"),
    *("solicitation of the router's", "solicitation of the gateway's", "solicitation in a fragment"),
    *("claim of the gateway's address", "claim of the router's address", "claim of the metadata service's address"),
    *("RARP reply", "RARP reply to a neighbour alone", "RARP with an address of a neighbour"),
    *("RARP as ARP reply of the gateway", "RARP of another hardware", "RARP with other content"),
)
# Of the kinds with these aims, what is in the name of a guest.
_OF_GUESTS = (
    "ARP of an unknown operation, of a neighbour",
    "ARP of operation 0, of a neighbour",
    "inverse ARP of a neighbour",
)
INNER: tuple[Kind, ...] = tuple(
    replace(kind, name=f"from a node: {kind.name}", sender="node")
    for group in (*forged_ethernet.GROUPS, *forged_ipv4.GROUPS, *forged_ipv6.GROUPS)
    for kind in group.kinds()
    if (kind.aim in _AIMS or kind.name in _NAMES) and kind.name not in _OF_GUESTS
)
# What honest guests send to their own router.
_TO_ROUTERS = Group(
    *("any", "gateway", "node", "use another node's router, or divert what its guests send to it", "datagram"),
    {
        "from a node: question for the gateway by ARP": frames.arp(HERS, OWN4, GATEWAY4),
        "from a node: packet to the gateway": v4.framed(HERS, v4.packet(OWN4, GATEWAY4, body=v4.udp(5, 6)), HIS),
        "from a node: packet to the metadata service": forged_ipv4.HONEST_FOR_ROUTER["metadata request"],
        "from a node: DHCP": forged_ipv4.HONEST["DHCP client"],
        "from a node: DHCPv6": forged_ipv6.HONEST["DHCPv6 client"],
        "from a node: router solicitation": forged_ipv6.HONEST["router solicitation"],
        "from a node: packet to the gateway by IPv6": _icmp6(GATEWAY, v6.icmp(128)),
        "from a node: packet to the router": _icmp6(ROUTER, v6.icmp(128)),
        "from a node: question for the gateway": _icmp6(v6.ALL_NODES, v6.solicitation(GATEWAY)),
        "from a node: question for the router": _icmp6(v6.ALL_NODES, v6.solicitation(ROUTER)),
    },
)
INNER += tuple(_TO_ROUTERS.kinds())
# What a node keeps for its own router.
STAY = ("DHCP client", "DHCP renewal", *forged_ipv6.STAY)

VNI, MEMBER, VICTIM_NODE = 0x1234, IPv4Address("192.0.2.3"), IPv4Address("192.0.2.2")
CARD = "52:54:00:00:07:07"


def _outer(
    name: str,
    *,
    source: IPv4Address | str = MEMBER,
    target: IPv4Address | str = VICTIM_NODE,
    flags: int = 0x08000000,
    vni: int = VNI << 8,
    port: int = 4789,
    cut: int | None = None,
    vlan: int | None = None,
    **fields: Any,
) -> bytes:
    """Return an IP packet with VXLAN around a datagram with the text of this kind."""
    inner = frames.udp(CARD, FREE4, ports=(1, 2), text=text_in(name))
    content = struct.pack("!II", flags, vni) + (inner if vlan is None else frames.tagged(inner, vlan))
    return v4.packet(IPv4Address(source), IPv4Address(target), body=v4.udp(4000, port, content[:cut]), **fields)


_WRONG: dict[str, dict[str, Any]] = {
    "VXLAN of a node without the network": {"source": "192.0.2.9"},
    "VXLAN from the node's own address": {"source": VICTIM_NODE},
    "VXLAN from loopback": {"source": "127.0.0.1"},
    "VXLAN from a group": {"source": "224.0.0.1"},
    "VXLAN from broadcast": {"source": "255.255.255.255"},
    "VXLAN without a source": {"source": "0.0.0.0"},
    "VXLAN to a group": {"target": "239.1.1.1"},
    "VXLAN with the number of another network": {"vni": 0x4321 << 8},
    "VXLAN with the number 0": {"vni": 0},
    "VXLAN with the highest number": {"vni": 0xFFFFFF << 8},
    "VXLAN without a valid number": {"flags": 0},
    "VXLAN with a group policy": {"flags": 0x88000000},
    "VXLAN of the generic kind": {"flags": 0x0C000003},
    "VXLAN with reserved flags": {"flags": 0xF7FFFFFF},
    "VXLAN with the reserved octet": {"vni": VNI << 8 | 1},
    "VXLAN with the number in the wrong place": {"vni": VNI},
    "VXLAN at Linux's former port": {"port": 8472},
    "VXLAN at the port of its generic kind": {"port": 4790},
    "VXLAN at the port of Geneve": {"port": 6081},
    "VXLAN that is cut off": {"cut": 4},
    "VXLAN without a frame": {"cut": 8},
    "VXLAN with the head of a frame": {"cut": 20},
    "VXLAN with a VLAN tag within": {"vlan": 7},
    "VXLAN with a tag of priority within": {"vlan": 0xE000},
    "VXLAN in a first fragment": {"fragment": v4.MORE},
    "VXLAN in a last fragment": {"fragment": 1},
    "VXLAN in UDP-Lite": {"protocol": 136},
    "VXLAN in a packet longer than its frame": {"length": 1400},
}
OUTER = Group(
    *("IPv4", "VXLAN", "node", "put a frame into a network from between the nodes", "VXLAN of a node with the network"),
    {name: _outer(name, **fields) for name, fields in _WRONG.items()},
)
HONEST_OUTER = {"VXLAN of a node with the network": _outer("VXLAN of a node with the network")}

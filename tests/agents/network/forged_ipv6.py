"""Forged IPv6 packets of a hostile guest: senders, routers, neighbour discovery, DHCPv6, services."""

import struct
from ipaddress import IPv6Address
from typing import Any

from agents.node.adapters.network.ipv6_rules import ROUTER
from agents.node.adapters.network.metadata import ADDRESS6
from tests.agents.network import frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network import ipv6_frames as v6
from tests.agents.network.forged_kinds import (
    FREE6,
    GATEWAY,
    GATEWAY_MAC,
    GATEWAY_SECOND,
    HERS,
    HIS,
    NOBODY,
    OTHER,
    OTHER_LINK,
    OTHER_PUBLIC6,
    OTHER_SECOND,
    OWN,
    OWN_LINK,
    OWN_SECOND,
    Group,
)

BEYOND6, METADATA6 = IPv6Address("2001:db8:9::9"), IPv6Address(str(ADDRESS6))


def _frame(source: IPv6Address, body: bytes, *headers: tuple[int, bytes], mac: str = HERS, **more: Any) -> bytes:
    fields: dict[str, Any] = {"protocol": v6.ICMP, "to": frames.BROADCAST} | more
    target = fields.pop("target", v6.ALL_NODES)
    return v6.ipv6(mac, source, target, body=body, headers=headers, **fields)


def _udp(source: IPv6Address, body: bytes, *headers: tuple[int, bytes], **more: Any) -> bytes:
    return _frame(source, body, *headers, protocol=v6.UDP, **more)


def _to_gateway(source: IPv6Address, target: IPv6Address, body: bytes, protocol: int = v6.UDP) -> bytes:
    return v6.ipv6(HERS, source, target, protocol=protocol, body=body, to=GATEWAY_MAC)


def _typed_routing(kind: int) -> tuple[int, bytes]:
    """Return a routing header with one more hop: 0 is the source route, 2 that of mobile hosts, 4 a segment."""
    return v6.ROUTING, bytes([2, kind, 1]) + bytes(4) + GATEWAY.packed


def _changed(frame: bytes, offset: int, octet: int) -> bytes:
    return frame[:offset] + bytes([octet]) + frame[offset + 1 :]


_RA, _TEXT = v6.router_advertisement(), v6.udp(1000, 2000)
_REDIRECT = v6.redirect(OWN_LINK, GATEWAY)
_REPLY = v6.udp(547, 546)
_THEFT = v6.advertisement(OTHER, mac=HERS)
_SYN = v4.tcp(4000, 80, v4.SYN)
_JUMBO = (v6.HOP_BY_HOP, bytes([0, 0xC2, 4]) + struct.pack("!I", 70000))
# A packet as an ICMPv6 error quotes it: the head of the victim's own connection to the outside.
_QUOTED = bytes(4) + v6.ipv6(HIS, OTHER, BEYOND6, protocol=v6.UDP, body=_TEXT, to=HIS)[14:]

HONEST = {
    "datagram": _udp(OWN, v6.udp(5353, 5353)),
    "datagram of the second address": _udp(OWN_SECOND, v6.udp(5353, 5353)),
    "datagram of link-local": _udp(OWN_LINK, v6.udp(5353, 5353)),
    "datagram behind options": _udp(OWN, v6.udp(5353, 5353), v6.options()),
    "first fragment": _udp(OWN, v6.udp(5353, 5353, bytes(8)), v6.fragment()),
    "last fragment": _udp(OWN, bytes(16), v6.fragment(offset=16, more=False)),
    "fragment of an echo": _frame(OWN, v6.icmp(128), v6.fragment()),
    "echo": _frame(OWN, v6.icmp(128)),
    "neighbour solicitation": _frame(OWN, v6.solicitation(OTHER, mac=HERS)),
    "neighbour solicitation without its MAC": _frame(OWN, v6.solicitation(OTHER)),
    "neighbour advertisement": _frame(OWN, v6.advertisement(OWN, mac=HERS)),
    "neighbour advertisement of link-local": _frame(OWN_LINK, v6.advertisement(OWN_LINK, mac=HERS)),
    "claim of an own address": _frame(v6.NOWHERE, v6.solicitation(OWN)),
    "claim of the own link-local address": _frame(v6.NOWHERE, v6.solicitation(OWN_LINK)),
    "report of a multicast listener": _frame(v6.NOWHERE, v6.icmp(143), v6.hop_by_hop()),
    "router solicitation": _frame(OWN_LINK, v6.icmp(133)),
    "router solicitation without a source": _frame(v6.NOWHERE, v6.icmp(133)),
    "DHCPv6 client": _udp(OWN_LINK, v6.udp(546, 547)),
}
HONEST_FOR_ROUTER = {
    "DNS query by IPv6": _to_gateway(OWN, GATEWAY, v6.udp(4000, 53)),
    "metadata request by IPv6": _to_gateway(OWN, METADATA6, _SYN, 6),
}
# What only the node's own router is to answer.
STAY = ("router solicitation", "router solicitation without a source", "DHCPv6 client")

_SOURCES: dict[str, IPv6Address | str] = {
    "neighbour": OTHER,
    "neighbour's second address": OTHER_SECOND,
    "free address of the subnet": FREE6,
    "address outside": "2001:db8::1",
    "neighbour's link-local address": OTHER_LINK,
    "link-local address of its choice": "fe80::1234",
    "router": ROUTER,
    "gateway": GATEWAY,
    "second gateway": GATEWAY_SECOND,
    "metadata service": METADATA6,
    "neighbour's public address": OTHER_PUBLIC6,
    "group": v6.ALL_NODES,
    "group of one host": "ff02::1:ff00:a",
    "loopback": "::1",
    "mapped IPv4": "::ffff:10.0.0.10",
    "compatible IPv4": "::10.0.0.10",
    "6to4": "2002:a00:a::1",
    "Teredo": "2001:0:a00:a::1",
    "NAT64": "64:ff9b::a00:a",
    "site-local": "fec0::10",
    "discard prefix": "100::1",
}
_TRANSPORTS = {
    "no next header": 59,
    "IPv4 in IPv6": 4,
    "IPv6 in IPv6": 41,
    "GRE over IPv6": 47,
    "ESP over IPv6": 50,
    "SCTP over IPv6": 132,
}
GROUPS = (
    Group(
        *("IPv6", "Ethernet", "guest", "send with another's MAC address", "datagram"),
        {
            "IPv6 with the MAC of nobody": _udp(OWN, _TEXT, mac=NOBODY),
            "IPv6 with the MAC of a neighbour": _udp(OWN, _TEXT, mac=HIS),
            "IPv6 with the MAC of the gateway": _udp(OWN, _TEXT, mac=GATEWAY_MAC),
            "IPv6 with the MAC of a group": _udp(OWN, _TEXT, mac="01:00:5e:00:00:01"),
            "VLAN tag before IPv6": frames.tagged(_udp(OWN, _TEXT), 7),
            "VLAN tag before a router advertisement": frames.tagged(_frame(OWN_LINK, _RA), 7),
        },
    ),
    Group(
        *("IPv6", "IP", "guest", "send in the name of another", "datagram"),
        {f"source by IPv6: {name}": _udp(IPv6Address(source), _TEXT) for name, source in _SOURCES.items()}
        | {
            "no source by IPv6, UDP": _udp(v6.NOWHERE, _TEXT),
            "no source by IPv6, TCP": _frame(v6.NOWHERE, _SYN, protocol=6),
            "no source by IPv6, echo": _frame(v6.NOWHERE, v6.icmp(128)),
            "no source, neighbour advertisement": _frame(v6.NOWHERE, v6.advertisement(OWN, mac=HERS)),
            "source of a neighbour by IPv6, to the outside": _to_gateway(OTHER, BEYOND6, _TEXT),
            "source of a neighbour's public address by IPv6, to the outside": _to_gateway(
                OTHER_PUBLIC6, BEYOND6, _TEXT
            ),
        },
    ),
    Group(
        *("IPv6", "headers", "guest", "hide a false source behind headers or in fragments", "datagram behind options"),
        {
            "source of a neighbour behind options": _udp(OTHER, _TEXT, v6.options()),
            "source of a neighbour behind hop-by-hop": _udp(OTHER, _TEXT, v6.hop_by_hop()),
            "source of a neighbour behind a source route": _udp(OTHER, _TEXT, _typed_routing(0)),
            "source of a neighbour in a fragment": _udp(OTHER, _TEXT, v6.fragment()),
            "source of a neighbour in an atomic fragment": _udp(OTHER, _TEXT, v6.fragment(more=False)),
            "source of a neighbour in a last fragment": _udp(OTHER, _TEXT, v6.fragment(offset=8, more=False)),
            "source of a neighbour in a jumbogram": _udp(OTHER, _TEXT, _JUMBO, length=0),
        }
        | {f"source of a neighbour, {name}": _frame(OTHER, _QUOTED, protocol=n) for name, n in _TRANSPORTS.items()},
    ),
    Group(
        *("IPv6", "headers", "guest", "keep the rules from reading a packet that a guest may read", "datagram"),
        {
            "IPv6 of version 4": _changed(_udp(OWN, _TEXT), 14, 0x40),
            "IPv6 of version 0": _changed(_udp(OWN, _TEXT), 14, 0),
            "IPv6 packet longer than its frame": _udp(OWN, _TEXT, length=1400),
            "AH": _udp(OWN, _TEXT, v6.authentication()),
            "endless header": _udp(OWN, _TEXT, (v6.OPTIONS, bytes([255]) + bytes(6))),
            "DHCPv6 server behind an endless header": _udp(OWN_LINK, _REPLY, (v6.OPTIONS, bytes([255]) + bytes(6))),
            "hundred headers before a router advertisement": _frame(OWN_LINK, _RA, *[v6.options()] * 100),
            "router advertisement in a jumbogram": _frame(OWN_LINK, _RA, _JUMBO, length=0),
            "router advertisement in a packet longer than its frame": _frame(OWN_LINK, _RA, length=1400),
            "router advertisement of version 4": _changed(_frame(OWN_LINK, _RA), 14, 0x40),
        },
    ),
    Group(
        *("IPv6", "router discovery", "guest", "act as router", "router solicitation"),
        {
            "router advertisement": _frame(OWN_LINK, _RA),
            "router advertisement of the router": _frame(ROUTER, _RA),
            "router advertisement of a global address": _frame(OWN, _RA),
            "router advertisement without a source": _frame(v6.NOWHERE, _RA),
            "router advertisement to a neighbour": _frame(OWN_LINK, _RA, target=OTHER_LINK, to=HIS),
            "redirect": _frame(OWN_LINK, _REDIRECT),
            "redirect of the router by IPv6": _frame(ROUTER, _REDIRECT),
            "router solicitation of a neighbour": _frame(OTHER_LINK, v6.icmp(133)),
            "router solicitation of the router": _frame(ROUTER, v6.icmp(133)),
            "router renumbering": _frame(OWN_LINK, v6.icmp(138)),
            "multicast router": _frame(OWN_LINK, v6.icmp(151)),
            "end of a multicast router": _frame(OWN_LINK, v6.icmp(153)),
            "query of multicast listeners": _frame(OWN_LINK, v6.icmp(130, bytes(20))),
            "query of multicast listeners, version 2": _frame(OWN_LINK, v6.icmp(130, bytes(24))),
            "query of multicast listeners behind hop-by-hop": _frame(
                OWN_LINK, v6.icmp(130, bytes(20)), v6.hop_by_hop()
            ),
            "query of multicast listeners by the router": _frame(ROUTER, v6.icmp(130, bytes(20)), v6.hop_by_hop()),
        },
    ),
    Group(
        *(
            "IPv6",
            "router discovery",
            "guest",
            "act as router behind headers or in fragments",
            "datagram behind options",
        ),
        {
            "router advertisement behind hop-by-hop": _frame(OWN_LINK, _RA, v6.hop_by_hop()),
            "router advertisement behind options": _frame(OWN_LINK, _RA, v6.options()),
            "router advertisement behind many options": _frame(OWN_LINK, _RA, *[v6.options()] * 9),
            "router advertisement behind long options": _frame(OWN_LINK, _RA, v6.options(256)),
            "router advertisement behind routing": _frame(OWN_LINK, _RA, v6.routing()),
            **{
                f"router advertisement behind routing of type {kind}": _frame(OWN_LINK, _RA, _typed_routing(kind))
                for kind in (0, 2, 4)
            },
            "router advertisement behind AH": _frame(OWN_LINK, _RA, v6.authentication()),
            "router advertisement behind all of them": _frame(
                OWN_LINK, _RA, v6.hop_by_hop(), v6.options(), v6.routing(), v6.authentication(), v6.options()
            ),
            "router advertisement in a whole fragment": _frame(OWN_LINK, _RA, v6.fragment(more=False)),
            "router advertisement in a first fragment": _frame(OWN_LINK, _RA, v6.fragment()),
            "router advertisement in a fragment behind options": _frame(OWN_LINK, _RA, v6.options(), v6.fragment()),
            "options in a fragment before a router advertisement": _frame(OWN_LINK, _RA, v6.fragment(), v6.options()),
            "options alone in a fragment, the type in padding": _frame(
                OWN_LINK, v6.icmp(128), v6.fragment(), v6.options(), length=16
            ),
            "two fragment headers": _frame(OWN_LINK, _RA, v6.fragment(more=False), v6.fragment(more=False)),
            "last fragment of options": _frame(OWN_LINK, _RA, v6.fragment(offset=8, more=False), v6.options()),
            **{
                f"router advertisement behind header {number}": _frame(OWN_LINK, _RA, v6.unknown(number))
                for number in (135, 139, 140, 253, 254)
            },
            "router advertisement behind an endless header": _frame(
                OWN_LINK, _RA, (v6.OPTIONS, bytes([255]) + bytes(6))
            ),
            "redirect behind options": _frame(OWN_LINK, _REDIRECT, v6.options()),
            "redirect in a fragment": _frame(OWN_LINK, _REDIRECT, v6.fragment(more=False)),
        },
    ),
    Group(
        *("IPv6", "neighbour discovery", "guest", "take the traffic of another", "neighbour advertisement"),
        {
            "advertisement of a neighbour": _frame(OWN, _THEFT),
            "advertisement of a neighbour from link-local": _frame(OWN_LINK, _THEFT),
            "advertisement of a neighbour, to another alone": _frame(OWN, _THEFT, target=OTHER, to=HIS),
            "advertisement of a neighbour's link-local": _frame(OWN_LINK, v6.advertisement(OTHER_LINK, mac=HERS)),
            "advertisement of the gateway": _frame(OWN, v6.advertisement(GATEWAY, mac=HERS)),
            "advertisement of the second gateway": _frame(OWN, v6.advertisement(GATEWAY_SECOND, mac=HERS)),
            "advertisement of the router": _frame(OWN_LINK, v6.advertisement(ROUTER, mac=HERS, flags=0xA0)),
            "advertisement of the router without its MAC": _frame(OWN_LINK, v6.advertisement(ROUTER)),
            "advertisement of the metadata service": _frame(OWN, v6.advertisement(METADATA6, mac=HERS)),
            "advertisement of a free address": _frame(OWN, v6.advertisement(FREE6, mac=HERS)),
            "advertisement of a neighbour's public address": _frame(OWN, v6.advertisement(OTHER_PUBLIC6, mac=HERS)),
            "advertisement with another MAC": _frame(OWN, v6.advertisement(OWN, mac=HIS)),
            "advertisement of a neighbour behind options": _frame(OWN, _THEFT, v6.options()),
            "advertisement of a neighbour in a fragment": _frame(OWN, _THEFT, v6.fragment(more=False)),
            "advertisement in a fragment": _frame(OWN, v6.advertisement(OWN, mac=HERS), v6.fragment(more=False)),
        },
    ),
    Group(
        *("IPv6", "neighbour discovery", "guest", "give another a false MAC address", "neighbour solicitation"),
        {
            "solicitation of a neighbour's": _frame(OTHER, v6.solicitation(GATEWAY, mac=HERS)),
            "solicitation of the router's": _frame(ROUTER, v6.solicitation(OTHER, mac=HERS)),
            "solicitation of the gateway's": _frame(GATEWAY, v6.solicitation(OTHER, mac=HERS)),
            "solicitation with another MAC": _frame(OWN, v6.solicitation(GATEWAY, mac=HIS)),
            "solicitation in a fragment": _frame(OWN, v6.solicitation(GATEWAY, mac=HERS), v6.fragment(more=False)),
        },
    ),
    Group(
        *("IPv6", "neighbour discovery", "guest", "keep another from taking its address", "claim of an own address"),
        {
            "claim of a neighbour's address": _frame(v6.NOWHERE, v6.solicitation(OTHER)),
            "claim of a neighbour's link-local address": _frame(v6.NOWHERE, v6.solicitation(OTHER_LINK)),
            "claim of a free address": _frame(v6.NOWHERE, v6.solicitation(FREE6)),
            "claim of the gateway's address": _frame(v6.NOWHERE, v6.solicitation(GATEWAY)),
            "claim of the router's address": _frame(v6.NOWHERE, v6.solicitation(ROUTER)),
            "claim of the metadata service's address": _frame(v6.NOWHERE, v6.solicitation(METADATA6)),
            "claim of a neighbour's address behind options": _frame(v6.NOWHERE, v6.solicitation(OTHER), v6.options()),
        },
    ),
    Group(
        *("IPv6", "ICMPv6", "guest", "divert or break others' connections", "echo"),
        {
            "unreachable, of a server by IPv6": _frame(BEYOND6, v6.icmp(1, _QUOTED)),
            "too large, of the router": _frame(ROUTER, v6.icmp(2, _QUOTED)),
            "too large, of the gateway by IPv6": _frame(GATEWAY, v6.icmp(2, _QUOTED)),
            "time exceeded, of the gateway by IPv6": _frame(GATEWAY, v6.icmp(3, _QUOTED)),
            "echo request of a neighbour by IPv6": _frame(OTHER, v6.icmp(128)),
            "echo reply of the gateway by IPv6": _frame(GATEWAY, v6.icmp(129)),
            "report of a neighbour as multicast listener": _frame(OTHER_LINK, v6.icmp(143), v6.hop_by_hop()),
            "TCP reset of a server by IPv6": _frame(BEYOND6, v4.tcp(8080, 40000, v4.RST), protocol=6),
        },
    ),
    Group(
        *("IPv6", "DHCPv6", "guest", "act as DHCPv6 server, or as another client", "DHCPv6 client"),
        {
            "DHCPv6 server": _udp(OWN_LINK, _REPLY),
            "DHCPv6 server of the router": _udp(ROUTER, _REPLY),
            "DHCPv6 server, to a neighbour": _udp(OWN_LINK, _REPLY, target=OTHER_LINK, to=HIS),
            "DHCPv6 server at another port": _udp(OWN_LINK, v6.udp(4000, 546)),
            "DHCPv6 relay": _udp(OWN_LINK, v6.udp(547, 547)),
            "DHCPv6 server behind options": _udp(OWN_LINK, _REPLY, v6.options()),
            "DHCPv6 server in a fragment": _udp(OWN_LINK, _REPLY, v6.fragment(more=False)),
            "DHCPv6 server in a jumbogram": _udp(OWN_LINK, _REPLY, _JUMBO, length=0),
            "DHCPv6 for a neighbour": _udp(OTHER_LINK, v6.udp(546, 547)),
        },
    ),
    Group(
        *(
            "IPv6",
            "services",
            "guest",
            "use the router's services as another, or answer in their name",
            "DNS query by IPv6",
        ),
        {
            "DNS query of a neighbour by IPv6": _to_gateway(OTHER, GATEWAY, v6.udp(4000, 53)),
            "DNS query of a neighbour's link-local address": _to_gateway(OTHER_LINK, GATEWAY, v6.udp(4000, 53)),
            "DNS query of loopback by IPv6": _to_gateway(IPv6Address("::1"), GATEWAY, v6.udp(4000, 53)),
            "DNS answer of the gateway by IPv6": _udp(GATEWAY, v6.udp(53, 4000), target=OTHER, to=HIS),
            "metadata request of a neighbour by IPv6": _to_gateway(OTHER, METADATA6, _SYN, 6),
            "metadata request of the router by IPv6": _to_gateway(ROUTER, METADATA6, _SYN, 6),
            "answer of the metadata service by IPv6": _frame(METADATA6, v4.tcp(80, 4000, v4.ACK), protocol=6, to=HIS),
        },
    ),
)

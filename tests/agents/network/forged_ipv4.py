"""Forged IPv4 packets of a hostile guest: senders, what they hide behind, broken headers, DHCP and services."""

from ipaddress import IPv4Address
from typing import Any

from agents.node.adapters.network.metadata import ADDRESS
from tests.agents.network import frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network.forged_ethernet import NO_ADDRESS
from tests.agents.network.forged_kinds import (
    FREE4,
    FREE_PUBLIC,
    GATEWAY4,
    GATEWAY4_SECOND,
    GATEWAY_MAC,
    HERS,
    HIS,
    NOBODY,
    OTHER4,
    OTHER4_SECOND,
    OTHER_PUBLIC,
    OWN4,
    OWN4_SECOND,
    PUBLIC,
    Group,
)
from tests.agents.network.namespace_node import BEYOND_IP, NODE_IP

METADATA, BEYOND = IPv4Address(str(ADDRESS)), IPv4Address(BEYOND_IP)
_TEXT = v4.udp(1000, 2000)
_PORTS = (40000, 8080)
# A packet as an ICMP error quotes it: the head of the victim's own connection to the outside.
_QUOTED = v4.packet(OTHER4, BEYOND, protocol=v4.TCP, body=v4.tcp(*_PORTS, v4.ACK))[:28]


def _from(
    source: IPv4Address | str, *, target: IPv4Address = OTHER4, to: str = frames.BROADCAST, **fields: Any
) -> bytes:
    """Return a frame with a packet, by default a datagram."""
    values: dict[str, Any] = {"body": _TEXT} | fields
    return v4.framed(HERS, v4.packet(IPv4Address(source), target, **values), to)


def _tcp(source: IPv4Address, flags: int, target: IPv4Address = OTHER4) -> bytes:
    return _from(source, target=target, protocol=v4.TCP, body=v4.tcp(8080, 40000, flags))


def _icmp(
    source: IPv4Address, kind: int, code: int = 0, content: bytes = _QUOTED, target: IPv4Address = OTHER4
) -> bytes:
    return _from(source, target=target, protocol=v4.ICMP, body=v4.icmp(kind, code, content))


def _dhcp(source: IPv4Address, target: IPv4Address = frames.EVERYBODY, **fields: Any) -> bytes:
    return v4.framed(HERS, v4.dhcp(source, target, **({"client": HERS} | fields)))


def _to_gateway(content: bytes) -> bytes:
    return v4.framed(HERS, content, GATEWAY_MAC)


_FIRST_OF_DHCP = v4.dhcp(OWN4, GATEWAY4, client=HIS)[20:52]
_REDIRECT = OWN4.packed + _QUOTED

HONEST = {
    "IPv4 datagram": _from(OWN4, body=v4.udp(5353, 5353)),
    "IPv4 datagram of the second address": _from(OWN4_SECOND, body=v4.udp(5353, 5353)),
    "IPv4 datagram with options": _from(OWN4, options=b"\x94\4\0\0"),
    "first IPv4 fragment": _from(OWN4, fragment=v4.MORE, body=v4.udp(1000, 2000, bytes(16))),
    "last IPv4 fragment": _from(OWN4, fragment=3, body=bytes(range(24))),
    "IPv4 in IPv4": _from(OWN4, protocol=v4.IP_IN_IP, body=v4.packet(OWN4, OTHER4, body=_TEXT)),
    "TCP segment": _tcp(OWN4, v4.SYN),
    "echo of IPv4": _icmp(OWN4, 8),
    "IGMP report": _from(
        OWN4, target=IPv4Address("224.0.0.22"), protocol=v4.IGMP, body=b"\x22\0\xdd\xff" + bytes(20), ttl=1
    ),
    "DHCP client": _dhcp(NO_ADDRESS),
    "DHCP renewal": _dhcp(OWN4, GATEWAY4),
}
# What the router is to get and no neighbour, addressed to the router's MAC address.
HONEST_FOR_ROUTER = {
    "DNS query": _to_gateway(v4.packet(OWN4, GATEWAY4, body=v4.udp(4000, 53))),
    "metadata request": _to_gateway(v4.packet(OWN4, METADATA, protocol=v4.TCP, body=v4.tcp(4000, 80, v4.SYN))),
}
_SOURCES: dict[str, IPv4Address | str] = {
    "neighbour": OTHER4,
    "neighbour's second address": OTHER4_SECOND,
    "free address of the subnet": FREE4,
    "subnet itself": "10.0.0.0",
    "broadcast of the subnet": "10.0.0.255",
    "gateway": GATEWAY4,
    "second gateway": GATEWAY4_SECOND,
    "metadata service": METADATA,
    "link-local address": "169.254.7.7",
    "address in 10.0.0.0/8": "10.9.9.9",
    "address in 172.16.0.0/12": "172.16.0.1",
    "address in 192.168.0.0/16": "192.168.0.1",
    "address outside": BEYOND,
    "node": NODE_IP,
    "node on the underlay": "192.0.2.1",
    "transit address": "100.64.0.1",
    "loopback": "127.0.0.1",
    "group": "224.0.0.1",
    "group of one site": "239.1.1.1",
    "reserved range": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "this network": "0.0.0.1",
    "own public address that is translated": PUBLIC,
    "neighbour's public address": OTHER_PUBLIC,
    "free public address": FREE_PUBLIC,
}
GROUPS = (
    Group(
        *("IPv4", "IP", "guest", "send in the name of another", "IPv4 datagram"),
        {f"source: {name}": _from(source) for name, source in _SOURCES.items()}
        | {
            "no source, UDP": _from(NO_ADDRESS),
            "no source, TCP": _tcp(NO_ADDRESS, v4.SYN),
            "no source, echo": _icmp(NO_ADDRESS, 8),
            "source of a neighbour, to itself (land)": _from(OTHER4, body=v4.udp(2000, 2000)),
            "source of a neighbour, to a group": _from(OTHER4, target=IPv4Address("224.0.0.251")),
            "source of a neighbour, to broadcast": _from(OTHER4, target=frames.EVERYBODY),
            "source of a neighbour, to the gateway": _from(OTHER4, target=GATEWAY4, to=GATEWAY_MAC),
            "source of a neighbour, to the outside": _from(OTHER4, target=BEYOND, to=GATEWAY_MAC),
            "source of the public address, to the outside": _from(PUBLIC, target=BEYOND, to=GATEWAY_MAC),
            "source of a neighbour's public address, to the outside": _from(
                OTHER_PUBLIC, target=BEYOND, to=GATEWAY_MAC
            ),
            "source of a neighbour, to the own public address": _from(OTHER4, target=PUBLIC, to=GATEWAY_MAC),
            "source of a neighbour, TTL 0": _from(OTHER4, ttl=0),
            "source of a neighbour, TTL 1": _from(OTHER4, ttl=1),
            "source of a neighbour, TTL 255": _from(OTHER4, ttl=255),
        },
    ),
    Group(
        *("IPv4", "options", "guest", "hide a false source behind options", "IPv4 datagram with options"),
        {
            f"source of a neighbour behind {name}": _from(OTHER4, options=options)
            for name, options in {
                "a loose source route": v4.route(131, GATEWAY4),
                "a strict source route": v4.route(137, GATEWAY4),
                "a recorded route": v4.route(7, NO_ADDRESS),
                "timestamps": b"\x44\x08\x05\0" + bytes(4),
                "an alert for routers": b"\x94\4\0\0",
                "a security option": b"\x82\x0b" + bytes(9),
                "an unknown option": b"\xde\4\1\2",
                "an option of a wrong length": b"\x07\xff\4\0",
                "forty bytes of padding": b"\1" * 40,
            }.items()
        },
    ),
    Group(
        *("IPv4", "fragments", "guest", "hide a false source in fragments", "first IPv4 fragment"),
        {
            "first fragment of a neighbour": _from(OTHER4, fragment=v4.MORE),
            "tiny first fragment of a neighbour": _from(OTHER4, fragment=v4.MORE, body=_TEXT[:8]),
            "middle fragment of a neighbour": _from(OTHER4, fragment=v4.MORE | 3),
            "last fragment of a neighbour": _from(OTHER4, fragment=3),
            "overlapping fragment of a neighbour": _from(OTHER4, fragment=1),
            "fragment of a neighbour at the end": _from(OTHER4, fragment=0x1FFF),
            "fragment of a neighbour that may not be one": _from(OTHER4, fragment=v4.DONT | v4.MORE),
            "fragment of a neighbour with the reserved bit": _from(OTHER4, fragment=0x8000 | v4.MORE),
        },
    ),
    Group(
        *("IPv4", "protocols", "guest", "hide a false source in another protocol", "IPv4 in IPv4"),
        {
            f"source of a neighbour, {name}": _from(OTHER4, protocol=number, body=_QUOTED)
            for name, number in {
                "IPv4 in IPv4": v4.IP_IN_IP,
                "IPv6 in IPv4": v4.SIX_IN_FOUR,
                "GRE": v4.GRE,
                "ESP": v4.ESP,
                "AH": v4.AH,
                "SCTP": v4.SCTP,
                "OSPF": v4.OSPF,
                "PIM": v4.PIM,
                "VRRP": v4.VRRP,
                "protocol 0": 0,
                "protocol 255": 255,
            }.items()
        }
        | {
            "source of a neighbour, IGMP": _from(OTHER4, protocol=v4.IGMP, body=b"\x22\0\xdd\xff" + bytes(20)),
            "source of the gateway, IGMP query": _from(GATEWAY4, protocol=v4.IGMP, body=b"\x11\0\xee\xff" + bytes(20)),
        },
    ),
    Group(
        *("IPv4", "TCP", "guest", "end, take over or confuse a connection of others", "TCP segment"),
        {
            f"{name} in the name of {who}": _tcp(source, flags)
            for who, source in {"a server": BEYOND, "a neighbour": OTHER4}.items()
            for name, flags in {
                "RST": v4.RST,
                "FIN": v4.FIN | v4.ACK,
                "SYN": v4.SYN,
                "SYN and ACK": v4.SYN | v4.ACK,
                "data": v4.PSH | v4.ACK,
                "no flags": 0,
                "all flags": 0x3F,
                "SYN and FIN": v4.SYN | v4.FIN,
            }.items()
        },
    ),
    Group(
        *("IPv4", "ICMP", "guest", "divert or break others' connections", "echo of IPv4"),
        {
            "redirect of the gateway": _icmp(GATEWAY4, 5, 1, _REDIRECT),
            "redirect of the second gateway": _icmp(GATEWAY4_SECOND, 5, 1, _REDIRECT),
            "redirect of a neighbour": _icmp(OTHER4, 5, 1, _REDIRECT),
            "unreachable, of a server": _icmp(BEYOND, 3, 1),
            "port unreachable, of a server": _icmp(BEYOND, 3, 3),
            "too large, of the gateway": _icmp(GATEWAY4, 3, 4),
            "time exceeded, of the gateway": _icmp(GATEWAY4, 11),
            "source quench, of a server": _icmp(BEYOND, 4),
            "wrong parameter, of a server": _icmp(BEYOND, 12),
            "echo request of a neighbour": _icmp(OTHER4, 8),
            "echo reply of the gateway": _icmp(GATEWAY4, 0),
            "router advertisement of IPv4, of the gateway": _icmp(GATEWAY4, 9, 0, b"\1\2\7\x08" + OWN4.packed),
            "address mask, of the gateway": _icmp(GATEWAY4, 18),
            "timestamp request of a neighbour": _icmp(OTHER4, 13),
            "echo request of a neighbour to broadcast (smurf)": _icmp(OTHER4, 8, target=frames.EVERYBODY),
        },
    ),
    Group(
        *("IPv4", "headers", "guest", "keep the rules from reading a packet that a guest may read", "IPv4 datagram"),
        {
            "IPv4 of version 6": _from(OWN4, version=6),
            "IPv4 of version 0": _from(OWN4, version=0),
            "IPv4 header of four words": _from(OWN4, words=4),
            "IPv4 header of no words": _from(OWN4, words=0),
            "IPv4 header longer than the packet": _from(OWN4, words=15, body=bytes(8)),
            "IPv4 packet longer than its frame": _from(OWN4, length=1400),
            "IPv4 packet shorter than its header": _from(OWN4, length=12),
            "DHCP server in a packet longer than its frame": _dhcp(OWN4, ports=(67, 68), length=1400),
            "DHCP server in a header of four words": _dhcp(OWN4, ports=(67, 68), words=4),
        },
    ),
    Group(
        *("IPv4", "DHCP", "guest", "act as DHCP server", "DHCP client"),
        {
            "DHCP server": _dhcp(OWN4, ports=(67, 68), operation=2, client=HIS),
            "DHCP server, to a neighbour": _dhcp(OWN4, OTHER4, ports=(67, 68), operation=2, client=HIS),
            "DHCP server of the gateway": _dhcp(GATEWAY4, ports=(67, 68), operation=2, client=HIS),
            "DHCP server without a source": _dhcp(NO_ADDRESS, ports=(67, 68), operation=2, client=HIS),
            "DHCP server, to another port": _dhcp(OWN4, ports=(67, 4000), operation=2, client=HIS),
            "DHCP relay": _dhcp(OWN4, GATEWAY4, ports=(67, 67)),
            "DHCP server behind options": _dhcp(OWN4, ports=(67, 68), options=b"\x94\4\0\0"),
            "DHCP server in a first fragment": _dhcp(OWN4, ports=(67, 68), fragment=v4.MORE),
        },
    ),
    Group(
        *("IPv4", "DHCP", "guest", "ask for, or give back, a neighbour's address", "DHCP renewal"),
        {
            "DHCP for a neighbour": _dhcp(OWN4, client=HIS),
            "DHCP for a neighbour without a source": _dhcp(NO_ADDRESS, client=HIS),
            "DHCP for nobody": _dhcp(NO_ADDRESS, client=NOBODY),
            "DHCP for a neighbour, to the gateway": _dhcp(OWN4, GATEWAY4, client=HIS),
            "DHCP in a neighbour's name": _dhcp(OTHER4, GATEWAY4),
            "DHCP in a neighbour's name, for it": _dhcp(OTHER4, GATEWAY4, client=HIS),
            "DHCP from another port": _dhcp(OWN4, ports=(4000, 67)),
            "DHCP for a neighbour behind options": _dhcp(OWN4, client=HIS, options=b"\x94\4\0\0"),
            "DHCP that ends before its client": _from(OWN4, fragment=v4.MORE, body=_FIRST_OF_DHCP),
            "DHCP in the name of the gateway": _dhcp(GATEWAY4, GATEWAY4),
        },
    ),
    Group(
        *("IPv4", "services", "guest", "use the router's services as another, or answer in their name", "DNS query"),
        {
            "DNS query of a neighbour": _to_gateway(v4.packet(OTHER4, GATEWAY4, body=v4.udp(4000, 53))),
            "DNS query of a neighbour to the second gateway": _to_gateway(
                v4.packet(OTHER4_SECOND, GATEWAY4_SECOND, body=v4.udp(4000, 53))
            ),
            "DNS query of the gateway": _to_gateway(v4.packet(GATEWAY4, GATEWAY4, body=v4.udp(4000, 53))),
            "DNS query from loopback": _to_gateway(
                v4.packet(IPv4Address("127.0.0.1"), GATEWAY4, body=v4.udp(4000, 53))
            ),
            "DNS answer of the gateway": _from(GATEWAY4, body=v4.udp(53, 4000), to=HIS),
            "answer of the metadata service": v4.framed(
                HERS, v4.packet(METADATA, OTHER4, protocol=v4.TCP, body=v4.tcp(80, 4000, v4.ACK)), HIS
            ),
        }
        | {
            f"metadata {name} of a neighbour": _to_gateway(
                v4.packet(OTHER4, METADATA, protocol=v4.TCP, body=v4.tcp(4000, 80, flags))
            )
            for name, flags in {"request": v4.SYN, "data": v4.ACK | v4.PSH, "reset": v4.RST}.items()
        },
    ),
)

"""Packets of a hostile guest with its own source, to where no guest may send; and forged ones from outside.

They change on their way, and are known by a text in them.
"""

import hashlib
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from agents.node.adapters.network.ipv6_rules import ROUTER
from agents.node.adapters.network.metadata import ADDRESS, ADDRESS6
from tests.agents.network import frames
from tests.agents.network import ipv4_frames as v4
from tests.agents.network import ipv6_frames as v6
from tests.agents.network.forged_ethernet import NO_ADDRESS
from tests.agents.network.forged_ipv6 import BEYOND6
from tests.agents.network.forged_kinds import (
    GATEWAY,
    GATEWAY4,
    GATEWAY4_SECOND,
    GATEWAY_MAC,
    HERS,
    HIS,
    OTHER,
    OTHER4,
    OTHER4_SECOND,
    OTHER_PUBLIC,
    OTHER_PUBLIC6,
    OWN,
    OWN4,
    PUBLIC,
    PUBLIC6,
    ROUTED,
    Group,
)
from tests.agents.network.namespace_node import BEYOND_IP, NEIGHBOUR_IP, NODE_IP

Build = Callable[[bytes], bytes]
BEYOND, NODE = IPv4Address(BEYOND_IP), IPv4Address(NODE_IP)
NODE6, NEIGHBOUR6 = IPv6Address("2001:db8:1::1"), IPv6Address("2001:db8:1::2")
PORT = 9999


def text_in(name: str) -> bytes:
    """Return the text by which packets of this kind are known."""
    return hashlib.sha256(name.encode()).digest()[:16]


def built(kinds: Mapping[str, Build]) -> dict[str, bytes]:
    return {name: build(text_in(name)) for name, build in kinds.items()}


def _to(target: IPv4Address | str, port: int = PORT, **fields: Any) -> Build:
    """Return what builds a frame of the guest to its gateway."""
    return lambda text: v4.framed(
        HERS, v4.packet(OWN4, IPv4Address(target), **({"body": v4.udp(4000, port, text)} | fields)), GATEWAY_MAC
    )


def _to_by(target: IPv4Address | str, protocol: int, head: bytes = b"") -> Build:
    return lambda text: v4.framed(
        HERS, v4.packet(OWN4, IPv4Address(target), protocol=protocol, body=head + text), GATEWAY_MAC
    )


def _tcp_to(target: IPv4Address | str, port: int) -> Build:
    return lambda text: v4.framed(
        HERS, v4.packet(OWN4, IPv4Address(target), protocol=v4.TCP, body=v4.tcp(4000, port, v4.SYN, text)), GATEWAY_MAC
    )


def _to6(target: IPv6Address | str, port: int = PORT, *headers: tuple[int, bytes], source: IPv6Address = OWN) -> Build:
    return lambda text: v6.ipv6(
        HERS,
        source,
        IPv6Address(target),
        protocol=v6.UDP,
        body=v6.udp(4000, port, text),
        headers=headers,
        to=GATEWAY_MAC,
    )


def _route6(kind: int, hop: IPv6Address) -> tuple[int, bytes]:
    return v6.ROUTING, bytes([2, kind, 1]) + bytes(4) + hop.packed


_VXLAN = frames.vxlan(1, frames.udp(HERS, OWN4, ports=(1, 2)))
OF_GUESTS = (
    Group(
        *("IPv4", "routing", "guest", "reach the node", "packet to the outside"),
        built(
            {f"UDP to the node, port {port}": _to(NODE, port) for port in (53, 67, 123, 179, 3784, 4789, 6081, 7443)}
            | {f"TCP to the node, port {port}": _tcp_to(NODE, port) for port in (22, 179, 7443, 16509, 16514, 49152)}
            | {
                "UDP to the node's end of the cable": _to("100.64.0.0"),
                "UDP to the node on the underlay": _to("192.0.2.1", 4789),
                "IPv4 in IPv4 to the node": _to_by(NODE, v4.IP_IN_IP, v4.packet(OWN4, NODE, length=36)),
                "IPv6 in IPv4 to the node": _to_by(NODE, v4.SIX_IN_FOUR),
                "GRE to the node": _to_by(NODE, v4.GRE, bytes([0, 0, 8, 0])),
                "ESP to the node": _to_by(NODE, v4.ESP),
                "echo request to the node": lambda text: v4.framed(
                    HERS, v4.packet(OWN4, NODE, protocol=v4.ICMP, body=v4.icmp(8, content=text)), GATEWAY_MAC
                ),
                "fragment to the node": _to(NODE, fragment=v4.MORE),
                "packet to the node behind a source route": _to(BEYOND, options=v4.route(131, NODE)),
            }
        ),
    ),
    Group(
        *("IPv4", "routing", "guest", "use the router as another than a gateway", "packet to the outside"),
        built(
            {f"UDP to the gateway, port {port}": _to(GATEWAY4, port) for port in (123, 179, 3784, 4789)}
            | {f"TCP to the gateway, port {port}": _tcp_to(GATEWAY4, port) for port in (22, 179, 7443)}
            | {
                "UDP to the second gateway": _to(GATEWAY4_SECOND),
                "UDP to the metadata service": _to(str(ADDRESS), 123),
                "TCP to another port of the metadata service": _tcp_to(str(ADDRESS), 8080),
                "UDP to the router's end of the cable": _to("100.64.0.1"),
                "GRE to the gateway": _to_by(GATEWAY4, v4.GRE, bytes([0, 0, 8, 0])),
                "IPv4 in IPv4 to the gateway": _to_by(GATEWAY4, v4.IP_IN_IP, v4.packet(OWN4, BEYOND, length=36)),
            }
        ),
    ),
    Group(
        *("IPv4", "routing", "guest", "reach networks that tenants may not reach", "packet to the outside"),
        built(
            {
                "packet to a network of the node": _to(NEIGHBOUR_IP),
                "packet to 10.0.0.0/8": _to("10.99.0.1"),
                "packet to 172.16.0.0/12": _to("172.16.5.1"),
                "packet to 192.168.0.0/16": _to("192.168.77.1"),
                "packet to another router": _to("100.64.0.3"),
                "packet to a link-local address": _to("169.254.7.7"),
                "packet to a group, by the gateway": _to("224.0.0.5"),
                "packet to a wide group, by the gateway": _to("239.1.1.1"),
                "packet to broadcast, by the gateway": _to("255.255.255.255"),
                "packet to loopback, by the gateway": _to("127.0.0.1"),
                "packet to the reserved range": _to("240.0.0.1"),
                "VXLAN to the outside": _to(BEYOND, 4789),
                "packet behind a loose source route": _to(GATEWAY4, options=v4.route(131, BEYOND)),
                "packet behind a strict source route": _to(GATEWAY4, options=v4.route(137, BEYOND)),
                "packet of TTL 1": _to(BEYOND, ttl=1),
            }
        ),
    ),
    Group(
        *(
            "IPv6",
            "routing",
            "guest",
            "reach the node, or networks that tenants may not reach",
            "packet to the outside",
        ),
        built(
            {
                "packet to the node by IPv6": _to6(NODE6, 7443),
                "packet to a network of the node by IPv6": _to6(NEIGHBOUR6),
                "packet to the outside without a public address": _to6(BEYOND6),
                "packet to another network by IPv6": _to6("fd00:9::1"),
                "packet to the node's end of the cable by IPv6": _to6("fe80::2"),
                "packet to 6to4": _to6("2002:c633:6401::1", source=PUBLIC6),
                "packet to a group by IPv6, by the gateway": _to6("ff0e::1"),
                "packet to loopback by IPv6, by the gateway": _to6("::1"),
                "VXLAN to the outside by IPv6": _to6(BEYOND6, 4789, source=PUBLIC6),
                "packet to the gateway by IPv6": _to6(GATEWAY, 179),
                "packet to the router by IPv6": _to6(ROUTER, 179),
                "UDP to the metadata service by IPv6": _to6(str(ADDRESS6), 123),
            }
            | {
                f"packet behind routing of type {kind}": _to6(GATEWAY, PORT, _route6(kind, BEYOND6), source=PUBLIC6)
                for kind in (0, 2, 3, 4)
            }
        ),
    ),
)
HONEST = built({"packet to the outside": _to(BEYOND), "packet to the outside by IPv6": _to6(BEYOND6, source=PUBLIC6)})


def _in(source: IPv4Address | str, target: IPv4Address = PUBLIC, **fields: Any) -> Build:
    return lambda text: v4.packet(IPv4Address(source), target, **({"body": v4.udp(4000, PORT, text)} | fields))


def _in6(source: IPv6Address | str, target: IPv6Address = PUBLIC6, *headers: tuple[int, bytes]) -> Build:
    return lambda text: v6.ipv6(
        HERS, IPv6Address(source), target, protocol=v6.UDP, body=v6.udp(4000, PORT, text), headers=headers, to=HIS
    )[14:]


_INSIDE: dict[str, IPv4Address | str] = {
    "a neighbour's": OTHER4,
    "a neighbour's second one": OTHER4_SECOND,
    "the guest's own": OWN4,
    "the gateway's": GATEWAY4,
    "the second gateway's": GATEWAY4_SECOND,
    "the metadata service's": str(ADDRESS),
    "the router's end of the cable": "100.64.0.1",
    "the node's end of the cable": "100.64.0.0",
    "another router's": "100.64.0.3",
    "the node's": NODE,
    "the public address itself (land)": PUBLIC,
    "a neighbour's public one": OTHER_PUBLIC,
    "a routed one of the guest": ROUTED,
    "loopback": "127.0.0.1",
    "a group": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "none": NO_ADDRESS,
    "reserved": "240.0.0.1",
}
_INSIDE6: dict[str, IPv6Address | str] = {
    "a neighbour's": OTHER,
    "the guest's own": OWN,
    "the gateway's": GATEWAY,
    "the router's": ROUTER,
    "the metadata service's": str(ADDRESS6),
    "the node's": NODE6,
    "the public address itself (land)": PUBLIC6,
    "a neighbour's public one": OTHER_PUBLIC6,
    "loopback": "::1",
    "a group": "ff02::1",
    "link-local": "fe80::7",
    "none": "::",
    "mapped IPv4": "::ffff:10.0.0.11",
}
_ENTRIES = {"translated": PUBLIC, "routed": ROUTED}
OF_OUTSIDE = (
    Group(
        *("IPv4", "routing", "outside", "pass for one inside, to whom security groups and services are open"),
        *("packet to the public address",),
        built(
            {
                f"from outside to a {kind} address, source: {name}": _in(source, target)
                for kind, target in _ENTRIES.items()
                for name, source in _INSIDE.items()
            }
        ),
    ),
    Group(
        *("IPv4", "routing", "outside", "reach a guest by another way than its public address"),
        *("packet to the public address",),
        built(
            {
                "from outside to the guest's own address": _in(BEYOND, OWN4),
                "from outside to a neighbour's own address": _in(BEYOND, OTHER4),
                "from outside to the gateway": _in(BEYOND, GATEWAY4),
                "from outside to the router's end of the cable": _in(BEYOND, IPv4Address("100.64.0.1")),
                "from outside to a group, by the node": _in(BEYOND, IPv4Address("239.1.1.1")),
                "from outside behind a loose source route": _in(BEYOND, NODE, options=v4.route(131, OWN4)),
                "from outside behind a strict source route": _in(BEYOND, NODE, options=v4.route(137, PUBLIC)),
                "from outside in IPv4 in IPv4": lambda text: v4.packet(
                    BEYOND, NODE, protocol=v4.IP_IN_IP, body=v4.packet(OTHER4, OWN4, body=v4.udp(1, 2, text))
                ),
                "from outside in GRE": lambda text: v4.packet(
                    BEYOND, NODE, protocol=v4.GRE, body=b"\0\0\x08\0" + v4.packet(OTHER4, OWN4, body=v4.udp(1, 2, text))
                ),
                "from outside in VXLAN": lambda text: v4.packet(
                    BEYOND,
                    NODE,
                    body=v4.udp(4000, 4789, frames.vxlan(1, frames.udp(HIS, OTHER4, ports=(1, 2), text=text))),
                ),
            }
        ),
    ),
    Group(
        *("IPv6", "routing", "outside", "pass for one inside, to whom security groups and services are open"),
        *("packet to the public address by IPv6",),
        built(
            {f"from outside by IPv6, source: {name}": _in6(source) for name, source in _INSIDE6.items()}
            | {
                "from outside by IPv6 to the guest's own address": _in6(BEYOND6, OWN),
                "from outside by IPv6 to the gateway": _in6(BEYOND6, GATEWAY),
                "from outside by IPv6 behind a source route": _in6(BEYOND6, NODE6, _route6(0, PUBLIC6)),
                "from outside by IPv6 behind a segment": _in6(BEYOND6, NODE6, _route6(4, PUBLIC6)),
            }
        ),
    ),
)
HONEST_OF_OUTSIDE = built(
    {
        "packet to the public address": _in(BEYOND),
        "packet to the routed address": _in(BEYOND, ROUTED),
        "packet to the public address by IPv6": _in6(BEYOND6),
    }
)

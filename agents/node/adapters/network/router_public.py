"""Public addresses in the router of a network: rules as text, routes, and the end of connections.

An IPv4 address is translated one to one, without masquerade: what arrives for it goes to the port's address, and what
the port sends has it as its source. Or the guest has the address itself, and the router leads it there.

The translation is that of connection tracking, which takes connections up in the middle (nf_conntrack_tcp_loose): after
a move the new node has no entry, and the first packet of either direction makes one with the same ports, since nobody
else uses the address. A translation of each packet by itself would need no entries, but would leave the packets quoted
in ICMP errors untranslated: guests would not learn the size of packets that pass (RFC 1191). Entries of both directions
are limited for each network.

What a guest sends to a public address of its own network goes to the node and comes back, so that the other guest sees
the address of the sender as from anywhere else, and never the gateway's, which security groups trust.

IPv6 addresses are always routed and not tracked.
"""

import errno
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, ip_address, ip_network

from agents.node.adapters.network import connection_limits, metadata
from agents.node.adapters.network.ipv6_rules import link_local
from agents.node.adapters.network.netlink import Netlink, Route
from agents.node.adapters.network.node_rules import TABLE, UplinkPolicy
from agents.node.adapters.network_specs import NetworkSpec
from agents.node.adapters.public_addresses import LocalAddress
from agents.node.errors import AdapterError

NODE_END, ROUTER_END = IPv6Address("fe80::1"), IPv6Address("fe80::2")  # of the cable between node and router
SWITCHES = {
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/lan/rp_filter": 0,
    "net/ipv4/conf/wan/rp_filter": 0,
    "net/ipv4/conf/all/accept_redirects": 0,
    "net/ipv4/conf/wan/accept_redirects": 0,
    "net/netfilter/nf_conntrack_tcp_loose": 1,
}
NO_IPV6 = {"net/ipv6/conf/wan/disable_ipv6": 1}
IPV6 = {
    "net/ipv6/conf/wan/addr_gen_mode": 1,
    "net/ipv6/conf/wan/accept_ra": 0,
    "net/ipv6/conf/wan/accept_redirects": 0,
    "net/ipv6/conf/wan/accept_dad": 0,
    "net/ipv6/conf/wan/disable_ipv6": 0,
}
_NETFILTER, _DELETE, _REQUEST_AND_ACK = 12, 1 << 8 | 2, 5  # IPCTNL_MSG_CT_DELETE of NFNL_SUBSYS_CTNETLINK
_MARK, _MARK_MASK = 8, 21  # CTA_MARK, CTA_MARK_MASK


def has_ipv6(network: NetworkSpec, public: Sequence[LocalAddress]) -> bool:
    """Return whether IPv6 leaves the network; it needs an IPv6 subnet, without which guests have no IPv6."""
    return bool(network.of_family(6)) and any(each.address.version == 6 for each in public)


def declarations(public: Sequence[LocalAddress]) -> str:
    """Return the statements that give the sets of IPv4 addresses exactly these elements."""
    mine = [each for each in public if each.address.version == 4]
    sets = {
        "public": [str(each.address) for each in mine],
        "routed": [str(each.address) for each in mine if each.to is None],
        "translated": list(dict.fromkeys(str(each.to) for each in mine if each.to is not None)),
    }
    sources = {str(each.to): str(each.address) for each in reversed(mine) if each.to is not None}
    # The entries of an address have its value as their mark, so that they can be deleted.
    marks = {source: int(ip_address(address)) for source, address in sources.items()}
    marks |= {address: int(ip_address(address)) for address in sets["public"]}
    maps = {
        "public_in": [f"{each.address} : {each.to}" for each in mine if each.to is not None],
        "public_out": [f"{to} : {address}" for to, address in sources.items()],
        "marks": [f"{address} : {mark:#010x}" for address, mark in marks.items()],
    }
    kinds = {"marks": "mark"}
    declared = "".join(f"  set {name} {{\n    type ipv4_addr\n  }}\n" for name in sets) + "".join(
        f"  map {name} {{\n    type ipv4_addr : {kinds.get(name, 'ipv4_addr')}\n  }}\n" for name in maps
    )
    flushed = "".join(f"flush set {TABLE} {name}\n" for name in sets)
    flushed += "".join(f"flush map {TABLE} {name}\n" for name in maps)
    elements = "".join(
        f"add element {TABLE} {name} {{ {', '.join(of_set)} }}\n" for name, of_set in (sets | maps).items() if of_set
    )
    chain = "  chain dstnat {\n    type nat hook prerouting priority dstnat; policy accept;\n  }\n"
    return f"table {TABLE} {{\n{declared}{chain}}}\n{flushed}{elements}"


def rules(outside: UplinkPolicy, own: str) -> dict[str, str]:
    """Return the rules by chain of router.ruleset, to stand at their beginnings. `own`: the network's ranges."""
    pool = outside.transit_pool
    within = 'iifname "lan" oifname "lan" ip daddr @routed'
    return {
        "raw": 'iifname "lan" ip daddr @routed notrack\n',
        "prerouting": (f'iifname "wan" ip saddr {own} counter drop\n' if own else "")
        + connection_limits.lines('iifname "wan"', "iifname", outside.connections),
        "dstnat": 'iifname "wan" ip daddr @public ct mark set ip daddr map @marks dnat to ip daddr map @public_in\n',
        "destinations": f'iifname "lan" ip daddr {pool} ct direction reply ct state established accept\n'
        'iifname "lan" ip daddr @public accept\n',
        "forward": f"{within} ip saddr @routed accept\n"
        + (f"{within} ip saddr {own} accept\n" if own else "")
        + 'iifname "lan" oifname "wan" ip saddr @routed accept\n'
        'iifname "wan" oifname "lan" ct status dnat accept\n'
        'iifname "wan" oifname "lan" ip daddr @routed accept\n',
        "postrouting": 'oifname "wan" ip saddr @routed ct mark set ip saddr map @marks accept\n'
        'oifname "wan" ip saddr @translated ct mark set ip saddr map @marks snat to ip saddr map @public_out\n',
    }


def ipv6_rules(network: NetworkSpec, public: Sequence[LocalAddress], refused: Sequence[str]) -> dict[str, str]:
    """Return the rules by chain of ipv6_rules.of_router. `refused`: the rules that refuse destinations."""
    mine = ", ".join(sorted(str(each.address) for each in public if each.address.version == 6))
    own = ", ".join(str(subnet.cidr) for subnet in network.of_family(6))
    everything = ", ".join(sorted({str(each.address) for each in _outside_subnets(network, public)} | {own}))
    return {
        "input": 'iifname "wan" ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n',
        "forward": f'iifname "wan" ip6 saddr {{ {own}, {metadata.ADDRESS6} }} counter drop\n'
        f'iifname "lan" oifname "lan" ip6 saddr {{ {everything} }} ip6 daddr {{ {everything} }} accept\n'
        f'iifname "lan" oifname "wan" ip6 saddr {{ {mine} }} jump outward\n'
        f'iifname "wan" oifname "lan" ip6 daddr {{ {mine} }} accept\n',
        "outward": "".join(f"{rule}\n" for rule in (*refused, "accept")),
    }


def _outside_subnets(network: NetworkSpec, public: Sequence[LocalAddress]) -> list[LocalAddress]:
    """Return the IPv6 addresses that are not in a subnet of the network."""
    return [each for each in public if each.address.version == 6 and network.subnet_of(each.address) is None]


def ensure_routes(network: NetworkSpec, public: Sequence[LocalAddress], netlink: Netlink) -> bool:
    """Lead routed addresses to their ports, in the router whose namespace the calling thread is in.

    Returns whether its routes were others.
    """
    routes_by_version: dict[int, set[Route]] = {4: set(), 6: set()}
    for each in public:
        if each.to is None and each.address.version == 4:
            routes_by_version[4].add(Route(ip_network(each.address), device="lan", gateway=each.port.ip))
    if network.of_family(6):
        for each in _outside_subnets(network, public):
            routes_by_version[6].add(Route(ip_network(each.address), device="lan", gateway=link_local(each.port.mac)))
    return any([netlink.set_routes(routes, version=version) for version, routes in routes_by_version.items()])


def ensure_ipv6_way_out(netlink: Netlink) -> None:
    netlink.ensure_address("wan", IPv6Interface((ROUTER_END, 64)))
    netlink.ensure_default_route(NODE_END, "wan")


def gone(old: Sequence[LocalAddress], new: Sequence[LocalAddress]) -> list[IPv4Address]:
    """Return the IPv4 addresses that are in `new` no more, or lead elsewhere."""
    kept = {(each.address, each.to, each.port.id) for each in new}
    lost = (each for each in old if (each.address, each.to, each.port.id) not in kept)
    return [each.address for each in lost if isinstance(each.address, IPv4Address)]


def end_connections(address: IPv4Address) -> None:
    """Delete the entries of the public address in the network namespace of the calling thread.

    Else the packets of its connections would keep the source address that was taken from the guest, and be dropped.
    """
    body = b"".join(
        struct.pack("=HH", 8, kind) + struct.pack("!I", value)
        for kind, value in ((_MARK, int(address)), (_MARK_MASK, 0xFFFFFFFF))
    )
    head = struct.pack("=IHHIIBBH", 20 + len(body), _DELETE, _REQUEST_AND_ACK, 1, 0, socket.AF_INET, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as asking:
        asking.settimeout(30.0)
        asking.send(head + body)
        (code,) = struct.unpack_from("=i", asking.recv(65536), 16)
    if code not in (0, -errno.ENOENT):
        raise AdapterError(f"Connections of public addresses cannot be ended: errno {-code}.", retryable=True)

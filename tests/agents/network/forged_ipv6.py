"""Frames of a hostile guest on a network with two subnets of each family, and frames that an honest one sends."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

from agents.node.adapters.network.ipv6_rules import ROUTER, link_local
from tests.agents.network import frames
from tests.agents.network import ipv6_frames as v6
from tests.agents.network.namespace_node import IPV4, IPV6, SECOND_IPV4, SECOND_IPV6, a_network, a_port, ipv4

NETWORK = a_network(6, IPV4, SECOND_IPV4, IPV6, SECOND_IPV6)
ATTACKER, VICTIM = a_port(NETWORK, 0), a_port(NETWORK, 1)
HERS, HIS = ATTACKER.mac, VICTIM.mac
NOBODY = "52:54:00:ff:ff:ff"
OWN, OWN_SECOND = (IPv6Address(str(each)) for each in ATTACKER.of_family(6))
OTHER, _ = (IPv6Address(str(each)) for each in VICTIM.of_family(6))
OWN_LINK, OTHER_LINK = link_local(HERS), link_local(HIS)
GATEWAY = IPv6Address("fd00:1::1")
STRAY = IPv6Address("fd00:1::dead")
OWN4_SECOND = IPv4Address("10.0.1.10")


def _frame(source: IPv6Address, body: bytes, *headers: tuple[int, bytes], mac: str = HERS, **more: Any) -> bytes:
    fields: dict[str, Any] = {"protocol": v6.ICMP, "to": frames.BROADCAST} | more
    return v6.ipv6(mac, source, v6.ALL_NODES, body=body, headers=headers, **fields)


def _udp(source: IPv6Address, body: bytes, *headers: tuple[int, bytes], **more: Any) -> bytes:
    return _frame(source, body, *headers, protocol=v6.UDP, **more)


_RA, _TEXT = v6.router_advertisement(), v6.udp(1000, 2000)
_REDIRECT = v6.redirect(OWN_LINK, GATEWAY)
_REPLY = v6.udp(547, 546)
_THEFT = v6.advertisement(OTHER, mac=HERS)

HONEST = _udp(OWN, v6.udp(1000, 2000, b"honest"))
FORGED = {
    # who sends
    "source MAC": _udp(OWN, _TEXT, mac=NOBODY),
    "source MAC of a neighbour": _udp(OWN, _TEXT, mac=HIS),
    "source MAC of a group": _udp(OWN, _TEXT, mac="01:00:5e:00:00:01"),
    "source of a neighbour": _udp(OTHER, _TEXT),
    "source in the subnet": _udp(STRAY, _TEXT),
    "source outside": _udp(IPv6Address("2001:db8::1"), _TEXT),
    "link-local source of a neighbour": _udp(OTHER_LINK, _TEXT),
    "link-local source of its choice": _udp(IPv6Address("fe80::1234"), _TEXT),
    "link-local source of the router": _udp(ROUTER, _TEXT),
    "source of the gateway": _udp(GATEWAY, _TEXT),
    "source of a group": _udp(v6.ALL_NODES, _TEXT),
    "loopback source": _udp(IPv6Address("::1"), _TEXT),
    "mapped IPv4 source": _udp(IPv6Address("::ffff:10.0.0.10"), _TEXT),
    "no source, UDP": _udp(v6.NOWHERE, _TEXT),
    "no source, echo": _frame(v6.NOWHERE, v6.icmp(128)),
    "no source, neighbour advertisement": _frame(v6.NOWHERE, v6.advertisement(OWN, mac=HERS)),
    "source of a neighbour behind options": _udp(OTHER, _TEXT, v6.options()),
    "source of a neighbour in a fragment": _udp(OTHER, _TEXT, v6.fragment()),
    "source of a neighbour in a last fragment": _udp(OTHER, _TEXT, v6.fragment(offset=8, more=False)),
    # routers
    "router advertisement": _frame(OWN_LINK, _RA),
    "router advertisement of the router": _frame(ROUTER, _RA),
    "router advertisement without a source": _frame(v6.NOWHERE, _RA),
    "router advertisement to a neighbour": _frame(OWN_LINK, _RA, to=HIS),
    "router advertisement behind hop-by-hop": _frame(OWN_LINK, _RA, v6.hop_by_hop()),
    "router advertisement behind options": _frame(OWN_LINK, _RA, v6.options()),
    "router advertisement behind many options": _frame(OWN_LINK, _RA, *[v6.options()] * 9),
    "router advertisement behind long options": _frame(OWN_LINK, _RA, v6.options(256)),
    "router advertisement behind routing": _frame(OWN_LINK, _RA, v6.routing()),
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
    "router advertisement behind an endless header": _frame(OWN_LINK, _RA, (v6.OPTIONS, bytes([255]) + bytes(6))),
    "redirect": _frame(OWN_LINK, _REDIRECT),
    "redirect of the router": _frame(ROUTER, _REDIRECT),
    "redirect behind options": _frame(OWN_LINK, _REDIRECT, v6.options()),
    "redirect in a fragment": _frame(OWN_LINK, _REDIRECT, v6.fragment(more=False)),
    "router renumbering": _frame(OWN_LINK, v6.icmp(138)),
    "multicast router": _frame(OWN_LINK, v6.icmp(151)),
    "query of multicast listeners": _frame(OWN_LINK, v6.icmp(130, bytes(20))),
    # neighbour discovery
    "advertisement of a neighbour": _frame(OWN, _THEFT),
    "advertisement of a neighbour from link-local": _frame(OWN_LINK, _THEFT),
    "advertisement of a neighbour's link-local": _frame(OWN_LINK, v6.advertisement(OTHER_LINK, mac=HERS)),
    "advertisement of the gateway": _frame(OWN, v6.advertisement(GATEWAY, mac=HERS)),
    "advertisement of the router": _frame(OWN_LINK, v6.advertisement(ROUTER, mac=HERS, flags=0xA0)),
    "advertisement of a free address": _frame(OWN, v6.advertisement(STRAY, mac=HERS)),
    "advertisement with another MAC": _frame(OWN, v6.advertisement(OWN, mac=HIS)),
    "advertisement of a neighbour behind options": _frame(OWN, _THEFT, v6.options()),
    "advertisement of a neighbour in a fragment": _frame(OWN, _THEFT, v6.fragment(more=False)),
    "advertisement in a fragment": _frame(OWN, v6.advertisement(OWN, mac=HERS), v6.fragment(more=False)),
    "solicitation of a neighbour's": _frame(OTHER, v6.solicitation(GATEWAY, mac=HERS)),
    "solicitation with another MAC": _frame(OWN, v6.solicitation(GATEWAY, mac=HIS)),
    "solicitation in a fragment": _frame(OWN, v6.solicitation(GATEWAY, mac=HERS), v6.fragment(more=False)),
    "claim of a neighbour's address": _frame(v6.NOWHERE, v6.solicitation(OTHER)),
    "claim of a neighbour's link-local address": _frame(v6.NOWHERE, v6.solicitation(OTHER_LINK)),
    "claim of the gateway's address": _frame(v6.NOWHERE, v6.solicitation(GATEWAY)),
    "claim of the router's address": _frame(v6.NOWHERE, v6.solicitation(ROUTER)),
    # DHCPv6
    "DHCPv6 server": _udp(OWN_LINK, _REPLY),
    "DHCPv6 server at another port": _udp(OWN_LINK, v6.udp(4000, 546)),
    "DHCPv6 server behind options": _udp(OWN_LINK, _REPLY, v6.options()),
    "DHCPv6 server in a fragment": _udp(OWN_LINK, _REPLY, v6.fragment(more=False)),
    "DHCPv6 for a neighbour": _udp(OTHER_LINK, v6.udp(546, 547)),
    # below IP
    "VLAN tag": frames.tagged(HONEST, vlan=7),
    "VLAN tag before a router advertisement": frames.tagged(_frame(OWN_LINK, _RA), vlan=7),
    "two VLAN tags": frames.tagged(frames.tagged(HONEST, vlan=7), vlan=8),
    "MPLS": frames.ethernet(HERS, frames.BROADCAST, 0x8847, b"label"),
    "PPPoE": frames.ethernet(HERS, frames.BROADCAST, 0x8863, b"discovery"),
    "LLDP": frames.ethernet(HERS, "01:80:c2:00:00:0e", 0x88CC, b"port"),
    "802.3 with a length": frames.ethernet(HERS, frames.BROADCAST, 38, b"\xaa\xaa\x03" + bytes(35)),
    # the second IPv4 address
    "ARP for the second gateway": frames.arp(HERS, IPv4Address("10.0.1.1"), ipv4(VICTIM)),
    "ARP for a neighbour's second address": frames.arp(HERS, IPv4Address("10.0.1.11"), ipv4(VICTIM)),
    "source of a neighbour's second address": frames.udp(HERS, IPv4Address("10.0.1.11"), ports=(1, 2)),
    "source of the second gateway": frames.udp(HERS, IPv4Address("10.0.1.1"), ports=(1, 2)),
    "second address with another MAC": frames.arp(HERS, OWN4_SECOND, ipv4(VICTIM), sender_mac=NOBODY),
}
HONEST_ONES = {
    "datagram": _udp(OWN, v6.udp(5353, 5353)),
    "datagram of the second address": _udp(OWN_SECOND, v6.udp(5353, 5353)),
    "datagram of link-local": _udp(OWN_LINK, v6.udp(5353, 5353)),
    "datagram behind options": _udp(OWN, v6.udp(5353, 5353), v6.options()),
    "first fragment": _udp(OWN, v6.udp(5353, 5353), v6.fragment()),
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
    "second IPv4 address": frames.udp(HERS, OWN4_SECOND, ports=(1, 2)),
    "ARP of the second address": frames.arp(HERS, OWN4_SECOND, ipv4(VICTIM)),
}
# What only the node's own router is to answer.
STAY = ("router solicitation", "router solicitation without a source", "DHCPv6 client")

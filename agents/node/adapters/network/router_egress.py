"""The egress address of a network in its routers: rules as text, and the way to the gateway node.

One node of the network is its gateway: its router translates what leaves to the egress address. The routers of the
other nodes send there what leaves, by the network's own segment: each router has a second device on the bridge for
that, with a MAC address of its own, since the gateway's addresses are on every node and pass between none.

    other node: guest ── lan ── egress ── segment ── egress ── translates ── wan: the gateway node
    reply:      guest ─────────────────── segment ── egress ──────────────── wan

- Ports with a public address of their own keep the way by their own node.
- A router without a way to the gateway node drops what leaves: other people's filters would otherwise see the address
  of a node. The rules come before the way, and a router that has lost both leads to the node, which lets only known
  sources pass.
- What the routers of other nodes send is not tracked there, since replies do not pass them.
- Only the first packet of a connection gets the mark by which it passes: an older one keeps the address that it has and
  is dropped.
- A guest may send to the gateway node's device itself: the destinations that tenants may not reach are refused there
  too, and the connections of all other nodes are limited as those of a node are.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from agents.node.adapters.network import connection_limits
from agents.node.adapters.network.kernel_switches import set_switch
from agents.node.adapters.network.netlink import Netlink, Route
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.node_rules import UplinkPolicy, refusals
from agents.node.adapters.network_specs import NetworkSpec
from agents.node.adapters.public_addresses import Egress

DEVICE = "egress"
TABLE, PRIORITY, MARK = 1002, 98, 0x1  # of the router's namespace
# The ends of the way: the gateway node's, and that of every other node.
GATEWAY_END, OTHER_END = IPv4Interface("169.254.64.1/31"), IPv4Interface("169.254.64.0/31")
UNMARKED = IPv4Address(0)
EVERYWHERE = IPv4Network("0.0.0.0/0")
# The device answers no ARP, and asks by its own address: guests keep theirs of the gateway.
SWITCHES = {
    f"net/ipv6/conf/{DEVICE}/disable_ipv6": 1,
    f"net/ipv4/conf/{DEVICE}/arp_ignore": 8,
    f"net/ipv4/conf/{DEVICE}/arp_announce": 2,
    f"net/ipv4/conf/{DEVICE}/rp_filter": 0,
    f"net/ipv4/conf/{DEVICE}/accept_redirects": 0,
}
_LOCAL = 'iifname "lan" oifname "wan" ip saddr @translated accept\n'


def rules(egress: Egress, outside: UplinkPolicy, links: NodeLinks, own: str) -> Mapping[str, str]:
    """Return the rules by chain of router.ruleset. `own`: the network's ranges."""
    leaves = f"ip saddr {own} ip saddr != @translated ip daddr != {own} fib daddr type != local"
    if egress.is_gateway:
        return _of_gateway(egress, outside, links, leaves)
    way = f'iifname "lan" oifname "{DEVICE}" meta mark {MARK} accept\n' if egress.gateway_mac else ""
    return {"raw": f'iifname "lan" {leaves} meta mark set {MARK} notrack\n', "forward": _LOCAL + way}


def _of_gateway(egress: Egress, outside: UplinkPolicy, links: NodeLinks, leaves: str) -> Mapping[str, str]:
    mine = f"ct mark {int(egress.address):#010x}"
    inside = f'iifname {{ "lan", "{DEVICE}" }}'
    limits = connection_limits.lines(f'iifname "{DEVICE}"', "iifname", outside.connections)
    return {
        "prerouting": f"{limits}{inside} {leaves} ct status & confirmed == 0 ct mark set {int(egress.address):#010x}\n"
        f'iifname "wan" {mine} meta mark set {MARK}\n',
        "destinations": f'iifname "{DEVICE}" ip daddr @public accept\n{refusals(DEVICE, outside, links)}',
        "forward": _LOCAL + f'{inside} oifname "wan" {mine} accept\n'
        f'iifname "wan" oifname "{DEVICE}" {mine} ct state established,related accept\n',
        "postrouting": f'oifname "wan" {mine} snat to {egress.address}\n',
    }


def gone(old: Egress | None, new: Egress | None) -> list[IPv4Address]:
    """Return the addresses whose connections end; that of connections by the node's own address is UNMARKED."""
    if old == new:
        return []
    return [UNMARKED, *([old.address] if old is not None and old.is_gateway else [])]


def ensure_way(network: NetworkSpec, egress: Egress | None, netlink: Netlink) -> bool:
    """Make the way of what leaves, in the router whose namespace the calling thread is in. Its rules are in force.

    Returns whether its routes or the routing rule were others.
    """
    if egress is None or egress.gateway_mac is None:
        had_rule = netlink.remove_routing_rule(PRIORITY, TABLE, version=4, mark=MARK)
        had_routes = netlink.set_routes((), version=4, table=TABLE)
        netlink.remove_link(DEVICE)
        return had_rule or had_routes
    _ensure_device(network, egress, netlink)
    if egress.is_gateway:
        routes = {Route(subnet.cidr, DEVICE) for subnet in network.of_family(4)}
    else:
        netlink.ensure_neighbour(DEVICE, GATEWAY_END.ip, egress.gateway_mac)
        routes = {Route(EVERYWHERE, DEVICE, GATEWAY_END.ip)}
    had_others = netlink.set_routes(routes, version=4, table=TABLE)
    return netlink.ensure_routing_rule(PRIORITY, TABLE, version=4, mark=MARK) or had_others


def _ensure_device(network: NetworkSpec, egress: Egress, netlink: Netlink) -> None:
    known = netlink.link(DEVICE)
    if known is None or known.mac != egress.mac:
        netlink.remove_link(DEVICE)
        netlink.add_macvlan(DEVICE, on="lan", mac=egress.mac)
    for switch, value in SWITCHES.items():
        set_switch(switch, value)
    netlink.change_link(DEVICE, mtu=network.mtu, state="up")
    netlink.set_addresses(DEVICE, [GATEWAY_END if egress.is_gateway else OTHER_END])

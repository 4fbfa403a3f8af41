"""Routes of public addresses in the node's own network namespace.

Packets that public_rules have marked go to the router of their network by the table LOCAL. To others, and while the
rules are missing, the address is a black hole (table MOVED): they neither reach a guest unjudged nor go back to the
outside in a circle. An address that has left with its port is routed to the other node for a while: those outside who
do not know yet that it has moved send to this one.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface, ip_network
from pathlib import Path

from agents.node.adapters.network.kernel_switches import set_switch
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.netlink import Netlink, Route
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.node_rules import MARK
from agents.node.adapters.network.router_public import NODE_END, ROUTER_END
from agents.node.adapters.network_specs import Address
from agents.node.adapters.public_addresses import Holding, PublicAddresses
from agents.node.errors import AdapterError

LOCAL, MOVED = 1001, 1000  # tables
RULES = ((99, LOCAL, MARK), (100, MOVED, 0))  # priority, table, mark
IPV4_CONF, IPV6_CONF = Path("/proc/sys/net/ipv4/conf"), Path("/proc/sys/net/ipv6/conf")
DEFAULT_ROUTES = Path("/proc/thread-self/net/route")
NODE_LEG = IPv6Interface((NODE_END, 64))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem`: for an operator; empty: none. `has_changed`: routes or routing rules were missing, or too many."""

    problem: str
    has_changed: bool


def ensure(
    public: PublicAddresses, links: NodeLinks, netlink: Netlink, *, underlay: Collection[IPv4Address]
) -> Outcome:
    """Make the routes and routing rules exactly these. `underlay`: addresses of this node."""
    if public:
        for family in ("ipv4", "ipv6"):  # errors that the node sends about a packet with the mark have it too
            set_switch(f"net/{family}/fwmark_reflect", 1)
    problems, changed = [], []
    if public.has_ipv6:
        forward_ipv6()
        problems.append(_be_reached(underlay, links, netlink))
    for version in (4, 6):
        held = public.held(version)
        ways = {route for each in held if (route := _way_in(each, links)) is not None}
        changed.append(netlink.set_routes(ways, version=version, table=LOCAL))
        closed = {Route(ip_network(each.address)) for each in held if not each.is_arriving}
        moved = {to: node for to, node in public.moved.items() if to.version == version}
        sent_on = _send_on(moved, closed, version, links, netlink)
        problems.append(sent_on.problem)
        changed.append(sent_on.has_changed)
        for priority, table, mark in RULES:
            change = netlink.ensure_routing_rule if public else netlink.remove_routing_rule
            changed.append(change(priority, table, version=version, mark=mark))
    return Outcome(" ".join(filter(None, problems)), any(changed))


def prepare_leg(layout: Layout, *, has_ipv6: bool, netlink: Netlink) -> None:
    """Prepare the node's end of the cable to a router.

    Sources are looked up with the mark, so that public ones are not taken for forged (rp_filter).
    """
    leg = layout.wan_leg
    set_switch(f"net/ipv4/conf/{leg}/src_valid_mark", 1)
    if not has_ipv6:
        set_switch(f"net/ipv6/conf/{leg}/disable_ipv6", 1)
    else:
        for switch, value in (("addr_gen_mode", 1), ("accept_ra", 0), ("accept_dad", 0), ("disable_ipv6", 0)):
            set_switch(f"net/ipv6/conf/{leg}/{switch}", value)
        netlink.ensure_address(leg, NODE_LEG)


def forward_ipv6() -> None:
    """Let the node forward IPv6. Devices that follow router advertisements go on doing so (accept_ra 2)."""
    if (IPV6_CONF / "all/forwarding").read_text().strip() == "1":
        return
    for switch in IPV6_CONF.glob("*/accept_ra"):
        if switch.read_text().strip() == "1":
            set_switch(str(switch.relative_to("/proc/sys")), 2)
    set_switch("net/ipv6/conf/all/forwarding", 1)


def _way_in(held: Holding, links: NodeLinks) -> Route | None:
    """Return the route to the router; None while there is none."""
    leg = Layout.for_network(held.network_id).wan_leg
    if leg not in links:
        return None
    to = ip_network(held.address)
    if to.version == 6:
        return Route(to, leg, ROUTER_END)
    return next((Route(to, leg, address.network[1]) for address in links.addresses[leg]), None)


def _send_on(
    moved: Mapping[Address, IPv4Address], closed: set[Route], version: int, links: NodeLinks, netlink: Netlink
) -> Outcome:
    """Make the routes of the table MOVED. Those to this node hold without those to others."""
    try:
        has_changed = netlink.set_routes(closed | set(_ways_on(moved, links)), version=version, table=MOVED)
    except AdapterError as exc:
        netlink.set_routes(closed, version=version, table=MOVED)
        problem = f"Packets to public addresses that have left are not sent on. {exc.message}"
        return Outcome(problem, has_changed=False)  # else each attempt would count as a loss
    return Outcome("", has_changed)


def _ways_on(moved: Mapping[Address, IPv4Address], links: NodeLinks) -> Iterator[Route]:
    """Yield the routes to other nodes: by the device in whose network their underlay addresses are."""
    for to, node in moved.items():
        device = _device(links, IPv4Network(node))
        if device:
            yield Route(ip_network(to), device, node if to.version == 4 else on_underlay(node))


def _be_reached(underlay: Collection[IPv4Address], links: NodeLinks, netlink: Netlink) -> str:
    """Take the addresses at which other nodes send IPv6 packets on; returns the problem."""
    for own in sorted(underlay):
        device = _device(links, IPv4Network(own), has_it=True)
        try:
            if device:
                netlink.ensure_address(device, IPv6Interface((on_underlay(own), 64)))
        except AdapterError as exc:
            return f"Other nodes cannot send IPv6 packets on to this one. {exc.message}"
    return ""


def reverse_path_problem(underlay: Collection[IPv4Address], links: NodeLinks) -> str:
    """Return the problem of the kernel's check of sources, for an operator; empty: none.

    Packets to public addresses come in at the underlay, and answers leave by the default route. Where these are two
    devices, a strict check (RFC 3704, rp_filter 1) drops such packets at either. `underlay`: addresses of this node.
    """
    ours = {_device(links, IPv4Network(own), has_it=True) for own in underlay} - {""}
    defaults = _default_devices()
    strict = sorted(device for device in ours | defaults if _is_strict(device))
    if not strict or ours <= defaults:
        return ""
    return (
        f"rp_filter of {', '.join(strict)} is 1 (strict), so packets to public addresses that come in by the underlay"
        " are dropped, those from a guest's former node too. Set it to 2 (loose)."
    )


def _default_devices() -> set[str]:
    """Return the devices of the default routes: in the file's columns, those to 0.0.0.0."""
    rows = (line.split() for line in DEFAULT_ROUTES.read_text().splitlines()[1:])
    return {row[0] for row in rows if row[1] == "00000000"}


def _is_strict(device: str) -> bool:
    """Return whether the greater value, that of the device or that of all devices, is 1."""
    files = (IPV4_CONF / name / "rp_filter" for name in ("all", device))
    return max(int(file.read_text()) for file in files if file.exists()) == 1


def on_underlay(node: IPv4Address) -> IPv6Address:
    """Return the link-local address of a node on the underlay (an interface identifier of RFC 5214, 6.1)."""
    return IPv6Address(int(IPv6Address("fe80::5efe:0:0")) | int(node))


def _device(links: NodeLinks, of: IPv4Network, *, has_it: bool = False) -> str:
    """Return the device in whose network the address is, or (`has_it`) that has it itself; empty: there is none."""
    for name, addresses in links.addresses.items():
        for address in addresses:
            if of == IPv4Network(address.ip) if has_it else of.subnet_of(address.network):
                return name
    return ""

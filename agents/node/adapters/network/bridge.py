"""The bridge of a tenant network, and the two veth pairs to its router, in the node's own namespace."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface

from agents.node.adapters.network import connection_limits, namespaces
from agents.node.adapters.network.kernel_switches import set_switch
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.netlink import Netlink
from agents.node.adapters.network.node_links import BRIDGE_ALIAS, NodeLinks
from agents.node.adapters.network.router import LAN, WAN
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, tap_name

# Bit 14 of the mask: LLDP frames are forwarded like others, so that port_rules judges (and drops) them. By default
# the bridge learns from them without asking any hook, and a forged one would divert a neighbour's traffic.
BRIDGE_OPTIONS = {"br_stp_state": 0, "br_forward_delay": 0, "br_mcast_snooping": 0, "br_group_fwd_mask": 0x4000}


def has_router(layout: Layout, links: NodeLinks) -> bool:
    """Return whether the router is complete: a veth whose other end was deleted is gone too, so this side shows it."""
    return namespaces.is_alive(layout.namespace) and layout.lan_leg in links and layout.wan_leg in links


def ensure(
    network: NetworkSpec,
    ports: Sequence[PortSpec],
    links: NodeLinks,
    netlink: Netlink,
    *,
    node_end: IPv4Address,
    has_ip_hooks: bool,
) -> None:
    """Create every missing part, router namespace included, and bring the node's side up.

    A router that lost a part is replaced as a whole. Taps are the hypervisor's; existing taps, which may have been
    unplugged with a lost bridge, are plugged in again. `has_ip_hooks`: see set_ip_hooks.
    """
    layout = Layout.for_network(network.id)
    if not has_router(layout, links):
        _remove_router(layout, links, netlink)
        _create_router(layout, netlink)
    if layout.bridge not in links:
        netlink.add_link(layout.bridge, "bridge")
    for name in (layout.bridge, layout.lan_leg):
        set_switch(f"net/ipv6/conf/{name}/disable_ipv6", 1)
    netlink.change_link(layout.bridge, ifalias=BRIDGE_ALIAS)
    netlink.change_link(layout.bridge, kind="bridge", **BRIDGE_OPTIONS, **_ip_hooks(has_ip_hooks))
    netlink.change_link(layout.bridge, mtu=network.mtu, arp=False, state="up")
    netlink.plug(layout.lan_leg, bridge=layout.bridge)
    for leg in (layout.lan_leg, layout.wan_leg):
        netlink.change_link(leg, mtu=network.mtu, state="up")
    netlink.ensure_address(layout.wan_leg, IPv4Interface((node_end, 31)))
    for tap in (tap_name(port.id) for port in ports):
        if tap in links:
            netlink.plug(tap, bridge=layout.bridge)
    set_switch("net/ipv4/ip_forward", 1)
    for switch, seconds in connection_limits.SWITCHES.items():
        set_switch(switch, seconds)
    for protocol in ("iptables", "ip6tables", "arptables"):
        set_switch(f"net/bridge/bridge-nf-call-{protocol}", 0)


def set_ip_hooks(bridges: Iterable[str], netlink: Netlink, *, is_on: bool) -> None:
    """Let the frames of these bridges pass the node's IP hooks (br_netfilter), for group_rules, or not."""
    for name in sorted(bridges):
        netlink.change_link(name, kind="bridge", **_ip_hooks(is_on))


def unplug(device: str, links: NodeLinks, netlink: Netlink) -> None:
    if device in links:
        netlink.plug(device, bridge=None)


def remove(layout: Layout, links: NodeLinks, netlink: Netlink) -> None:
    _remove_router(layout, links, netlink)
    if layout.bridge in links:
        netlink.remove_link(layout.bridge)


def _ip_hooks(is_on: bool) -> dict[str, int]:
    return {"br_nf_call_iptables": int(is_on), "br_nf_call_ip6tables": int(is_on)}


def _create_router(layout: Layout, netlink: Netlink) -> None:
    namespaces.create(layout.namespace)
    with (namespaces.NAMESPACES / layout.namespace).open() as namespace:
        in_namespace = {"net_ns_fd": namespace.fileno()}
        lan = {"ifname": LAN, "address": layout.gateway_mac, **in_namespace}
        netlink.add_link(layout.lan_leg, "veth", peer=lan)
        netlink.add_link(layout.wan_leg, "veth", peer={"ifname": WAN, **in_namespace})
    set_switch(f"net/ipv6/conf/{layout.wan_leg}/disable_ipv6", 1)  # until public_routes has a use for it


def _remove_router(layout: Layout, links: NodeLinks, netlink: Netlink) -> None:
    for leg in (layout.lan_leg, layout.wan_leg):
        if leg in links:
            netlink.remove_link(leg)
    namespaces.remove(layout.namespace)

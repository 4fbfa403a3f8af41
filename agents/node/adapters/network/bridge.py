"""The bridge of a tenant network, and the two veth pairs to its router, in the node's own namespace."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from agents.node.adapters.interfaces import NetworkSpec, PortSpec, tap_name
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.node_links import BRIDGE_ALIAS, NodeLinks
from agents.node.adapters.network.node_rules import ESTABLISHED_S, ESTABLISHED_SWITCH
from agents.node.adapters.network.router import LAN, WAN
from agents.node.adapters.network.tools import (
    NAMESPACES,
    delete_link,
    ip_batch,
    namespace_is_alive,
    set_kernel_switch,
)

# Bit 14 of the mask: LLDP frames are forwarded like others, so that port_rules judges (and drops) them. By default
# the bridge learns from them without asking any hook, and a forged one would divert a neighbour's traffic.
BRIDGE_OPTIONS = "stp_state 0 forward_delay 0 mcast_snooping 0 group_fwd_mask 0x4000"


def has_router(layout: Layout, links: NodeLinks) -> bool:
    """Return whether the router is complete: a veth whose other end was deleted is gone too, so this side shows it."""
    return namespace_is_alive(layout.namespace) and layout.lan_leg in links and layout.wan_leg in links


def ensure(
    network: NetworkSpec, ports: Sequence[PortSpec], links: NodeLinks, *, node_end: IPv4Address, has_ip_hooks: bool
) -> None:
    """Create every missing part, router namespace included, and bring the node's side up.

    A router that lost a part is replaced as a whole. Taps are the hypervisor's; existing taps, which may have been
    unplugged with a lost bridge, are plugged in again. `has_ip_hooks`: see set_ip_hooks.
    """
    layout = Layout.for_network(network.id)
    if not has_router(layout, links):
        _remove_router(layout, links)
        ip_batch(_router_parts(layout))
    if layout.bridge not in links:
        ip_batch([f"link add {layout.bridge} type bridge"])
    taps = [tap_name(port.id) for port in ports]
    for name in (layout.bridge, layout.lan_leg, layout.wan_leg):
        set_kernel_switch(f"net/ipv6/conf/{name}/disable_ipv6", "1")
    ip_batch(
        [
            f'link set {layout.bridge} alias "{BRIDGE_ALIAS}"',
            f"link set {layout.bridge} type bridge {BRIDGE_OPTIONS} {_ip_hooks(has_ip_hooks)}",
            f"link set {layout.bridge} mtu {network.mtu} arp off up",
            f"link set {layout.lan_leg} mtu {network.mtu} master {layout.bridge} up",
            f"link set {layout.wan_leg} mtu {network.mtu} up",
            f"addr replace {node_end}/31 dev {layout.wan_leg}",
            *(f"link set {tap} master {layout.bridge}" for tap in taps if tap in links),
        ]
    )
    set_kernel_switch("net/ipv4/ip_forward", "1")
    set_kernel_switch(ESTABLISHED_SWITCH, str(ESTABLISHED_S))
    for protocol in ("iptables", "ip6tables", "arptables"):
        set_kernel_switch(f"net/bridge/bridge-nf-call-{protocol}", "0")


def set_ip_hooks(bridges: Iterable[str], *, is_on: bool) -> None:
    """Let the frames of these bridges pass the node's IP hooks (br_netfilter), for group_rules, or not."""
    ip_batch(f"link set {name} type bridge {_ip_hooks(is_on)}" for name in sorted(bridges))


def unplug(device: str, links: NodeLinks) -> None:
    if device in links:
        ip_batch([f"link set {device} nomaster"])


def remove(layout: Layout, links: NodeLinks) -> None:
    _remove_router(layout, links)
    if layout.bridge in links:
        delete_link(layout.bridge)


def _ip_hooks(is_on: bool) -> str:
    return f"nf_call_iptables {is_on:d} nf_call_ip6tables {is_on:d}"


def _router_parts(layout: Layout) -> list[str]:
    peer = f"netns {layout.namespace}"
    return [
        f"netns add {layout.namespace}",
        f"link add {layout.lan_leg} type veth peer name {LAN} address {layout.gateway_mac} {peer}",
        f"link add {layout.wan_leg} type veth peer name {WAN} {peer}",
    ]


def _remove_router(layout: Layout, links: NodeLinks) -> None:
    for leg in {layout.lan_leg, layout.wan_leg} & links.addresses.keys():
        delete_link(leg)
    if namespace_is_alive(layout.namespace):
        ip_batch([f"netns del {layout.namespace}"])
    (NAMESPACES / layout.namespace).unlink(missing_ok=True)

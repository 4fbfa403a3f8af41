"""Overlay of a tenant network: a VXLAN device on its bridge leads to the other nodes.

The device learns from frames which guest is behind which node; broadcast and unknown destinations are sent to each
peer. So the arrival of a guest needs no message: its first frame, or QEMU's announcement after a migration, shows all
nodes where it is.

overlay_rules restricts the packets, before the device accepts any.
"""

from ipaddress import IPv4Address

from agents.node.adapters.network.kernel_switches import set_switch
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.netlink import Link, Netlink, link_names
from agents.node.adapters.network.overlay_rules import VXLAN_PORT
from agents.node.adapters.network_specs import NetworkSpec, SegmentSpec

EVERYBODY = "00:00:00:00:00:00"
OVERHEAD_BYTES = 50  # outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14


def underlay(address: IPv4Address, netlink: Netlink) -> Link | None:
    """Return the device that has the address."""
    names = link_names()
    for index, interface in netlink.addresses():
        if interface.ip == address and index in names:
            return netlink.link(names[index])
    return None


def problem(network: NetworkSpec, segment: SegmentSpec, device: Link | None) -> str:
    """Return the problem of the underlay's device, for an operator; empty: none."""
    if device is None:
        return f"The underlay address {segment.local} is on no device of this node."
    needed = network.mtu + OVERHEAD_BYTES
    if device.mtu >= needed:
        return ""
    return (
        f"Guests may send {network.mtu} bytes at once, and only {device.mtu - OVERHEAD_BYTES} go to other nodes "
        f"uncut: {device.name} of the underlay has an MTU of {device.mtu}, and needs {needed}."
    )


def remove_other(layout: Layout, segment: SegmentSpec | None, netlink: Netlink) -> None:
    """Remove the device unless it is the segment's. The rules for it are removed later: they exclude other senders."""
    device = netlink.link(layout.overlay)
    if device is None:
        return
    if segment is None or (device.vni, device.local, device.port) != (segment.vni, segment.local, VXLAN_PORT):
        netlink.remove_link(layout.overlay)


def ensure(network: NetworkSpec, segment: SegmentSpec, netlink: Netlink) -> None:
    """Connect the segment, whose rules are in force."""
    layout = Layout.for_network(network.id)
    if netlink.link(layout.overlay) is None:
        own = {"vxlan_id": segment.vni, "vxlan_local": str(segment.local), "vxlan_port": VXLAN_PORT}
        netlink.add_link(layout.overlay, "vxlan", **own, vxlan_learning=True)
    set_switch(f"net/ipv6/conf/{layout.overlay}/disable_ipv6", 1)
    netlink.plug(layout.overlay, bridge=layout.bridge)
    netlink.change_link(layout.overlay, mtu=network.mtu, state="up")
    _lead_to(layout.overlay, set(segment.peers), netlink)


def _lead_to(device: str, peers: set[IPv4Address], netlink: Netlink) -> None:
    """Set the peers, and forget the guests behind a node that is no peer any more."""
    entries = netlink.forwarding_entries(device)
    for mac, node in entries:
        if node not in peers:
            netlink.remove_forwarding_entry(device, mac, node)
    for node in sorted(peers - {node for mac, node in entries if mac == EVERYBODY}):
        netlink.add_forwarding_entry(device, EVERYBODY, node)

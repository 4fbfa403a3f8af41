"""Overlay of a tenant network: a VXLAN device on its bridge leads to the other nodes.

The device learns from frames which guest is behind which node; broadcast and unknown destinations are sent to each
peer. So the arrival of a guest needs no message: its first frame, or QEMU's announcement after a migration, shows all
nodes where it is.

The kernel is the record of the segments; overlay_rules restricts the packets, before the device accepts any.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from agents.node.adapters.network.layout import OVERLAY, Layout
from agents.node.adapters.network.overlay_rules import VXLAN_PORT, ruleset
from agents.node.adapters.network.tools import (
    bridge_batch,
    bridge_json,
    delete_link,
    ip_batch,
    ip_json,
    nft,
    set_kernel_switch,
)
from agents.node.adapters.network_specs import NetworkSpec, SegmentSpec

EVERYBODY = "00:00:00:00:00:00"
OVERHEAD_BYTES = 50  # outer IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14


def present() -> dict[Layout, SegmentSpec]:
    """Return the segments of this node as they are."""
    found = {}
    peers = _peers()
    for link in ip_json(["-d", "link", "show", "type", "vxlan"]):
        layout, facts = Layout.owning(link["ifname"], OVERLAY), link["linkinfo"]["info_data"]
        if layout is not None and "local" in facts and facts["port"] == VXLAN_PORT:
            local = IPv4Address(facts["local"])
            found[layout] = SegmentSpec(facts["id"], local, tuple(peers.get(link["ifname"], ())))
    return found


def ensure(network: NetworkSpec, segment: SegmentSpec) -> str:
    """Connect the segment: rules first, so that a former peer is excluded before any other change.

    Returns the problem of the underlay; without its own address on it, the node takes no part.
    """
    layout, before = Layout.for_network(network.id), present()
    link = _underlay(segment.local)
    if link is None:
        remove(layout)
        return f"The underlay address {segment.local} is on no device of this node."
    apply_rules({**before, layout: segment})
    old = before.get(layout)
    if old is None or (old.vni, old.local) != (segment.vni, segment.local):
        _make(layout, segment)
        old = None
    set_kernel_switch(f"net/ipv6/conf/{layout.overlay}/disable_ipv6", "1")
    ip_batch([f"link set {layout.overlay} mtu {network.mtu} master {layout.bridge} up"])
    _lead_to(layout, segment.peers, before=old.peers if old else ())
    needed = network.mtu + OVERHEAD_BYTES
    if link["mtu"] >= needed:
        return ""
    return (
        f"Guests may send {network.mtu} bytes at once, and only {link['mtu'] - OVERHEAD_BYTES} go to other nodes "
        f"uncut: {link['ifname']} of the underlay has an MTU of {link['mtu']}, and needs {needed}."
    )


def remove(layout: Layout) -> None:
    """Remove the segment. The rules go last: until then they exclude other senders."""
    if any(link["ifname"] == layout.overlay for link in ip_json(["link", "show", "type", "vxlan"])):
        delete_link(layout.overlay)
    apply_rules(present())


def apply_rules(segments: Mapping[Layout, SegmentSpec]) -> None:
    nft(ruleset(segments.values()))


def _make(layout: Layout, segment: SegmentSpec) -> None:
    if any(link["ifname"] == layout.overlay for link in ip_json(["link", "show"])):
        delete_link(layout.overlay)
    ip_batch(
        [f"link add {layout.overlay} type vxlan id {segment.vni} local {segment.local} dstport {VXLAN_PORT} learning"]
    )


def _lead_to(layout: Layout, peers: tuple[IPv4Address, ...], *, before: tuple[IPv4Address, ...]) -> None:
    """Set the peers, and forget the guests behind a node that is no peer any more."""
    device, gone = layout.overlay, {str(peer) for peer in before} - {str(peer) for peer in peers}
    entries = bridge_json(["fdb", "show", "dev", device]) if gone else []
    behind_gone = [entry for entry in entries if entry.get("dst") in gone]
    bridge_batch((f"fdb del {entry['mac']} dev {device} dst {entry['dst']} self" for entry in behind_gone), force=True)
    new = sorted(set(peers) - set(before))
    bridge_batch(f"fdb append {EVERYBODY} dev {device} dst {peer} self" for peer in new)


def _peers() -> dict[str, list[IPv4Address]]:
    found: dict[str, list[IPv4Address]] = {}
    for entry in bridge_json(["fdb", "show"]):
        if entry["mac"] == EVERYBODY and "dst" in entry and "ifname" in entry:
            found.setdefault(entry["ifname"], []).append(IPv4Address(entry["dst"]))
    return found


def _underlay(address: IPv4Address) -> dict[str, Any] | None:
    """Return the device that has the address."""
    found = [link for link in ip_json(["addr", "show", "to", f"{address}/32"]) if link.get("addr_info")]
    return found[0] if found else None

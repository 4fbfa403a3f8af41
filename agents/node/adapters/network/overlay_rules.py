"""VXLAN packets that the node accepts and sends: nftables rules as text.

Any sender of UDP to the node could otherwise put frames into tenants' networks. So packets with the number of a network
on this node are accepted only from the nodes that carry this network, and sent only to them. Packets with other numbers
are not filtered: the operator may have VXLAN networks of their own.

`input` and `output` see whole packets: fragments are put together before, and made after.
"""

from collections.abc import Iterable

from agents.node.adapters.network_specs import SegmentSpec

VXLAN_PORT = 4789
TABLE = "ip andromede-overlay"
_VNI = "@th,96,24"  # behind 8 bytes of UDP header and 4 bytes of flags
REMOVAL = f"table {TABLE} {{\n}}\ndelete table {TABLE}\n"


def ruleset(segments: Iterable[SegmentSpec]) -> str:
    """Return the table, which replaces the old one in one step."""
    known = sorted(segments, key=lambda segment: segment.vni)
    if not known:
        return REMOVAL
    networks = ", ".join(f"{segment.vni:#x}" for segment in known)
    peers = ", ".join(f"{peer} . {segment.vni:#x}" for segment in known for peer in sorted(segment.peers))
    return (
        REMOVAL
        + f"""\
table {TABLE} {{
  set networks {{
    typeof {_VNI}
{_elements(networks)}  }}
  set peers {{
    typeof ip saddr . {_VNI}
{_elements(peers)}  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    udp dport {VXLAN_PORT} ip saddr . {_VNI} @peers accept
    udp dport {VXLAN_PORT} {_VNI} @networks counter drop
  }}
  chain output {{
    type filter hook output priority filter; policy accept;
    udp dport {VXLAN_PORT} ip daddr . {_VNI} @peers accept
    udp dport {VXLAN_PORT} {_VNI} @networks counter drop
  }}
}}
"""
    )


def _elements(text: str) -> str:
    return f"    elements = {{ {text} }}\n" if text else ""

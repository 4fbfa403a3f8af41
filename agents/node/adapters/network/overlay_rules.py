"""VXLAN packets that the node accepts and sends: nftables rules as text.

Any sender of UDP to the node could otherwise put frames into tenants' networks. So packets with the number of a network
on this node are accepted only from the nodes that carry this network, and sent only to them. Packets with other numbers
are not filtered: the operator may have VXLAN networks of their own.

`input` and `output` see whole packets: fragments are put together before, and made after.
"""

from collections.abc import Collection
from functools import lru_cache

from agents.node.adapters.network_specs import SegmentSpec

VXLAN_PORT = 4789
TABLE = "ip andromede-overlay"
_VNI = "@th,96,24"  # behind 8 bytes of UDP header and 4 bytes of flags
REMOVAL = f"table {TABLE} {{\n}}\ndelete table {TABLE}\n"


def ruleset(segments: Collection[SegmentSpec]) -> str:
    """Return the table, which replaces the old one in one step."""
    if not segments:
        return REMOVAL
    known = sorted(segments, key=lambda segment: segment.vni)
    networks = ", ".join(_network(segment) for segment in known)
    peers = ", ".join(element for segment in known for element in _peers(segment))
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


def change(old: SegmentSpec | None, new: SegmentSpec | None) -> str:
    """Return the elements to delete from the sets and to add to them when `new` replaces `old`; empty: none.

    The table has exactly the elements of `old` for its number, and no other segment has the number of either.
    """
    networks = [{_network(segment)} if segment else set() for segment in (old, new)]
    peers = [set(_peers(segment)) if segment else set() for segment in (old, new)]
    return (
        _each("delete", "peers", peers[0] - peers[1])
        + _each("delete", "networks", networks[0] - networks[1])
        + _each("add", "networks", networks[1] - networks[0])
        + _each("add", "peers", peers[1] - peers[0])
    )


def _network(segment: SegmentSpec) -> str:
    return f"{segment.vni:#x}"


@lru_cache(maxsize=4096)  # a change of one segment also writes the file of all rules
def _peers(segment: SegmentSpec) -> tuple[str, ...]:
    return tuple(f"{peer} . {segment.vni:#x}" for peer in sorted(segment.peers))


def _each(verb: str, name: str, elements: Collection[str]) -> str:
    return f"{verb} element {TABLE} {name} {{ {', '.join(sorted(elements))} }}\n" if elements else ""


def _elements(text: str) -> str:
    return f"    elements = {{ {text} }}\n" if text else ""

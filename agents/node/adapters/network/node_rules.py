"""What tenants' traffic may do in the node's own network namespace: nftables rules as text.

Whatever comes out of a router may go to the outside, and nothing but answers may go in. It never reaches
- the node itself, at any of its addresses, so neither its agent nor its ssh server;
- another tenant's router;
- link-local addresses, where clouds and management controllers offer their secrets;
- VXLAN anywhere: it would leave with the node's own address, which other nodes take tenants' frames from;
- the denied networks. Unless told otherwise these are all networks that the node is plugged into: the
  neighbours there are other nodes and the operator's machines, which need not be ready for hostile guests.
  A router of the operator in such a network still carries traffic away, being no packet's destination. An
  operator who offers a service to tenants from there (a resolver, say) names the denied networks explicitly.

The verdict falls in `prerouting` at priority raw, on the address the guest wrote, before anybody's port
forwarding replaces it.

All networks share the node's connection tracking table, and a full table refuses new connections of everybody. So
each network has a share of it, counted by the transit address of its router before NAT; a new connection beyond the
share is dropped. What the node itself must always answer (its agent, ssh, VXLAN) is not tracked at all, and needs no
room in the table: firewalls of the operator see these packets as `untracked`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses

from agents.node.adapters.network.layout import WAN_LEG
from agents.node.adapters.network.overlay_rules import VXLAN_PORT

TABLE = "ip andromede"
LINK_LOCAL = IPv4Network("169.254.0.0/16")
TRANSIT_POOL = IPv4Network("100.64.0.0/16")
SSH_PORT = 22
CONNECTIONS = 8192
# An established TCP connection that has been silent for so long is forgotten; the kernel's default is five days.
ESTABLISHED_S = 3600
ESTABLISHED_SWITCH = "net/netfilter/nf_conntrack_tcp_timeout_established"
REMOVAL = f"table {TABLE} {{\n}}\ndelete table {TABLE}\n"


@dataclass(frozen=True, slots=True)
class Outside:
    """What tenants' networks may use of the node and of the world behind it.

    `uplink`: the device towards the outside; empty: whichever the node's routes say. `denied`: the destinations that
    tenants may not reach, beside those that they never may; None: all networks that the node is plugged into.
    `transit_pool` must be free on this node. `connections`: how many a network may have open at once.
    `own_tcp_ports`: where the node itself is reached, its agent and ssh.
    """

    uplink: str = ""
    denied: tuple[IPv4Network, ...] | None = None
    transit_pool: IPv4Network = TRANSIT_POOL
    connections: int = CONNECTIONS
    own_tcp_ports: tuple[int, ...] = (SSH_PORT,)


def connections_set(outside: Outside) -> str:
    """The name holds the limit, which the kernel copies into each element: another limit needs another set.

    The set is kept when the rules are written again, since a new one would count from zero.
    """
    return f"connections_{outside.connections}"


def ruleset(outside: Outside, *, connected: Iterable[IPv4Network], bridges: Iterable[str]) -> str:
    """The whole table; applying it again keeps connections. Without an uplink any device leads outside.

    `bridges` of tenant networks: the node takes no packet from them, whichever device of theirs it came from.
    """
    pool, counted = outside.transit_pool, connections_set(outside)
    denied = connected if outside.denied is None else outside.denied
    refused = ", ".join(map(str, collapse_addresses([LINK_LOCAL, pool, *denied])))
    leads_out = f'oifname "{outside.uplink}"' if outside.uplink else f'oifname != "{WAN_LEG}*"'
    own_ports = ", ".join(map(str, sorted({*outside.own_tcp_ports})))
    from_bridges = "".join(f'    iifname "{bridge}" counter drop\n' for bridge in sorted(bridges))
    return f"""\
{_declarations(counted)}\
flush table {TABLE}
table {TABLE} {{
  chain prerouting {{
{from_bridges}\
    iifname "{WAN_LEG}*" fib daddr type != unicast counter drop
    iifname "{WAN_LEG}*" ip daddr {{ {refused} }} counter drop
    iifname "{WAN_LEG}*" udp dport {VXLAN_PORT} counter drop
    iifname != "{WAN_LEG}*" fib daddr type local tcp dport {{ {own_ports} }} notrack
    iifname != "{WAN_LEG}*" fib daddr type local udp dport {VXLAN_PORT} notrack
  }}
  chain output {{
    tcp sport {{ {own_ports} }} notrack
    udp dport {VXLAN_PORT} notrack
  }}
  chain input {{
    iifname "{WAN_LEG}*" counter drop
  }}
  chain forward {{
    iifname "{WAN_LEG}*" ct state new add @{counted} {{ ip saddr ct count over {outside.connections} }} counter drop
    iifname "{WAN_LEG}*" ip saddr {pool} {leads_out} accept
    iifname "{WAN_LEG}*" counter drop
    oifname "{WAN_LEG}*" ct state established,related accept
    oifname "{WAN_LEG}*" counter drop
  }}
  chain postrouting {{
    ip saddr {pool} {leads_out} masquerade
  }}
}}
"""


def _declarations(counted: str) -> str:
    """Declaring what exists already changes nothing."""
    return f"""\
table {TABLE} {{
  set {counted} {{
    type ipv4_addr
    size 65535
    flags dynamic
  }}
  chain prerouting {{
    type filter hook prerouting priority raw; policy accept;
  }}
  chain output {{
    type filter hook output priority raw; policy accept;
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
  }}
}}
"""

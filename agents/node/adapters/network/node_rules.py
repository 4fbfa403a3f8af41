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
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, collapse_addresses

from agents.node.adapters.network.layout import WAN_LEG
from agents.node.adapters.network.overlay_rules import VXLAN_PORT

TABLE = "ip andromede"
LINK_LOCAL = IPv4Network("169.254.0.0/16")
REMOVAL = f"table {TABLE} {{\n}}\ndelete table {TABLE}\n"


def ruleset(*, denied: Iterable[IPv4Network], transit_pool: IPv4Network, uplink: str) -> str:
    """The whole table; applying it again keeps connections. Without `uplink` any device leads outside."""
    refused = ", ".join(map(str, collapse_addresses([LINK_LOCAL, transit_pool, *denied])))
    outside = f'oifname "{uplink}"' if uplink else f'oifname != "{WAN_LEG}*"'
    return f"""\
table {TABLE} {{
  chain prerouting {{
    type filter hook prerouting priority raw; policy accept;
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
flush table {TABLE}
table {TABLE} {{
  chain prerouting {{
    iifname "{WAN_LEG}*" fib daddr type != unicast counter drop
    iifname "{WAN_LEG}*" ip daddr {{ {refused} }} counter drop
    iifname "{WAN_LEG}*" udp dport {VXLAN_PORT} counter drop
  }}
  chain input {{
    iifname "{WAN_LEG}*" counter drop
  }}
  chain forward {{
    iifname "{WAN_LEG}*" ip saddr {transit_pool} {outside} accept
    iifname "{WAN_LEG}*" counter drop
    oifname "{WAN_LEG}*" ct state established,related accept
    oifname "{WAN_LEG}*" counter drop
  }}
  chain postrouting {{
    ip saddr {transit_pool} {outside} masquerade
  }}
}}
"""

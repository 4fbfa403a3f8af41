"""The router of a tenant network: a network namespace with the gateway's address and a route to the outside.

Its device `lan` is plugged into the network's bridge, its device `wan` leads to the node by a /31 of its own. It hides
the tenant's addresses behind its transit address, and the node hides that one behind its own: so two tenants may use
the same addresses on one node.
"""

from ipaddress import IPv4Network
from textwrap import indent

from agents.node.adapters.interfaces import NetworkSpec
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.node_rules import (
    ESTABLISHED_S,
    ESTABLISHED_SWITCH,
    TABLE,
    UplinkPolicy,
    connections_set,
    declarations,
    refusals,
)
from agents.node.adapters.network.tools import inside, ip_batch, nft
from agents.node.process import run

LAN, WAN = "lan", "wan"
CHAINS = {
    "prerouting": "type filter hook prerouting priority mangle; policy accept;",
    "input": "type filter hook input priority filter; policy drop;",
    "destinations": "type filter hook forward priority filter - 10; policy accept;",
    "forward": "type filter hook forward priority filter; policy drop;",
    "postrouting": "type nat hook postrouting priority srcnat; policy accept;",
}
SWITCHES = (
    "net.ipv4.ip_forward=1",
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
    f"{ESTABLISHED_SWITCH}={ESTABLISHED_S}",
)


def ensure(network: NetworkSpec, outside: UplinkPolicy, links: NodeLinks, *, transit: IPv4Network) -> str:
    """Configure the router, whose namespace has both devices.

    The rules come first: no packet passes without them. Returns the rules.
    """
    layout = Layout.for_network(network.id)
    plen = network.cidr.prefixlen
    rules = ruleset(network.cidr, outside, links)
    nft(rules, namespace=layout.namespace)
    # -e: a kernel without IPv6 lacks its switches
    run([*inside(layout.namespace), "sysctl", "-q", "-e", "-w", *SWITCHES])
    ip_batch(
        (
            "link set lo up",
            f"link set {LAN} mtu {network.mtu} up",
            f"link set {WAN} mtu {network.mtu} up",
            f"addr replace {network.gateway_ip}/{plen} dev {LAN}",
            f"addr replace {transit[1]}/31 dev {WAN}",
            f"route replace default via {transit[0]} dev {WAN}",
        ),
        namespace=layout.namespace,
    )
    return rules


def ruleset(cidr: IPv4Network, outside: UplinkPolicy, links: NodeLinks) -> str:
    """Return the whole table; applying it again keeps connections.

    The router's own connection tracking has no more entries than its network's share: a connection above it is dropped
    before an entry is made. Destinations that tenants may not reach are refused here, too: see node_rules.
    """
    counted = connections_set(outside)
    return f"""\
{declarations(counted, "typeof iifname", size=16, chains=CHAINS)}\
flush table {TABLE}
table {TABLE} {{
  chain prerouting {{
    iifname "{LAN}" ct state new add @{counted} {{ iifname ct count over {outside.connections} }} counter drop
  }}
  chain input {{
    iifname "lo" accept
    ct state established,related accept
    iifname "{LAN}" icmp type echo-request accept
    iifname "{LAN}" udp sport 68 udp dport 67 accept
  }}
  chain destinations {{
{indent(refusals(LAN, outside, links), "    ")}\
  }}
  chain forward {{
    iifname "{LAN}" oifname "{WAN}" ip saddr {cidr} accept
    iifname "{WAN}" oifname "{LAN}" ct state established,related accept
  }}
  chain postrouting {{
    oifname "{WAN}" masquerade
  }}
}}
"""

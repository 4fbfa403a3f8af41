"""The router of a tenant network: a network namespace with the gateway's address and a route to the outside.

Its device `lan` is plugged into the network's bridge, its device `wan` leads to the node by a /31 of its own. It hides
the tenant's addresses behind its transit address, and the node hides that one behind its own: so two tenants may use
the same addresses on one node.
"""

from ipaddress import IPv4Interface, IPv4Network
from textwrap import indent

from agents.node.adapters.interfaces import NetworkSpec
from agents.node.adapters.network import namespaces, nft
from agents.node.adapters.network.kernel_switches import set_switch
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.netlink import Netlink
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

LAN, WAN = "lan", "wan"
CHAINS = {
    "prerouting": "type filter hook prerouting priority mangle; policy accept;",
    "input": "type filter hook input priority filter; policy drop;",
    "destinations": "type filter hook forward priority filter - 10; policy accept;",
    "forward": "type filter hook forward priority filter; policy drop;",
    "postrouting": "type nat hook postrouting priority srcnat; policy accept;",
}
SWITCHES = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/disable_ipv6": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
    ESTABLISHED_SWITCH: ESTABLISHED_S,
}


def ensure(network: NetworkSpec, outside: UplinkPolicy, links: NodeLinks, *, transit: IPv4Network) -> str:
    """Configure the router, whose namespace has both devices; returns its rules."""
    rules = ruleset(network.cidr, outside, links)
    namespace = Layout.for_network(network.id).namespace
    namespaces.inside(namespace, lambda: _configure(network, rules, transit))
    return rules


def _configure(network: NetworkSpec, rules: str, transit: IPv4Network) -> None:
    """Configure the router in whose namespace the calling thread is. The rules come first: no packet passes before."""
    nft.apply(rules)
    for switch, value in SWITCHES.items():
        set_switch(switch, value)
    gateway = IPv4Interface((network.gateway_ip, network.cidr.prefixlen))
    with Netlink() as netlink:
        netlink.change_link("lo", state="up")
        for name in (LAN, WAN):
            netlink.change_link(name, mtu=network.mtu, state="up")
        netlink.ensure_address(LAN, gateway)
        netlink.ensure_address(WAN, IPv4Interface((transit[1], 31)))
        netlink.ensure_default_route(transit[0], WAN)


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

"""The router of a tenant network: a network namespace with the gateways' addresses and a route to the outside.

Its device `lan` is plugged into the network's bridge, its device `wan` leads to the node by a /31 of its own. It hides
the tenant's addresses behind its transit address, and the node hides that one behind its own: so two tenants may use
the same addresses on one node.

It forwards between the subnets of its network. IPv6 is on at `lan` alone, and only where a subnet has it: nothing of it
leaves the network.
"""

from collections.abc import Sequence
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, ip_interface
from textwrap import indent

from agents.node.adapters.network import ipv6_rules, metadata, namespaces, nft, service_rules
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
from agents.node.adapters.network_specs import NetworkSpec, PortSpec

LAN, WAN = "lan", "wan"
CHAINS = {
    "raw": "type filter hook prerouting priority raw; policy accept;",
    "prerouting": "type filter hook prerouting priority mangle; policy accept;",
    "input": "type filter hook input priority filter; policy drop;",
    "destinations": "type filter hook forward priority filter - 10; policy accept;",
    "forward": "type filter hook forward priority filter; policy drop;",
    "postrouting": "type nat hook postrouting priority srcnat; policy accept;",
}
SWITCHES = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
    "net/ipv6/conf/lo/disable_ipv6": 1,
    f"net/ipv6/conf/{WAN}/disable_ipv6": 1,
    ESTABLISHED_SWITCH: ESTABLISHED_S,
}
NO_IPV6 = {f"net/ipv6/conf/{LAN}/disable_ipv6": 1}
# No addresses of the kernel's own making, and the ones given here are used at once: each node has them.
IPV6 = {
    f"net/ipv6/conf/{LAN}/addr_gen_mode": 1,
    f"net/ipv6/conf/{LAN}/accept_ra": 0,
    f"net/ipv6/conf/{LAN}/accept_redirects": 0,
    f"net/ipv6/conf/{LAN}/accept_dad": 0,
    "net/ipv6/conf/all/forwarding": 1,
    f"net/ipv6/conf/{LAN}/disable_ipv6": 0,
}


def ensure(
    network: NetworkSpec, ports: Sequence[PortSpec], outside: UplinkPolicy, links: NodeLinks, *, transit: IPv4Network
) -> str:
    """Configure the router, whose namespace has both devices; returns its rules."""
    rules = ruleset(network, ports, outside, links)
    namespace = Layout.for_network(network.id).namespace
    namespaces.inside(namespace, lambda: _configure(network, rules, transit))
    return rules


def _configure(network: NetworkSpec, rules: str, transit: IPv4Network) -> None:
    """Configure the router in whose namespace the calling thread is. The rules come first: no packet passes before."""
    nft.apply(rules)
    for switch, value in {**SWITCHES, **(IPV6 if network.of_family(6) else NO_IPV6)}.items():
        set_switch(switch, value)
    with Netlink() as netlink:
        netlink.change_link("lo", state="up")
        for name in (LAN, WAN):
            netlink.change_link(name, mtu=network.mtu, state="up")
        netlink.set_addresses(LAN, _gateways(network))
        netlink.ensure_address(WAN, IPv4Interface((transit[1], 31)))
        netlink.ensure_default_route(transit[0], WAN)


def _gateways(network: NetworkSpec) -> list[IPv4Interface | IPv6Interface]:
    """Return the router's addresses in the network."""
    own = [ip_interface(f"{subnet.gateway_ip}/{subnet.cidr.prefixlen}") for subnet in network.subnets]
    if network.of_family(4):
        own.append(ip_interface(metadata.ADDRESS))
    return (
        [*own, ip_interface(f"{ipv6_rules.ROUTER}/64"), ip_interface(metadata.ADDRESS6)]
        if network.of_family(6)
        else own
    )


def ruleset(network: NetworkSpec, ports: Sequence[PortSpec], outside: UplinkPolicy, links: NodeLinks) -> str:
    """Return the tables; applying them again keeps connections.

    The router's own connection tracking has no more entries than its network's share: a connection above it is dropped
    before an entry is made. Destinations that tenants may not reach are refused here, too: see node_rules. Packets
    between the subnets are not tracked: their answers may come through the router of another node.
    """
    counted, subnets = connections_set(outside), network.of_family(4)
    own = f"{{ {', '.join(str(subnet.cidr) for subnet in subnets)} }}"
    between = f'iifname "{LAN}" ip saddr {own} ip daddr {own}'
    untracked = f"    fib daddr type local accept\n    {between} notrack\n" if len(subnets) > 1 else ""
    not_refused = f'    {between} oifname "{LAN}" accept\n' if len(subnets) > 1 else ""
    leaves = f'    iifname "{LAN}" oifname "{WAN}" ip saddr {own} accept\n' if subnets else ""
    return f"""\
{declarations(counted, "typeof iifname", size=16, chains=CHAINS)}\
flush table {TABLE}
table {TABLE} {{
  chain raw {{
{untracked}\
  }}
  chain prerouting {{
    iifname "{LAN}" ct state new add @{counted} {{ iifname ct count over {outside.connections} }} counter drop
  }}
  chain input {{
    iifname "lo" accept
    ct state established,related accept
    iifname "{LAN}" icmp type echo-request accept
    iifname "{LAN}" udp sport 68 udp dport 67 accept
{service_rules.accepted(LAN, 4)}\
  }}
  chain destinations {{
{not_refused}\
{indent(refusals(LAN, outside, links), "    ")}\
  }}
  chain forward {{
{not_refused}\
{leaves}\
    iifname "{WAN}" oifname "{LAN}" ct state established,related accept
  }}
  chain postrouting {{
    oifname "{WAN}" masquerade
  }}
}}
{ipv6_rules.of_router(network, LAN)}{service_rules.ruleset(LAN, ports)}"""

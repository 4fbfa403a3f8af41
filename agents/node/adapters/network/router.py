"""The router of a tenant network: a network namespace with the gateways' addresses and a route to the outside.

Its device `lan` is plugged into the network's bridge, its device `wan` leads to the node by a /31 of its own. It hides
the tenant's addresses behind its transit address, and the node hides that one behind its own: so two tenants may use
the same addresses on one node.

It forwards between the subnets of its network. IPv6 is on at `lan` only where a subnet has it, and at `wan` only where
a port has a public address of IPv6: nothing else of it leaves the network. See router_public for public addresses of
ports, and router_egress for the one of a network.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Interface, ip_interface
from textwrap import indent

from agents.node.adapters.network import (
    connection_limits,
    ipv6_rules,
    metadata,
    namespaces,
    nft,
    public_rules,
    router_egress,
    router_public,
    service_rules,
)
from agents.node.adapters.network.kernel_switches import set_switch
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.netlink import Netlink
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.node_rules import (
    TABLE,
    UplinkPolicy,
    declarations,
    refusals,
)
from agents.node.adapters.network_specs import NetworkSpec, PortSpec
from agents.node.adapters.public_addresses import NOTHING_PUBLIC, Egress, LocalAddress, PublicAddresses

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
    **connection_limits.SWITCHES,
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
    network: NetworkSpec,
    ports: Sequence[PortSpec],
    outside: UplinkPolicy,
    links: NodeLinks,
    *,
    transit: IPv4Network,
    public: PublicAddresses = NOTHING_PUBLIC,
) -> str:
    """Configure the router, whose namespace has both devices; returns its rules."""
    rules = _rules_with(network, ports, outside, links, public)
    namespace = Layout.for_network(network.id).namespace
    namespaces.inside(namespace, lambda: _configure(network, rules, transit, public))
    return rules


def publish(
    network: NetworkSpec,
    ports: Sequence[PortSpec],
    outside: UplinkPolicy,
    links: NodeLinks,
    public: PublicAddresses,
    *,
    gone: Iterable[IPv4Address],
) -> str:
    """Make the router's public addresses exactly these; returns its rules.

    `gone`: those that it had before, whose connections end.
    """
    rules = _rules_with(network, ports, outside, links, public)

    def change() -> None:
        nft.apply(rules)
        _lead_out(network, public)
        for address in gone:
            router_public.end_connections(address)

    namespaces.inside(Layout.for_network(network.id).namespace, change)
    return rules


def _rules_with(
    network: NetworkSpec, ports: Sequence[PortSpec], outside: UplinkPolicy, links: NodeLinks, public: PublicAddresses
) -> str:
    return ruleset(network, ports, outside, links, public.of_network(network.id), public.egress_of(network.id))


def keep_routes(network: NetworkSpec, public: PublicAddresses) -> bool:
    """Restore the routes of public addresses in the router; returns whether they were others."""

    def keep() -> bool:
        with Netlink() as netlink:
            had_others = router_public.ensure_routes(network, public.of_network(network.id), netlink)
            return router_egress.ensure_way(network, public.egress_of(network.id), netlink) or had_others

    return namespaces.inside(Layout.for_network(network.id).namespace, keep)


def _configure(network: NetworkSpec, rules: str, transit: IPv4Network, public: PublicAddresses) -> None:
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
    _lead_out(network, public)


def _lead_out(network: NetworkSpec, public: PublicAddresses) -> None:
    """Make switches and routes of public addresses, in the namespace of the calling thread."""
    local, egress = public.of_network(network.id), public.egress_of(network.id)
    has_ipv6 = router_public.has_ipv6(network, local)
    switches = {**(router_public.IPV6 if has_ipv6 else router_public.NO_IPV6)}
    for switch, value in (switches | (router_public.SWITCHES if local or egress else {})).items():
        set_switch(switch, value)
    with Netlink() as netlink:
        if has_ipv6:
            router_public.ensure_ipv6_way_out(netlink)
        router_public.ensure_routes(network, local, netlink)
        router_egress.ensure_way(network, egress, netlink)


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


def ruleset(
    network: NetworkSpec,
    ports: Sequence[PortSpec],
    outside: UplinkPolicy,
    links: NodeLinks,
    public: Sequence[LocalAddress] = (),
    egress: Egress | None = None,
) -> str:
    """Return the tables; applying them again keeps connections.

    A connection above the network's share is dropped before it has an entry in the router's connection tracking.
    Destinations that tenants may not reach are refused here, too: see node_rules.
    """
    subnets, limits = network.of_family(4), connection_limits.lines(f'iifname "{LAN}"', "iifname", outside.connections)
    own = f"{{ {', '.join(str(subnet.cidr) for subnet in subnets)} }}"
    untracked, between = _between_subnets(own) if len(subnets) > 1 else ("", "")
    leaves = f'    iifname "{LAN}" oifname "{WAN}" ip saddr {own} accept\n' if subnets and egress is None else ""
    more = _public_rules(outside, links, own if subnets else "", egress) if public or egress else {}
    return f"""\
{declarations(outside, "typeof iifname", size=16, chains=CHAINS)}\
{router_public.declarations(public) if more else ""}\
flush table {TABLE}
table {TABLE} {{
{more.get("dstnat", "")}  chain raw {{
{untracked}{more.get("raw", "")}  }}
  chain prerouting {{
{more.get("prerouting", "")}\
{indent(limits, "    ")}\
  }}
  chain input {{
    iifname "lo" accept
    ct state established,related accept
    iifname "{LAN}" icmp type echo-request accept
    iifname "{LAN}" udp sport 68 udp dport 67 accept
{service_rules.accepted(LAN, 4)}\
  }}
  chain destinations {{
{between}{more.get("destinations", "")}\
{indent(refusals(LAN, outside, links), "    ")}\
  }}
  chain forward {{
{between}{leaves}{more.get("forward", "")}\
    iifname "{WAN}" oifname "{LAN}" ct state established,related accept
  }}
  chain postrouting {{
{more.get("postrouting", "")}    oifname "{WAN}" masquerade
  }}
}}
{ipv6_rules.of_router(network, LAN, _public_ipv6_rules(network, outside, links, public))}\
{service_rules.ruleset(LAN, ports)}"""


def _between_subnets(own: str) -> tuple[str, str]:
    """Return the rules that leave packets between these ranges untracked, and those that let them pass.

    Their answers may come through the router of another node.
    """
    between = f'iifname "{LAN}" ip saddr {own} ip daddr {own}'
    return f"    fib daddr type local accept\n    {between} notrack\n", f'    {between} oifname "{LAN}" accept\n'


def _public_rules(outside: UplinkPolicy, links: NodeLinks, own: str, egress: Egress | None) -> dict[str, str]:
    """Return the rules by chain of public addresses of ports, and behind them those of the egress address."""
    of_ports = router_public.rules(outside, own)
    of_network = router_egress.rules(egress, outside, links, own) if egress is not None and own else {}
    rules = {chain: indent(text + of_network.get(chain, ""), "    ") for chain, text in of_ports.items()}
    return rules | {"dstnat": f"  chain dstnat {{\n{rules['dstnat']}  }}\n"}


def _public_ipv6_rules(
    network: NetworkSpec, outside: UplinkPolicy, links: NodeLinks, public: Sequence[LocalAddress]
) -> Mapping[str, str]:
    if not router_public.has_ipv6(network, public):
        return {}
    return router_public.ipv6_rules(network, public, public_rules.refusals6(outside, links))

"""Limits of tenants' traffic in the node's own network namespace: nftables rules as text.

Traffic of a router may go to the outside, and only answers may come in. It never reaches
- the node itself, at any of its addresses, so neither its agent nor its ssh server;
- another tenant's router;
- link-local addresses, where clouds and management controllers offer their secrets;
- VXLAN anywhere: it would leave with the node's own address, which other nodes take tenants' frames from;
- private and special networks (PRIVATE), and the networks that the node is plugged into: management controllers,
  other nodes and the operator's machines are there, which need not be ready for hostile guests, and may trust the
  node's address. The operator may deny more, and may allow some of these (a resolver, say). A router of the operator
  in such a network still carries traffic away, being no packet's destination.

The verdict falls in `prerouting` at priority raw, on the address the guest wrote, before any port
forwarding replaces it.

Each network's connections are limited (connection_limits), counted by the transit address of its router before NAT.
What the node itself must always answer (its agent, ssh, VXLAN) is not tracked at all, and needs no
room in the table: firewalls of the operator see these packets as `untracked`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses
from textwrap import indent

from agents.node.adapters.network import connection_limits, service_rules
from agents.node.adapters.network.layout import WAN_LEG
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.overlay_rules import VXLAN_PORT
from andromede_core.reachability.destinations import PRIVATE

TABLE = "ip andromede"
CHAINS = {
    "prerouting": "type filter hook prerouting priority raw; policy accept;",
    "output": "type filter hook output priority raw; policy accept;",
    "input": "type filter hook input priority filter; policy accept;",
    "forward": "type filter hook forward priority filter; policy accept;",
    "postrouting": "type nat hook postrouting priority srcnat; policy accept;",
}
LINK_LOCAL = IPv4Network("169.254.0.0/16")
TRANSIT_POOL = IPv4Network("100.64.0.0/16")
SSH_PORT = 22
# The bit of packets' marks that public_rules set, and the agent alone may set on this node.
MARK = 0x08000000
IS_MARKED = f"meta mark & {MARK:#010x} == {MARK:#010x}"
IS_NOT_MARKED = f"meta mark & {MARK:#010x} == 0"
REMOVAL = f"table {TABLE} {{\n}}\ndelete table {TABLE}\n"


@dataclass(frozen=True, slots=True)
class UplinkPolicy:
    """Limits of tenants' networks on this node and towards the outside.

    `uplink`: the device towards the outside; empty: the one of the node's routes. `denied`: destinations that tenants
    may not reach, besides PRIVATE and the networks that the node is plugged into. `allowed`: exceptions from all these.
    `transit_pool` must be free on this node. `connections`: the maximum of open connections of a network.
    `own_tcp_ports`: ports of the node itself, its agent and ssh. `resolvers`: where the networks' resolvers forward
    questions; these may be in a refused network.
    """

    uplink: str = ""
    denied: tuple[IPv4Network | IPv6Network, ...] = ()
    allowed: tuple[IPv4Network | IPv6Network, ...] = ()
    transit_pool: IPv4Network = TRANSIT_POOL
    connections: int = connection_limits.CONNECTIONS
    own_tcp_ports: tuple[int, ...] = (SSH_PORT,)
    resolvers: tuple[IPv4Address, ...] = ()


def refusals(device: str, outside: UplinkPolicy, links: NodeLinks, *, passing: str = "") -> str:
    """Return the rules that refuse destinations to packets of tenants that arrive by `device`.

    The router of each network has them too, in a namespace of its own: they still hold after a flush of the node's
    rules. `passing`: a match of what is not refused, unless it is for the node or link-local.
    """
    came = f'iifname "{device}"'
    never = _addresses([LINK_LOCAL, outside.transit_pool, *links.own()])
    denied = _addresses([*PRIVATE, *links.connected(), *_of_ipv4(outside.denied)])
    allowed = _of_ipv4(outside.allowed)
    excepted = f"{came} {passing} accept\n" if passing else ""
    excepted += f"{came} ip daddr {_addresses(allowed)} accept\n" if allowed else ""
    return f"""\
{came} ip daddr {never} counter drop
{came} udp dport {VXLAN_PORT} counter drop
{excepted}\
{came} ip daddr {denied} counter drop
"""


def _resolver_rules(outside: UplinkPolicy) -> tuple[str, str, str]:
    """Return the match of questions to the operator's resolvers, and their rules on forwarding and on NAT.

    A guest's own packets to a refused network end in its router; what comes from there is of the router itself.
    """
    if not outside.resolvers:
        return "", "", ""
    queries = f"ip daddr {_addresses(map(IPv4Network, outside.resolvers))} {service_rules.DNS_QUERIES}"
    ours = f"ip saddr {outside.transit_pool} {queries}"
    return queries, f'    iifname "{WAN_LEG}*" {ours} accept\n', f"    {ours} masquerade\n"


def _addresses(networks: Iterable[IPv4Network]) -> str:
    return f"{{ {', '.join(map(str, collapse_addresses(networks)))} }}"


def _of_ipv4(networks: Iterable[IPv4Network | IPv6Network]) -> list[IPv4Network]:
    return [network for network in networks if isinstance(network, IPv4Network)]


def ruleset(
    outside: UplinkPolicy, links: NodeLinks, *, bridges: Iterable[str], public: bool, filtered: Iterable[str] = ()
) -> str:
    """Return the whole table; applying it again keeps connections. Without an uplink any device leads outside.

    `bridges` of tenant networks: the node accepts no packet from them, whichever device it came from. `filtered`: those
    whose frames pass these hooks on their way through the bridge, with the bridge as their device; they pass here
    unchanged, and group_rules judges them. `public`: packets that public_rules have marked pass.
    """
    pool = outside.transit_pool
    limits = connection_limits.lines(f'iifname "{WAN_LEG}*"', "ip saddr", outside.connections)
    leads_out = f'oifname "{outside.uplink}"' if outside.uplink else f'oifname != "{WAN_LEG}*"'
    own_ports = ", ".join(map(str, sorted({*outside.own_tcp_ports})))
    bridged = _of_bridges(bridges, sorted(filtered))
    marked = _of_public_addresses(pool, leads_out) if public else {}
    queries, forwarded, hidden = _resolver_rules(outside)
    return f"""\
{declarations(outside, "type ipv4_addr", size=65535, chains=CHAINS)}\
flush table {TABLE}
table {TABLE} {{
  chain prerouting {{
{bridged["prerouting"]}{marked.get("prerouting", "")}\
    iifname "{WAN_LEG}*" fib daddr type != unicast counter drop
{indent(refusals(f"{WAN_LEG}*", outside, links, passing=queries), "    ")}\
    iifname != "{WAN_LEG}*" fib daddr type local tcp dport {{ {own_ports} }} notrack
    iifname != "{WAN_LEG}*" fib daddr type local udp dport {VXLAN_PORT} notrack
  }}
  chain output {{
    tcp sport {{ {own_ports} }} notrack
    udp dport {VXLAN_PORT} notrack
  }}
  chain input {{
{bridged["input"]}\
    iifname "{WAN_LEG}*" counter drop
  }}
  chain forward {{
{bridged["forward"]}\
{indent(limits, "    ")}\
{marked.get("forward", "")}\
{forwarded}    iifname "{WAN_LEG}*" ip saddr {pool} {leads_out} accept
    iifname "{WAN_LEG}*" counter drop
    oifname "{WAN_LEG}*" ct state established,related accept
    oifname "{WAN_LEG}*" counter drop
  }}
  chain postrouting {{
{bridged["postrouting"]}{hidden}{marked.get("postrouting", "")}\
    ip saddr {pool} {leads_out} masquerade
  }}
}}
"""


def _of_bridges(bridges: Iterable[str], passing: Sequence[str]) -> dict[str, str]:
    """Return the rules by chain for frames of bridges; those of `passing` pass these hooks."""
    verdicts = {bridge: "accept" if bridge in passing else "counter drop" for bridge in sorted({*bridges, *passing})}
    return {
        "prerouting": "".join(f'    iifname "{bridge}" {verdict}\n' for bridge, verdict in verdicts.items()),
        "input": "".join(f'    iifname "{bridge}" counter drop\n' for bridge in passing),
        "forward": "".join(f'    iifname "{bridge}" oifname != "{bridge}" counter drop\n' for bridge in passing),
        "postrouting": "".join(f'    oifname "{bridge}" return\n' for bridge in passing),
    }


def _of_public_addresses(pool: IPv4Network, leads_out: str) -> dict[str, str]:
    """Return the rules by chain for packets that public_rules have judged.

    A guest without a public address reaches those of guests on the same node from an address of the node: so the reply
    comes back here, and the other guest sees no address of another router.
    """
    came, goes = f'iifname "{WAN_LEG}*"', f'oifname "{WAN_LEG}*"'
    return {
        "prerouting": f"    {came} {IS_MARKED} accept\n",
        "forward": f"    {came} {goes} ip daddr {pool} ct state != {{ established, related }} counter drop\n"
        f"    {came} {leads_out} {IS_MARKED} accept\n"
        f"    {goes} {IS_MARKED} accept\n",
        "postrouting": f"    ip saddr {pool} {goes} {IS_MARKED} masquerade\n",
    }


def declarations(outside: UplinkPolicy, key: str, *, size: int, chains: Mapping[str, str]) -> str:
    """Return the statements that declare the table, its sets of counted connections and its base chains.

    Declaring what exists already changes nothing. `key`: of these sets, as nftables spells it; `size`: their
    most elements.
    """
    hooks = "".join(f"  chain {name} {{\n    {hook}\n  }}\n" for name, hook in chains.items())
    sets = "".join(
        f"  set {name} {{\n    {key}\n    size {size}\n    flags dynamic\n  }}\n"
        for name in connection_limits.sets(outside.connections)
    )
    return f"""\
table {TABLE} {{
{sets}{hooks}\
}}
"""

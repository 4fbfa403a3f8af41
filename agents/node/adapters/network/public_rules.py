"""Rules of public addresses in the node's own network namespace, as a table of nftables. Pure.

A packet to a public address of a port or network here, or from one, gets a bit of its mark (MARK) if it may pass. The
node routes packets with the mark alone to routers (public_routes), and node_rules let them pass. So nothing passes
without this table, which is written last after a loss: the rules of security groups are back by then.

- A source must be a public address of the network whose router sends it (`owners`). From outside no source comes in
  that is a public address here, nor one of the node or of its cables; the router refuses those of its own network.
- The destinations that tenants may not reach are refused to public sources too, in both families, also in replies.
- Packets are not tracked: a flood from outside fills no table of the node. Those from a guest without a public address
  to one on the same node are, since the source becomes an address of the node, by which the reply finds its way.
- To an address whose guest is still arriving, guests here go by the outside, and packets from outside are delivered.
- IPv6 packets without the mark neither come from routers nor go to them, but for neighbour discovery.

Router and node each have these limits, as for other traffic: see router_public.
"""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network

from agents.node.adapters.network.layout import WAN_LEG, Layout
from agents.node.adapters.network.node_links import NodeLinks
from agents.node.adapters.network.node_rules import IS_NOT_MARKED, MARK, UplinkPolicy, refusals
from agents.node.adapters.network.overlay_rules import VXLAN_PORT
from agents.node.adapters.network.rule_table import Chain, Elements, Table
from agents.node.adapters.network_specs import Address, ranges
from agents.node.adapters.public_addresses import PublicAddresses

TABLE = "inet andromede-public"
SET_MARK = f"meta mark set meta mark | {MARK:#010x}"
_CLEAR_MARK = f"meta mark set meta mark & {0xFFFFFFFF ^ MARK:#010x}"
_FROM, _TO = f'iifname "{WAN_LEG}*"', f'oifname "{WAN_LEG}*"'
_IP = {4: "ip", 6: "ip6"}
GLOBAL_IPV6 = IPv6Network("2000::/3")  # the addresses that are given out on the internet (RFC 4291, 2.4)
RESERVED, MAPPED = IPv4Network("240.0.0.0/4"), IPv6Network("::ffff:0:0/96")  # nobody's sources
TRANSLATED_IPV6 = IPv6Network("2002::/16")  # of IPv4 addresses (RFC 3056), private ones too


def tables(
    public: PublicAddresses, outside: UplinkPolicy, links: NodeLinks, *, filtered: Collection[str]
) -> tuple[Table, ...]:
    """Return the table; none without public addresses. `filtered`: bridges whose frames pass these hooks."""
    if not public:
        return ()
    sets = {"bridges": Elements("type ifname;", {f'"{bridge}"': "" for bridge in filtered})}
    for version, ip in _IP.items():
        held = public.held(version)
        moved = (address for address in public.moved if address.version == version)
        owners = (f'"{Layout.for_network(each.network_id).wan_leg}" . {each.address}' for each in held)
        sets |= {
            f"public{version}": _addresses(ip, (each.address for each in held)),
            f"here{version}": _addresses(ip, (each.address for each in held if not each.is_arriving)),
            f"owners{version}": Elements(f"typeof iifname . {ip} saddr;", dict.fromkeys(owners, "")),
            f"moved{version}": _addresses(ip, moved),
        }
    return (Table(TABLE, sets, _verdicts(outside, links) | _base_chains(outside, links)),)


def refusals6(outside: UplinkPolicy, links: NodeLinks) -> tuple[str, ...]:
    """Return the rules that refuse destinations to IPv6 packets of tenants."""
    own = [address.ip for address in links.ipv6]
    allowed = [network for network in outside.allowed if network.version == 6]
    connected = [address.network for address in links.ipv6]
    denied = [TRANSLATED_IPV6, *connected, *(network for network in outside.denied if network.version == 6)]
    return (
        *([f"ip6 daddr {{ {', '.join(ranges(own))} }} counter drop"] if own else []),
        f"udp dport {VXLAN_PORT} counter drop",
        *([f"ip6 daddr {{ {', '.join(ranges(allowed))} }} accept"] if allowed else []),
        f"ip6 daddr {{ {', '.join(ranges(denied))} }} counter drop",
        f"ip6 daddr != {GLOBAL_IPV6} counter drop",
    )


def _verdicts(outside: UplinkPolicy, links: NodeLinks) -> dict[str, Chain]:
    """Return the chains that judge packets."""
    pool = outside.transit_pool
    return {
        "judged": Chain((f"{SET_MARK} notrack accept",)),
        "within": Chain(
            (
                f"udp dport {VXLAN_PORT} counter drop",
                "iifname . ip saddr @owners4 goto judged",
                "iifname . ip6 saddr @owners6 goto judged",
                f"ip saddr {pool} {SET_MARK} accept",
                "counter drop",
            )
        ),
        "outward": Chain(
            (
                f"ip daddr {pool} {SET_MARK} accept",  # replies within the node: see node_rules
                "fib daddr type != unicast counter drop",
                f"{SET_MARK} notrack",
                *refusals(f"{WAN_LEG}*", outside, links).splitlines(),
                *refusals6(outside, links),
            )
        ),
        "leaving": Chain(
            (
                "ip daddr @here4 goto within",
                "ip6 daddr @here6 goto within",
                "iifname . ip saddr @owners4 goto outward",
                "iifname . ip6 saddr @owners6 goto outward",
                "ip6 saddr fe80::/10 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
                "meta nfproto ipv6 counter drop",
            )
        ),
    }


def _base_chains(outside: UplinkPolicy, links: NodeLinks) -> dict[str, Chain]:
    own = [address.ip for address in links.ipv6]
    astray = [f'meta nfproto ipv6 {_FROM} oifname != "{outside.uplink}" oifname != "{WAN_LEG}*" counter drop']
    return {
        "prerouting": Chain(
            (
                "iifname @bridges accept",
                _CLEAR_MARK,
                f"{_FROM} goto leaving",
                "ip saddr @here4 counter drop",
                "ip6 saddr @here6 counter drop",
                f"ip saddr {{ {outside.transit_pool}, {RESERVED} }} ip daddr @public4 counter drop",
                f"ip6 saddr {{ {', '.join(ranges([MAPPED, *own]))} }} ip6 daddr @public6 counter drop",
                "ip daddr @public4 goto judged",
                "ip6 daddr @public6 goto judged",
                "ip daddr @moved4 notrack",
                "ip6 daddr @moved6 notrack",
            ),
            "type filter hook prerouting priority raw - 1; policy accept;",
        ),
        "forward": Chain(
            (
                *(astray if outside.uplink else []),
                f"meta nfproto ipv6 {_TO} {IS_NOT_MARKED} counter drop",
            ),
            "type filter hook forward priority filter; policy accept;",
        ),
        "output": Chain(
            (f"{_TO} icmp type redirect counter drop", f"{_TO} icmpv6 type nd-redirect counter drop"),
            "type filter hook output priority filter; policy accept;",
        ),
    }


def _addresses(ip: str, addresses: Iterable[Address]) -> Elements:
    return Elements(f"typeof {ip} daddr;", dict.fromkeys(map(str, addresses), ""))

"""Limits of IPv6 on the bridges and in routers: rules as text, for port_rules and router.

A guest takes part with the link-local address that its MAC gives it (EUI-64, RFC 4291 appendix A) and with the
addresses of its port; autonomous addresses (RFC 4862) are not offered. It may not speak as a router or as a DHCPv6
server, nor for another's address in neighbour discovery.

The type of a message may hide behind extension headers, and behind fragments. The kernel follows the chain of extension
headers that it knows; what it cannot follow does not pass. In a fragment the first header must be the one of the
transport: then each message shows its type in its first fragment, and that one is judged. Neighbour discovery in
fragments is refused (RFC 6980), and so is IPsec's AH, behind which nftables does not look. A message or datagram whose
first bytes are not in the packet is refused too.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv6Address
from textwrap import indent

from agents.node.adapters.network import metadata, service_rules
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, ranges

ROUTER = IPv6Address("fe80::1")  # of every network on every node, beside its gateways
ROUTER_TABLE = "ip6 andromede"
CHECKED = "ip6_checked"
_FOLLOWED = "0, 43, 44, 60"  # extension headers that nftables follows: hop-by-hop, routing, fragment, options
_NOT_FOLLOWED = "51, 135, 139, 140, 253, 254"  # and those that it takes for a transport: AH, mobility, HIP, shim6
_DISCOVERY = "133-137"  # ICMPv6: router and neighbour solicitations and advertisements, redirects
# ICMPv6 of routers: queries of multicast listeners, advertisements, redirects, renumbering, multicast routers.
_OF_ROUTERS = "130, 134, 137, 138, 151, 153"
_UNSPECIFIED = "133, 131, 132, 143"  # ICMPv6 that may come from ::, beside neighbour solicitations
_OPTION, _OPTION_MAC = "@th,192,8", "@th,208,48"  # the first one behind 24 bytes of neighbour discovery

# What comes back from this chain is of a kind that guests may send.
CHECKED_RULES = f"""\
frag nexthdr {{ {_FOLLOWED}, {_NOT_FOLLOWED} }} counter drop
icmpv6 type {{ {_OF_ROUTERS} }} counter drop
exthdr frag exists icmpv6 type {{ {_DISCOVERY} }} counter drop
udp sport 547 counter drop
udp dport 546 counter drop
meta l4proto != {{ icmpv6, udp, {_NOT_FOLLOWED} }} return
icmpv6 type 0-254 return
udp length 8-65535 return
meta l4proto {{ icmpv6, udp }} frag frag-off != 0 return
counter drop
"""


def link_local(mac: str) -> IPv6Address:
    """Return the address that a card with this MAC gives itself."""
    octets = bytes.fromhex(mac.replace(":", ""))
    interface = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + interface)


def gateways(network: NetworkSpec) -> list[str]:
    """Return the router's addresses, the one of metadata among them."""
    return [str(ROUTER), str(metadata.ADDRESS6), *(str(subnet.gateway_ip) for subnet in network.of_family(6))]


def of_port(port: PortSpec, macs: Sequence[str]) -> str:
    """Return the rules for what a port sends with one of `macs`, behind those for other protocols."""
    own = ", ".join(ranges([*map(link_local, macs), *port.own(6)]))
    routers = ", ".join(gateways(port.network))
    return f"""\
ether type != ip6 counter drop
jump {CHECKED}
ip6 saddr {{ {routers} }} counter drop
icmpv6 type {{ 135, 136 }} {_OPTION} {{ 1, 2 }} {_OPTION_MAC} != {{ {_numbers(macs)} }} counter drop
ip6 saddr :: icmpv6 type {{ {_UNSPECIFIED} }} accept
ip6 saddr :: icmpv6 type nd-neighbor-solicit icmpv6 taddr {{ {own} }} accept
ip6 saddr != {{ {own} }} counter drop
icmpv6 type nd-neighbor-advert icmpv6 taddr {{ {routers} }} counter drop
icmpv6 type nd-neighbor-advert icmpv6 taddr != {{ {own} }} counter drop
accept
"""


def between_nodes(network: NetworkSpec) -> str:
    """Return the rules for what passes between nodes, in either direction: nothing from, for or about the gateway."""
    routers = ", ".join(gateways(network))
    return f"""\
ether type != ip6 counter drop
jump {CHECKED}
udp dport 547 counter drop
icmpv6 type nd-router-solicit counter drop
ip6 saddr {{ {routers} }} counter drop
ip6 daddr {{ {routers} }} counter drop
icmpv6 type {{ 135, 136 }} icmpv6 taddr {{ {routers} }} counter drop
"""


def of_router(network: NetworkSpec, lan: str, public: Mapping[str, str]) -> str:
    """Return the table of the network's router, which forwards between the network's subnets.

    It is empty without IPv6, which is off at the router's devices then. `public`: more rules by chain, for public
    addresses, without which nothing leaves the network.
    """
    own = ", ".join(str(subnet.cidr) for subnet in network.of_family(6))
    if not own:
        return ""
    more = {chain: indent(rules, "    ") for chain, rules in public.items()}
    outward = f"  chain outward {{\n{more['outward']}  }}\n" if "outward" in more else ""
    return f"""\
table {ROUTER_TABLE} {{
}}
delete table {ROUTER_TABLE}
table {ROUTER_TABLE} {{
{outward}\
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "{lan}" icmpv6 type {{ echo-request, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert }} accept
    iifname "{lan}" udp sport 546 udp dport 547 accept
{more.get("input", "")}\
{service_rules.accepted(lan, 6)}\
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    iifname "{lan}" oifname "{lan}" ip6 saddr {{ {own} }} ip6 daddr {{ {own} }} accept
{more.get("forward", "")}\
  }}
}}
"""


def _numbers(macs: Iterable[str]) -> str:
    return ", ".join(f"0x{mac.replace(':', '')}" for mac in macs)

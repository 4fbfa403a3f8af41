"""Limits of traffic from a guest's network card and between nodes: nftables rules on the bridges, as text.

One table of the bridge family serves all networks of the node. A map finds the chain of the port by the name
of its tap, so a frame's way is as long with one port as with many, and rules stand before the tap exists.

- Source MAC, source address and the sender of ARP must be the port's own, or one that it is allowed beside. The check
  sits in `prerouting`, before the bridge learns: a forged frame cannot even divert the traffic of the card it pretends
  to be. The gateway's addresses are never a port's own. An ARP probe, which has no sender, asks for an own address: by
  one for a neighbour's, a guest could keep that neighbour from taking it (RFC 5227).
- A guest may query a DHCP server in its own name, and may not act as one.
- IPv6 passes on networks that have a subnet of it, within the limits of ipv6_rules.
- Besides that only the announcement passes that QEMU makes of a card after a migration (RARP). VLAN tags are dropped.
- IPv4 passes only where nftables has found its transport: some DHCP clients read frames themselves, and take packets
  whose header or length is wrong.
- A port with limits of its bandwidth: bandwidth_rules.
- Between a device that no rule knows and one of a tenant network no frame passes, in either direction. Bridges of
  others are left alone: there no device is known.
- `input` and `output`: the node's own IP stack takes no part in tenants' networks, not even by ARP.
- Each node has the gateway of a network and the metadata service, with the same addresses. Frames from, for or about
  these, and DHCP, therefore neither leave the node by the overlay nor come in by it. Guests' frames were judged where
  they began; of other kinds than guests may send, none passes.

The bridge family here does without `reject` and connection tracking, which not every kernel has for it.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from textwrap import indent

from agents.node.adapters.network import bandwidth_rules, ipv6_rules, metadata
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network_specs import NetworkSpec, PortSpec, ranges, tap_name
from agents.node.errors import BadRequest
from andromede_core.permits.network_values import MAC

TABLE = "bridge andromede"
NO_ADDRESS = IPv4Address(0)
REST = "counter drop\n"  # of what no rule has accepted
_DHCP_CLIENT_MAC = "@th,288,48"  # chaddr: bytes 28 to 33 of the message, behind 8 bytes of UDP header
_ARP = "arp htype 1 arp ptype ip arp hlen 6 arp plen 4"
# A question of RARP (RFC 903) with MAC addresses and without IP addresses; _SENDER and _TARGET are its MAC addresses.
_ANNOUNCEMENT = "ether type 0x8035 @nh,0,64 0x0001080006040003 @nh,112,32 0 @nh,192,32 0"
_SENDER, _TARGET = "@nh,64,48", "@nh,144,48"
_READABLE = "ether type ip meta l4proto 0-254"  # 255 is reserved

# Declaring what exists already changes nothing. -300 precedes br_netfilter, should that be on.
_CHAINS = f"""\
table {TABLE} {{
  map taps {{ type ifname : verdict; }}
  map overlays {{ type ifname : verdict; }}
  map limits {{ type ifname : verdict; }}
  set members {{ type ifname; }}
  chain prerouting {{
    type filter hook prerouting priority -300; policy accept;
  }}
  chain input {{
    type filter hook input priority -200; policy accept;
  }}
  chain forward {{
    type filter hook forward priority -200; policy accept;
  }}
  chain output {{
    type filter hook output priority -200; policy accept;
  }}
  chain {ipv6_rules.CHECKED} {{
  }}
}}
flush chain {TABLE} prerouting
flush chain {TABLE} input
flush chain {TABLE} forward
flush chain {TABLE} output
flush chain {TABLE} {ipv6_rules.CHECKED}
table {TABLE} {{
  chain prerouting {{
    iifname vmap @taps
    iifname vmap @overlays
  }}
  chain input {{
    iifname @members drop
  }}
  chain forward {{
    iifname @members oifname != @members counter drop
    iifname != @members oifname @members counter drop
    oifname vmap @limits
    oifname vmap @overlays
  }}
  chain output {{
    oifname @members drop
  }}
  chain {ipv6_rules.CHECKED} {{
{indent(ipv6_rules.CHECKED_RULES, "    ")}\
  }}
}}
"""
REMOVAL = f"table {TABLE} {{\n}}\ndelete table {TABLE}\n"


def admit(ports: Sequence[PortSpec]) -> str:
    """Return the rules for these ports and their networks; those of others stay as they are."""
    networks = {port.network.id: port.network for port in ports}
    return _CHAINS + "".join(map(_port, ports)) + "".join(map(_network, networks.values()))


def unlimit(ports: Iterable[PortSpec]) -> str:
    """Return the rules, after those of `admit`, that remove limits of what these ports receive."""
    return "".join(bandwidth_rules.removal(TABLE, tap_name(port.id)) for port in ports)


def expel(port: PortSpec) -> str:
    """Return the rules, after those of `admit`, that remove the port's. Adding first makes deleting succeed."""
    tap, chain = tap_name(port.id), _chain(port)
    return f"""\
add chain {TABLE} {chain}
add element {TABLE} taps {{ "{tap}" : goto {chain} }}
add element {TABLE} members {{ "{tap}" }}
delete element {TABLE} taps {{ "{tap}" }}
delete element {TABLE} members {{ "{tap}" }}
flush chain {TABLE} {chain}
delete chain {TABLE} {chain}
{unlimit([port])}\
{bandwidth_rules.counters(TABLE, tap)}\
{bandwidth_rules.counters(TABLE, tap, verb="delete")}"""


def forget_network(layout: Layout) -> str:
    """Return the rules, after those of `admit`, that remove the network: the router's leg is only a member of a set."""
    overlay, chain = layout.overlay, _between_nodes(layout)
    return f"""\
add chain {TABLE} {chain}
add element {TABLE} overlays {{ "{overlay}" : goto {chain} }}
add element {TABLE} members {{ "{layout.lan_leg}", "{overlay}" }}
delete element {TABLE} overlays {{ "{overlay}" }}
delete element {TABLE} members {{ "{layout.lan_leg}", "{overlay}" }}
flush chain {TABLE} {chain}
delete chain {TABLE} {chain}
"""


def check(ports: Iterable[PortSpec]) -> None:
    """Check the MAC addresses; the other fields have types that cannot hold anything but addresses.

    Raises:
        BadRequest: a MAC address which is none would end up in the text of the rules.
    """
    for port in ports:
        if not all(map(MAC.fullmatch, _macs(port))):
            raise BadRequest("mac", "is not a unicast address in lower-case hex with colons")


def _network(network: NetworkSpec) -> str:
    """Return the rules of the network, the same in both directions: a frame that must not leave must not come in."""
    layout = Layout.for_network(network.id)
    chain, has_ipv6 = _between_nodes(layout), bool(network.of_family(6))
    gateways = _gateways(network)
    about = f"arp saddr ip != {gateways} arp daddr ip != {gateways} " if gateways else ""
    of_gateway = f"ip saddr {gateways} counter drop\nip daddr {gateways} counter drop\n" if gateways else ""
    rules = f"""\
ether type != {_ethertypes(network)} counter drop
ether saddr {layout.gateway_mac} counter drop
ether daddr {layout.gateway_mac} counter drop
{_ARP} {about}accept
ether type arp counter drop
udp dport {{ 67, 68 }} counter drop
udp sport 67 counter drop
{of_gateway}\
{_ANNOUNCEMENT} accept
{_READABLE} accept
{ipv6_rules.between_nodes(network) if has_ipv6 else REST}"""
    return f"""\
add chain {TABLE} {chain}
flush chain {TABLE} {chain}
table {TABLE} {{
  chain {chain} {{
{indent(rules, "    ")}\
  }}
  map overlays {{ type ifname : verdict; elements = {{ "{layout.overlay}" : goto {chain} }}; }}
  set members {{ type ifname; elements = {{ "{layout.overlay}" }}; }}
}}
"""


def _between_nodes(layout: Layout) -> str:
    return f"overlay_{layout.tail}"


def _port(port: PortSpec) -> str:
    tap, chain, leg = tap_name(port.id), _chain(port), Layout.for_network(port.network.id).lan_leg
    macs = _one_of(_macs(port))
    own, numbers = _one_of(ranges(port.own(4))), _one_of(f"0x{mac.replace(':', '')}" for mac in _macs(port))
    own_or_none = _one_of(ranges([NO_ADDRESS, *port.own(4)]))
    arp = f"{_ARP} arp saddr ether {macs} arp saddr ip"
    queries = f"{arp} {own} accept\n{arp} {NO_ADDRESS} arp daddr ip {own} accept\n" if own else ""
    sent = f"ip saddr {own} {_READABLE} accept\n" if own else ""
    rules = f"""\
{bandwidth_rules.from_guest(port)}\
ether saddr != {macs} counter drop
ether type != {_ethertypes(port.network)} counter drop
{_not_the_gateway(port)}\
{queries}\
{_ANNOUNCEMENT} {_SENDER} {numbers} {_TARGET} {numbers} accept
ip saddr {own_or_none} udp sport 68 udp dport 67 {_DHCP_CLIENT_MAC} 0x{port.mac.replace(":", "")} accept
udp dport 67 counter drop
udp sport 67 counter drop
{sent}\
{ipv6_rules.of_port(port, _macs(port)) if port.network.of_family(6) else REST}"""
    return f"""\
{bandwidth_rules.counters(TABLE, tap)}\
add chain {TABLE} {chain}
flush chain {TABLE} {chain}
table {TABLE} {{
  chain {chain} {{
{indent(rules, "    ")}\
  }}
  map taps {{ type ifname : verdict; elements = {{ "{tap}" : goto {chain} }}; }}
  set members {{ type ifname; elements = {{ "{tap}", "{leg}" }}; }}
}}
{bandwidth_rules.to_guest(TABLE, port)}"""


def _not_the_gateway(port: PortSpec) -> str:
    """Return the rules that a port needs whose allowed ranges may contain a gateway."""
    gateways = _gateways(port.network)
    if not port.allowed or not gateways:
        return ""
    return f"arp saddr ip {gateways} counter drop\nip saddr {gateways} counter drop\n"


def _gateways(network: NetworkSpec) -> str:
    """Return an expression of the router's IPv4 addresses, the one of metadata among them; empty: it has none."""
    own = [subnet.gateway_ip for subnet in network.of_family(4)]
    return _one_of([*own, metadata.ADDRESS] if own else [])


def _macs(port: PortSpec) -> list[str]:
    """Return the MAC addresses of the guest, no router's: with one, it could draw others' traffic to itself."""
    layout = Layout.for_network(port.network.id)
    allowed = (pair.mac for pair in port.allowed if pair.mac is not None and not layout.is_of_router(pair.mac))
    return list(dict.fromkeys([port.mac, *allowed]))


def _ethertypes(network: NetworkSpec) -> str:
    return "{ ip, ip6, arp, 0x8035 }" if network.of_family(6) else "{ ip, arp, 0x8035 }"


def _one_of(values: Iterable[object]) -> str:
    """Return an expression that matches any of the values; empty if there are none."""
    texts = list(map(str, values))
    return texts[0] if len(texts) == 1 else f"{{ {', '.join(texts)} }}" if texts else ""


def _chain(port: PortSpec) -> str:
    return f"port_{tap_name(port.id)}"

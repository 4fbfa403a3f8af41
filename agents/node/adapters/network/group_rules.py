"""Rules of security groups: what filtered ports send and receive, as tables of nftables. Pure.

Frames that a bridge with filtered ports forwards pass the IP hooks of the node (br_netfilter, switched on for this
bridge alone). There the table of the family inet judges each packet twice: `leaving` by the port that its source MAC
names, `arriving` by the port that its destination MAC names. Anti-spoofing (port_rules) makes the first true; the table
of the family bridge makes the second true: it delivers no frame to a filtered port but with the port's own MAC, and of
broadcasts and multicasts only those by which addresses are found and given (ARP, DHCP, neighbour discovery). A packet
between two guests of the node must pass both.

- A reply passes with what it replies to; the rules judge each packet in the direction of the first one. So a removed
  rule ends its open connections at once.
- Ports with the same groups share a chain, which jumps to a chain per group. Ranges of a group are in sets, ports and
  types beside the range: a packet costs one look-up, whatever the number of rules. Ranges of ports that overlap need
  a set each (_layers), since such a set has no elements that overlap.
- Members of a group that rules name as a peer are a set of (bridge, address).
- Each bridge has a zone of the connection tracking table: networks may use the same addresses. The connections that a
  network may have at once are counted, as those to the outside are (node_rules).
- A port without the documents that it needs is cut off in the family bridge: no frame passes.
- Router and gateway are peers like others, but for DHCP, and for TCP connections from the gateway's own address: only
  the node's tunnels (guest_tcp) open those, by tickets under a policy. What the router forwards keeps its source.
- What the table drops is counted by port, and so is what a rule that logs allows: see port_counters.
- A port may ask the resolver and the metadata service of its router whatever its groups say, and get an address by
  DHCP. Each such frame is a broadcast, which reaches no filtered port, or has the router's MAC address: with IP
  addresses alone, two guests could send each other such packets.
"""

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses

from agents.node.adapters.network import connection_limits, port_counters
from agents.node.adapters.network.layout import Layout
from agents.node.adapters.network.port_counters import DESTINATION, SOURCE
from agents.node.adapters.network.rule_table import Chain, Elements, NamedObject, Table
from agents.node.adapters.network.service_rules import DNS_QUERIES, METADATA
from agents.node.adapters.network_specs import tap_name
from agents.node.adapters.port_filters import FilteredPort, PortFilters
from andromede_core.permits.security_group import FAMILIES, Rule, SecurityGroup

INET, BRIDGE = "inet andromede-groups", "bridge andromede-groups"
EVERYWHERE: Mapping[str, IPv4Network | IPv6Network] = {"ipv4": IPv4Network("0.0.0.0/0"), "ipv6": IPv6Network("::/0")}
IP: Mapping[str, str] = {"ipv4": "ip", "ipv6": "ip6"}
ICMP: Mapping[str, str] = {"ipv4": "icmp", "ipv6": "icmpv6"}
ENDS = {"in": ("iifname", "saddr"), "out": ("oifname", "daddr")}  # of the peer, seen from the port
DISCOVERY = (
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query,"
    " mld-listener-report, mld-listener-done, mld2-listener-report } accept"
)
# Of one rule, and of all rules of the node.
RULE_LOGS, ALL_LOGS = "1/second burst 10 packets", "50/second burst 100 packets"
LOG_PREFIX = "andromede rule "

Cidr = IPv4Network | IPv6Network
Span = tuple[int, int]


def tables(filters: PortFilters, *, zones: Mapping[str, int], connections: int) -> tuple[Table, ...]:
    """Return the tables; none if no port is filtered.

    `zones`: of connection tracking, by bridge. `connections`: the most that are open at once in a network.
    """
    if not filters.ports:
        return ()
    judged = [port for port in filters.ports if port.groups is not None]
    return _inet(filters, judged, zones, connections), _bridge(filters, judged)


def bridges(filters: PortFilters) -> set[str]:
    """Return the bridges whose frames must pass the IP hooks."""
    return {_bridge_of(port) for port in filters.ports if port.groups is not None}


def shared_macs(filters: PortFilters) -> set[str]:
    """Return the MAC addresses that several ports of a network may use with different groups: they carry nothing."""
    return {key.split(" . ")[1] for key, groups in _groups_by_mac(filters.ports).items() if groups is None}


# ---- family inet


def _inet(filters: PortFilters, judged: Sequence[FilteredPort], zones: Mapping[str, int], connections: int) -> Table:
    used = sorted({group for port in judged for group in port.groups or ()})
    peers = {rule.group for group in used for rule in filters.groups[group].rules if rule.group is not None}
    carriers = {str(port.port.network.id): _bridge_of(port) for port in judged}
    drops, hits = port_counters.of_drops(judged), port_counters.of_hits(judged, filters.groups)
    sets = {
        "bridges": Elements("type ifname;", _keys(map(_quoted, carriers.values()))),
        "zones": Elements(
            "typeof iifname : ct zone;", {_quoted(name): str(zones[name]) for name in carriers.values()}, is_map=True
        ),
        "routers": Elements("typeof iifname . ether daddr;", _keys(map(_router, judged))),
        "gateways4": Elements("typeof iifname . ether daddr . ip daddr;", _keys(_gateways(judged, 4))),
        "gateways6": Elements("typeof iifname . ether daddr . ip6 daddr;", _keys(_gateways(judged, 6))),
        **dict.fromkeys(connection_limits.sets(connections), Elements("typeof iifname; size 65535; flags dynamic;")),
        **_ports(judged),
        **drops.maps,
        **hits.maps,
    }
    chains = _base_chains(connections) | _port_chains(judged)
    for group in sorted(peers):
        sets |= _members(filters.groups.get(group), group, carriers)
    for group in used:
        for direction in ENDS:
            new_sets, chains[_group_chain(direction, group)] = _group(filters.groups[group], direction, hits.maps)
            sets |= new_sets
    objects = {"logs": NamedObject("limit", f"rate {ALL_LOGS};"), **drops.objects, **hits.objects}
    return Table(INET, sets, chains, objects)


def _base_chains(connections: int) -> dict[str, Chain]:
    begin = ("iifname != @bridges accept", "ct direction reply ct state established accept", "ct state related accept")
    limits = connection_limits.rules("", "iifname", connections, verdict="goto dropped_out")
    return {
        "always": Chain(
            (
                "udp sport 68 udp dport 67 ether daddr ff:ff:ff:ff:ff:ff ip daddr 255.255.255.255 accept",
                "udp sport 68 udp dport 67 iifname . ether daddr . ip daddr @gateways4 accept",
                "udp sport 67 udp dport 68 iifname . ether saddr . ip saddr @gateways4 accept",
                "meta l4proto tcp iifname . ether saddr . ip saddr @gateways4 accept",
                "udp sport 546 udp dport 547 ether daddr 33:33:00:01:00:02 ip6 daddr ff02::1:2 accept",
                "udp sport 547 udp dport 546 iifname . ether saddr @routers ip6 saddr fe80::/10 accept",
                DISCOVERY,
            )
        ),
        "prerouting": Chain(
            ("ct zone set iifname map @zones",), "type filter hook prerouting priority raw - 1; policy accept;"
        ),
        "leaving": Chain(
            (
                *begin,
                "ct state invalid goto dropped_out",
                "jump always",
                *limits,
                "jump services",
                f"{SOURCE} vmap @from",
            ),
            "type filter hook forward priority filter - 1; policy accept;",
        ),
        "arriving": Chain(
            (*begin, "ct state invalid goto dropped_in", "jump always", f"{DESTINATION} vmap @to"),
            "type filter hook forward priority filter; policy accept;",
        ),
        "services": Chain(
            (
                f"{DNS_QUERIES} iifname . ether daddr . ip daddr @gateways4 accept",
                f"{DNS_QUERIES} iifname . ether daddr . ip6 daddr @gateways6 accept",
                *(f"{each} iifname . ether daddr @routers accept" for each in METADATA.values()),
            )
        ),
        "shared": Chain(("counter drop",)),
        "dropped_out": Chain((port_counters.count_drop("out"), "counter drop")),
        "dropped_in": Chain((port_counters.count_drop("in"), "counter drop")),
    }


def _ports(judged: Sequence[FilteredPort]) -> dict[str, Elements]:
    maps = {}
    for name, direction, end in (("from", "out", SOURCE), ("to", "in", DESTINATION)):
        entries = {
            key: f"goto {_port_chain(direction, groups) if groups is not None else 'shared'}"
            for key, groups in _groups_by_mac(judged).items()
        }
        maps[name] = Elements(f"typeof {end} : verdict;", entries, is_map=True)
    return maps


def _groups_by_mac(ports: Iterable[FilteredPort]) -> dict[str, tuple[str, ...] | None]:
    """Return the groups by bridge and MAC address; None if ports with different groups may use the address."""
    groups_by_mac: dict[str, set[tuple[str, ...]]] = {}
    for port in ports:
        if port.groups is not None:
            for mac in port.macs:
                groups_by_mac.setdefault(f"{_quoted(_bridge_of(port))} . {mac}", set()).add(tuple(sorted(port.groups)))
    return {key: next(iter(groups)) if len(groups) == 1 else None for key, groups in groups_by_mac.items()}


def _port_chains(judged: Sequence[FilteredPort]) -> dict[str, Chain]:
    combinations = {tuple(sorted(port.groups or ())) for port in judged}
    return {
        _port_chain(direction, groups): Chain(
            (*(f"jump {_group_chain(direction, group)}" for group in groups), f"goto dropped_{direction}")
        )
        for direction in ENDS
        for groups in sorted(combinations)
    }


def _gateways(judged: Iterable[FilteredPort], version: int) -> Iterator[str]:
    for port in judged:
        for subnet in port.port.network.of_family(version):
            yield f"{_router(port)} . {subnet.gateway_ip}"


def _router(port: FilteredPort) -> str:
    return f"{_quoted(_bridge_of(port))} . {Layout.for_network(port.port.network.id).gateway_mac}"


def _members(group: SecurityGroup | None, group_id: str, carriers: Mapping[str, str]) -> dict[str, Elements]:
    """Return the sets of members, by family. They are empty without the document of the group."""
    members: dict[int, dict[str, str]] = {version: {} for version in FAMILIES.values()}
    for network, bridge in carriers.items():
        addresses: Iterable[IPv4Address | IPv6Address] = group.members.get(network, ()) if group else ()
        for address in addresses:
            members[address.version][f"{_quoted(bridge)} . {address}"] = ""
    return {
        _member_set(group_id, family): Elements(f"typeof iifname . {IP[family]} saddr;", members[version])
        for family, version in FAMILIES.items()
    }


def _group(group: SecurityGroup, direction: str, counted: Container[str]) -> tuple[dict[str, Elements], Chain]:
    """Return the sets and the chain of the group for one direction. `counted`: names of maps of rules' counters."""
    mine = sorted((rule for rule in group.rules if rule.direction == direction), key=lambda rule: rule.id)
    sets: dict[str, Elements] = {}
    logged = [rule for rule in mine if rule.is_logged]
    rules = [
        f"{_first(rule)} {port_counters.count_hit(rule)}" for rule in logged if port_counters.hits_map(rule) in counted
    ]
    rules += map(_log, logged)
    for family in FAMILIES:
        ranged = [rule for rule in mine if rule.group is None and rule.family == family]
        for name, elements, match in _ranges(group.group, direction, family, ranged):
            sets[name] = elements
            rules.append(f"{match} @{name} accept")
    by_group = {f"{_peer_group(rule)} {_kind(rule)}".strip() for rule in mine if rule.group is not None}
    return sets, Chain((*rules, *(f"{match} accept" for match in sorted(by_group))))


def _ranges(group: str, direction: str, family: str, rules: Iterable[Rule]) -> Iterator[tuple[str, Elements, str]]:
    """Yield name, set and match of each set of ranges."""
    cidrs: dict[tuple[str, Span | None], list[Cidr]] = {}
    for rule in rules:
        cidrs.setdefault((rule.protocol, _span(rule)), []).extend(rule.cidrs or (EVERYWHERE[family],))
    peer, icmp = f"{IP[family]} {ENDS[direction][1]}", ICMP[family]
    head = f"{direction}{FAMILIES[family]}_{_hex(group)}"
    matches = {
        "any": peer,
        "ports": f"{peer} . meta l4proto . th dport",
        "icmp": f"{peer} . {icmp} type . {icmp} code",
    }
    by_layer: dict[tuple[str, int], dict[str, str]] = {}
    for layer, protocol, span in _layers(cidrs):
        kind = {"any": "any", "tcp": "ports", "udp": "ports"}.get(protocol, "icmp")
        entries = by_layer.setdefault((kind, layer), {})
        for cidr in _collapsed(cidrs[protocol, span]):
            entries[f"{cidr}{_span_text(protocol, span)}"] = ""
    for (kind, layer), entries in by_layer.items():
        yield f"{head}_{kind}{layer}", Elements(f"typeof {matches[kind]}; flags interval;", entries), matches[kind]


def _layers(spans: Iterable[tuple[str, Span | None]]) -> Iterator[tuple[int, str, Span | None]]:
    """Distribute the spans so that those of a protocol in one layer do not overlap."""
    ends: dict[str, list[int]] = {}
    for protocol, span in sorted(spans, key=lambda each: (each[0], each[1] or (0, 0))):
        first, last = span or (0, 0)
        mine = ends.setdefault(protocol, [])
        layer = next((number for number, end in enumerate(mine) if end < first), len(mine))
        mine[layer : layer + 1] = [last]
        yield layer, protocol, span


def _collapsed(cidrs: Sequence[Cidr]) -> Iterator[Cidr]:
    yield from collapse_addresses([cidr for cidr in cidrs if isinstance(cidr, IPv4Network)])
    yield from collapse_addresses([cidr for cidr in cidrs if isinstance(cidr, IPv6Network)])


def _span(rule: Rule) -> Span | None:
    """Return the first and the last port; of ICMP, type * 256 + code; None: of a rule for any protocol."""
    if rule.protocol == "any":
        return None
    if rule.protocol in ICMP.values():
        kind, code = rule.icmp or (None, None)
        if kind is None:
            return 0, 0xFFFF
        return kind << 8 | (code or 0), kind << 8 | (0xFF if code is None else code)
    return rule.ports or (0, 0xFFFF)


def _span_text(protocol: str, span: Span | None) -> str:
    if span is None:
        return ""
    first, last = span
    if protocol in ICMP.values():
        return f" . {_range(first >> 8, last >> 8)} . {_range(first & 0xFF, last & 0xFF)}"
    return f" . {protocol} . {_range(first, last)}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


# ---- single rules


def _log(rule: Rule) -> str:
    return f'{_first(rule)} limit rate {RULE_LOGS} limit name "logs" log prefix "{LOG_PREFIX}{rule.id} "'


def _first(rule: Rule) -> str:
    """Return the match of the packets with which the rule lets a connection begin."""
    peer = f"{IP[rule.family]} {ENDS[rule.direction][1]}"
    if rule.group is not None:
        peer = _peer_group(rule)
    else:
        cidrs = ", ".join(map(str, _collapsed(rule.cidrs or (EVERYWHERE[rule.family],))))
        peer = f"{peer} {{ {cidrs} }}"
    return " ".join(filter(None, (peer, _kind(rule), "ct state new")))


def _peer_group(rule: Rule) -> str:
    device, address = ENDS[rule.direction]
    return f"{device} . {IP[rule.family]} {address} @{_member_set(str(rule.group), rule.family)}"


def _kind(rule: Rule) -> str:
    """Return the match of protocol, ports and types."""
    if rule.protocol == "any":
        return ""
    if rule.icmp is not None:
        kind, code = rule.icmp
        return f"{rule.protocol} type {kind}" + ("" if code is None else f" {rule.protocol} code {code}")
    if rule.ports is not None:
        return f"{rule.protocol} dport {_range(*rule.ports)}"
    return f"meta l4proto {'ipv6-icmp' if rule.protocol == 'icmpv6' else rule.protocol}"


# ---- family bridge


def _bridge(filters: PortFilters, judged: Sequence[FilteredPort]) -> Table:
    closed = port_counters.of_closed(port for port in filters.ports if port.groups is None)
    taps = [_quoted(tap_name(port.port.id)) for port in judged]
    cards = [f"{_quoted(tap_name(port.port.id))} . {mac}" for port in judged for mac in port.macs]
    sets = {
        **closed.maps,
        "filtered": Elements("type ifname;", _keys(taps)),
        "cards": Elements("typeof oifname . ether daddr;", _keys(cards)),
    }
    chains = {
        "announcements": Chain(
            ("ether type arp accept", "udp sport 67 udp dport 68 accept", DISCOVERY, "counter drop")
        ),
        "prerouting": Chain(
            ("counter name iifname map @closed_out drop",), "type filter hook prerouting priority -301; policy accept;"
        ),
        "forward": Chain(
            (
                "counter name oifname map @closed_in drop",
                "oifname @filtered oifname . ether daddr != @cards goto announcements",
            ),
            "type filter hook forward priority -199; policy accept;",
        ),
    }
    return Table(BRIDGE, sets, chains, closed.objects)


# ---- names


def _bridge_of(port: FilteredPort) -> str:
    return Layout.for_network(port.port.network.id).bridge


def _quoted(name: str) -> str:
    return f'"{name}"'


def _keys(names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, "")


def _hex(group: str) -> str:
    return group.replace("-", "")


def _group_chain(direction: str, group: str) -> str:
    return f"{direction}_{_hex(group)}"


def _port_chain(direction: str, groups: Sequence[str]) -> str:
    return f"ports_{direction}_{hashlib.sha256(' '.join(groups).encode()).hexdigest()[:32]}"


def _member_set(group: str, family: str) -> str:
    return f"members{FAMILIES[family]}_{_hex(group)}"

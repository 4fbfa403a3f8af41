"""Content of port rules documents, from the rows: a network's ports in a zone, and a security group in a zone."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from uuid import UUID

from django.db import connection

from andromede_core.documents.canonical import dumps
from andromede_core.permits import network_ports as core
from andromede_core.permits import security_group
from andromede_core.permits.dhcp_options import NO_OPTIONS, DhcpOptions, StaticRoute
from andromede_core.permits.network_ports import ListedPort, ListedSubnet
from andromede_core.permits.security_group import FAMILIES, Rule
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.network.dhcp_options import DHCP_OPTIONS
from controlplane.network.models import (
    AllowedAddress,
    Port,
    PortAddress,
    PortBinding,
    PortSecurityGroup,
    SecurityGroupRule,
)
from controlplane.network.needed_groups import CARRIED, needed_groups
from controlplane.network.port_names import port_names
from controlplane.network.port_specs import ranges_in, subnets_of
from controlplane.network.public_listing import listed_egress, public_addresses_of

# The trait of nodes whose agent takes subnets, new addresses of attached ports and egress addresses from the list; an
# agent without it refuses a list that has any.
LISTED_SUBNETS = "listed-subnets"
# Addresses of a group's members, by the networks' ids.
Members = Mapping[str, tuple[IPv4Address | IPv6Address, ...]]


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """Subject of a document: a network or a group, in a zone."""

    zone: str
    network: UUID | None = None
    group: UUID | None = None


@dataclass(frozen=True, slots=True)
class PortFacts:
    """Addresses, groups, public addresses and name of a port, from other rows.

    `groups`: ids. `name`: as in the signed list.
    """

    addresses: list[IPv4Address | IPv6Address] = field(default_factory=list)
    allowed: list[core.AllowedAddress] = field(default_factory=list)
    groups: list[UUID] = field(default_factory=list)
    public: list[core.PublicAddress] = field(default_factory=list)
    name: str | None = None


def payloads(versions: Mapping[DocumentKey, int]) -> dict[DocumentKey, tuple[str, dict[str, object]]]:
    """Return the kind and the payload of each document, with these versions; the number of queries is fixed."""
    lists = {(key.zone, key.network): key for key in versions if key.network is not None}
    groups = {(key.zone, key.group): key for key in versions if key.group is not None}
    payload_by_key: dict[DocumentKey, tuple[str, dict[str, object]]] = {}
    egress = listed_egress(lists)
    for (zone, network), (ports, subnets) in _listed_networks(lists).items():
        key = lists[zone, network]
        address = None if subnets is None else egress.get((zone, network))
        listed = core.NetworkPorts(zone, str(network), versions[key], ports, address, subnets)
        payload_by_key[key] = core.KIND, listed.payload()
    rules_of, members = rules({group for _, group in groups}), _members(groups)
    for (zone, group), key in groups.items():
        document = security_group.SecurityGroup(zone, str(group), versions[key], rules_of[group], members[zone, group])
        payload_by_key[key] = security_group.KIND, document.payload()
    return payload_by_key


def payload(key: DocumentKey, version: int) -> tuple[str, dict[str, object]]:
    """Return the kind of the document and its payload."""
    return payloads({key: version})[key]


def _listed_networks(
    lists: Collection[tuple[str, UUID]],
) -> Mapping[tuple[str, UUID], tuple[dict[str, ListedPort], tuple[ListedSubnet, ...] | None]]:
    """Return the ports that nodes of the zone carry, by their ids, and the subnets, of each zone and network.

    The subnets are None where a node does not read them, and have no options where a node does not read these.
    """
    if not lists:
        return {}
    nodes: dict[tuple[str, UUID], list[str]] = defaultdict(list)
    lacking: dict[str, set[tuple[str, UUID]]] = {LISTED_SUBNETS: set(), DHCP_OPTIONS: set()}
    zones, networks = zip(*lists, strict=True)
    bindings = PortBinding.objects.filter(node__zone__in=set(zones), port__network__in=set(networks)).order_by("node")
    facts = "node__zone", "port__network", "port", "node", "node__traits"
    for zone, network_id, port_id, node_id, traits in bindings.values_list(*facts).distinct():
        nodes[zone, port_id].append(str(node_id))
        for trait in lacking.keys() - set(traits):
            lacking[trait].add((zone, network_id))
    ports, subnets = _listed_ports(lists, nodes), subnets_of(networks)
    listed = {
        key: _listed_subnets(subnets[key[1]], key[0], has_options=key not in lacking[DHCP_OPTIONS]) for key in lists
    }
    return {key: (ports[key], None if key in lacking[LISTED_SUBNETS] else listed[key]) for key in lists}


def _listed_subnets(subnets: Sequence[Mapping[str, Any]], zone: str, *, has_options: bool) -> tuple[ListedSubnet, ...]:
    return tuple(
        ListedSubnet(
            ip_network(each["cidr"]),
            ip_address(each["gateway_ip"]),
            tuple(map(ip_address, each["dns_servers"])),
            _listed_options(each) if has_options else NO_OPTIONS,
        )
        for each in ranges_in(subnets, zone)
    )


def _listed_options(subnet: Mapping[str, Any]) -> DhcpOptions:
    routes = subnet["static_routes"]
    return DhcpOptions(
        tuple(map(ip_address, subnet["ntp_servers"])),
        tuple(subnet["domain_search"]),
        tuple(StaticRoute(IPv4Network(each["destination"]), IPv4Address(each["next_hop"])) for each in routes),
    )


def _listed_ports(
    lists: Collection[tuple[str, UUID]], nodes: Mapping[tuple[str, UUID], list[str]]
) -> dict[tuple[str, UUID], dict[str, ListedPort]]:
    """Return the ports of each zone and network by their ids. `nodes`: that carry them, by zone and port."""
    listed: dict[tuple[str, UUID], dict[str, ListedPort]] = {key: {} for key in lists}
    ports = Port.objects.in_bulk({port_id for _, port_id in nodes})
    facts = port_facts(ports)
    for (zone, port_id), carriers in sorted(nodes.items()):
        # A port that was deleted between the two queries is in no list.
        port = ports.get(port_id)
        if port is not None and (zone, port.network_id) in listed:
            listed[zone, port.network_id][str(port_id)] = listed_port(port, carriers, facts[port_id])
    return listed


def _members(groups: Collection[tuple[str, UUID]]) -> Mapping[tuple[str, UUID], Members]:
    """Return the members by the bindings, of each zone and group."""
    members: dict[tuple[str, UUID], dict[str, list[IPv4Address | IPv6Address]]] = {
        key: defaultdict(list) for key in groups
    }
    if not members:
        return {}
    zones, group_ids = zip(*members, strict=True)
    rows = PortAddress.objects.filter(
        port__portbinding__node__zone__in=set(zones), port__portsecuritygroup__group__in=set(group_ids)
    )
    fields = "port__portbinding__node__zone", "port__portsecuritygroup__group", "port__network", "ip"
    for zone, group, network_id, ip in rows.values_list(*fields).distinct():
        if (zone, group) in members:
            members[zone, group][str(network_id)].append(ip_address(ip))
    return {key: {net: tuple(sorted(ips, key=_order)) for net, ips in of.items()} for key, of in members.items()}


def rules(group_ids: Collection[UUID]) -> Mapping[UUID, tuple[Rule, ...]]:
    """Return the rules of each group, in the order of their ids."""
    rows: dict[UUID, list[SecurityGroupRule]] = {group_id: [] for group_id in group_ids}
    for row in SecurityGroupRule.objects.filter(group__in=rows).select_related("address_set").order_by("pk"):
        rows[row.group_id].append(row)
    return {group_id: as_rules(rule_rows) for group_id, rule_rows in rows.items()}


def as_rules(rows: Iterable[SecurityGroupRule]) -> tuple[Rule, ...]:
    """Return the rules as they are in the signed document.

    Address sets are written as their ranges; a rule whose set has none of its family allows nothing, and is left out.
    """
    ranges = ((row, _ranges(row)) for row in rows)
    return tuple(_as_rule(row, cidrs) for row, cidrs in ranges if cidrs is None or cidrs)


def _ranges(row: SecurityGroupRule) -> tuple[IPv4Network | IPv6Network, ...] | None:
    """Return the ranges of the rule's peer; None: they do not decide."""
    texts = row.cidrs if row.address_set is None else row.address_set.cidrs
    if texts is None:
        return None
    return tuple(cidr for cidr in map(ip_network, texts) if cidr.version == FAMILIES[row.family])


def _as_rule(row: SecurityGroupRule, cidrs: tuple[IPv4Network | IPv6Network, ...] | None) -> Rule:
    ports = None if row.first_port is None or row.last_port is None else (row.first_port, row.last_port)
    return Rule(
        id=str(row.pk),
        direction=row.direction,
        family=row.family,
        protocol=row.protocol,
        ports=ports,
        icmp=None if row.icmp_type is None else (row.icmp_type, row.icmp_code),
        cidrs=cidrs,
        group=None if row.peer_group_id is None else str(row.peer_group_id),
        is_logged=row.is_logged,
    )


def needed_documents() -> set[DocumentKey]:
    """Return the documents that the nodes need: by the bindings, and the groups that rules of these groups name."""
    with connection.cursor() as cursor:
        cursor.execute(NEEDED)
        return {DocumentKey(zone, network, group) for zone, network, group in cursor.fetchall()}


def groups_for(port_id: UUID) -> list[UUID]:
    """Return the groups that a node needs for the port: its own, and those that their rules name."""
    with preparing_cursor() as cursor:
        cursor.execute(GROUPS_FOR, {"port": port_id})
        return [group for (group,) in cursor.fetchall()]


def digest(content: Mapping[str, object]) -> str:
    """Return the digest of a payload without its version."""
    return hashlib.sha256(dumps({name: value for name, value in content.items() if name != "version"})).hexdigest()


NEEDED = f"""
WITH {CARRIED}, {needed_groups("zone")}
SELECT DISTINCT zone, network, NULL::uuid FROM carried UNION SELECT zone, NULL, id FROM needed_group
"""
GROUPS_FOR = f"""
WITH carried AS (SELECT %(port)s::uuid AS port), {needed_groups("port")}
SELECT id FROM needed_group ORDER BY id
"""


def port_facts(port_ids: Iterable[UUID]) -> Mapping[UUID, PortFacts]:
    """Return what the rows of addresses, groups and instances say of the ports."""
    ids = list(port_ids)
    names = port_names(ids)
    facts = {port_id: PortFacts(name=names.get(port_id)) for port_id in ids}
    for address in PortAddress.objects.filter(port__in=facts).order_by("pk"):
        facts[address.port_id].addresses.append(ip_address(address.ip))
    for allowed in AllowedAddress.objects.filter(port__in=facts).order_by("cidr", "mac"):
        pair = core.AllowedAddress(ip_network(allowed.cidr), allowed.mac or None)
        facts[allowed.port_id].allowed.append(pair)
    for port_id, group_id in PortSecurityGroup.objects.filter(port__in=facts).values_list("port", "group").distinct():
        facts[port_id].groups.append(group_id)
    for port_id, public in public_addresses_of(facts).items():
        facts[port_id].public.extend(public)
    return facts


def listed_port(port: Port, nodes: Iterable[str], facts: PortFacts) -> ListedPort:
    """Return the port as it is in the signed list."""
    return ListedPort(
        nodes=tuple(nodes),
        mac=port.mac,
        addresses=tuple(facts.addresses),
        allowed=tuple(facts.allowed),
        groups=tuple(sorted(map(str, facts.groups))) if port.is_filtered else None,
        public=tuple(facts.public),
        bandwidth=_bandwidth(port),
        name=facts.name,
    )


def _bandwidth(port: Port) -> core.Bandwidth | None:
    limits = core.Bandwidth(port.to_guest_mbit, port.from_guest_mbit)
    return None if limits == core.Bandwidth() else limits


def _order(address: IPv4Address | IPv6Address) -> tuple[int, int]:
    return address.version, int(address)

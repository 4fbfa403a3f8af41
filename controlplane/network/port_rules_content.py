"""Content of port rules documents, from the rows: a network's ports in a zone, and a security group in a zone."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from andromede_core.documents.canonical import dumps
from andromede_core.permits import network_ports as core
from andromede_core.permits import security_group
from andromede_core.permits.network_ports import ListedPort
from andromede_core.permits.security_group import FAMILIES, Rule
from controlplane.network.models import (
    AllowedAddress,
    Port,
    PortAddress,
    PortBinding,
    PortSecurityGroup,
    SecurityGroupRule,
)
from controlplane.network.port_names import port_names
from controlplane.network.public_listing import public_addresses_of

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


@dataclass(frozen=True, slots=True)
class _Bound:
    """A port that nodes of the zone carry."""

    id: str
    listed: ListedPort


def listed_ports(key: DocumentKey) -> dict[str, ListedPort]:
    """Return the ports of the network that nodes of the zone carry, by their ids."""
    bindings = PortBinding.objects.filter(node__zone=key.zone, port__network=key.network)
    return {port.id: port.listed for port in _bound(bindings)}


def members(key: DocumentKey) -> Members:
    """Return the members of the group in the zone by the bindings."""
    rows = PortAddress.objects.filter(port__portbinding__node__zone=key.zone, port__portsecuritygroup__group=key.group)
    found: dict[str, list[IPv4Address | IPv6Address]] = defaultdict(list)
    for network_id, ip in rows.values_list("port__network", "ip").distinct():
        found[str(network_id)].append(ip_address(ip))
    return {network: tuple(sorted(addresses, key=_order)) for network, addresses in found.items()}


def rules(group_id: UUID) -> tuple[Rule, ...]:
    """Return the rules of the group, in the order of their ids."""
    return as_rules(SecurityGroupRule.objects.filter(group_id=group_id).select_related("address_set").order_by("pk"))


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
    with connection.cursor() as cursor:
        cursor.execute(GROUPS_FOR, {"port": port_id})
        return [group for (group,) in cursor.fetchall()]


def payload(key: DocumentKey, version: int) -> tuple[str, dict[str, object]]:
    """Return the kind of the document and its payload."""
    if key.network is not None:
        ports = core.NetworkPorts(key.zone, str(key.network), version, listed_ports(key))
        return core.KIND, ports.payload()
    assert key.group is not None
    group = security_group.SecurityGroup(key.zone, str(key.group), version, rules(key.group), members(key))
    return security_group.KIND, group.payload()


def digest(content: Mapping[str, object]) -> str:
    """Return the digest of a payload without its version."""
    return hashlib.sha256(dumps({name: value for name, value in content.items() if name != "version"})).hexdigest()


# The groups of each zone's ports, and those that rules of these groups name.
NEEDED = """
WITH carried AS (
    SELECT DISTINCT node.zone_id AS zone, port.id AS port, port.network_id AS network
    FROM network_portbinding AS binding
        JOIN network_port AS port ON port.id = binding.port_id
        JOIN nodes_node AS node ON node.id = binding.node_id
), used AS (
    SELECT DISTINCT carried.zone, of_port.group_id AS id
    FROM carried JOIN network_portsecuritygroup AS of_port ON of_port.port_id = carried.port
)
SELECT DISTINCT zone, network, NULL::uuid FROM carried
UNION SELECT zone, NULL, id FROM used
UNION SELECT used.zone, NULL, rule.peer_group_id
FROM used JOIN network_securitygrouprule AS rule ON rule.group_id = used.id WHERE rule.peer_group_id IS NOT NULL
"""
GROUPS_FOR = """
SELECT group_id FROM network_portsecuritygroup WHERE port_id = %(port)s
UNION SELECT rule.peer_group_id
FROM network_portsecuritygroup AS of_port JOIN network_securitygrouprule AS rule ON rule.group_id = of_port.group_id
WHERE of_port.port_id = %(port)s AND rule.peer_group_id IS NOT NULL
ORDER BY 1
"""


def _bound(bindings: QuerySet[PortBinding]) -> list[_Bound]:
    """Return the ports of the bindings, which are of one zone, in the order of their ids."""
    nodes: dict[UUID, list[str]] = defaultdict(list)
    for port_id, node_id in bindings.order_by("node").values_list("port", "node").distinct():
        nodes[port_id].append(str(node_id))
    facts = port_facts(nodes)
    return [
        _Bound(str(port.pk), listed_port(port, nodes[port.pk], facts[port.pk]))
        for port in Port.objects.filter(pk__in=nodes).order_by("pk")
    ]


def port_facts(port_ids: Iterable[UUID]) -> Mapping[UUID, PortFacts]:
    """Return what the rows of addresses, groups and instances say of the ports."""
    ids = list(port_ids)
    names = port_names(ids)
    found = {port_id: PortFacts(name=names.get(port_id)) for port_id in ids}
    for address in PortAddress.objects.filter(port__in=found).order_by("pk"):
        found[address.port_id].addresses.append(ip_address(address.ip))
    for allowed in AllowedAddress.objects.filter(port__in=found).order_by("cidr", "mac"):
        pair = core.AllowedAddress(ip_network(allowed.cidr), allowed.mac or None)
        found[allowed.port_id].allowed.append(pair)
    for port_id, group_id in PortSecurityGroup.objects.filter(port__in=found).values_list("port", "group").distinct():
        found[port_id].groups.append(group_id)
    for port_id, public in public_addresses_of(found).items():
        found[port_id].public.extend(public)
    return found


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

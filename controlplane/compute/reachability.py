"""Questions of users whether one end reaches another, with the rows on which the answer depends."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from uuid import UUID

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from andromede_core.documents.messages import Message
from andromede_core.permits.security_group import SecurityGroup as GroupDocument
from andromede_core.reachability import question as core
from andromede_core.reachability.answer import answered
from andromede_core.reachability.question import Address, Egress, End, Net, Peer, Public, Question, Range, Traffic
from andromede_core.reachability.steps import Answer
from controlplane.compute.instance_security_groups import instance_ports
from controlplane.compute.models import Instance
from controlplane.identity.models import Project
from controlplane.network import port_rules_content as content
from controlplane.network.errors import ReachabilityEndInvalid
from controlplane.network.models import (
    AllowedAddress,
    EgressAddress,
    Port,
    PortAddress,
    PortBinding,
    PublicAddress,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from controlplane.network.port_groups import applied_rules
from controlplane.network.public_listing import as_listed
from controlplane.network.ranges import ipv6_gateway
from controlplane.nodes.models import Node

RUNS = ("running", "paused", "unknown")  # unknown: not reported yet


@dataclass(frozen=True)
class Named:
    """One end as the user names it. `at`: the field, for errors. All None: anywhere outside."""

    at: str
    instance: Instance | None = None
    port: Port | None = None
    address: Address | None = None


@dataclass(frozen=True)
class _Chosen:
    """The port that a named end stands for. `is_shared`: one of several that may use the address."""

    port: Port | None = None
    address: Address | None = None
    is_shared: bool = False


@dataclass(frozen=True)
class Reachability:
    """The answer, with the ports and groups that it names. `source`, `target` None: an address, or outside."""

    answer: Answer
    source: Port | None
    target: Port | None
    instances: Mapping[UUID, Instance]
    groups: Mapping[str, str]


def reachability(
    project: Project, source: Named, target: Named, traffic: Traffic, *, family: int | None = None
) -> Reachability:
    """Return whether the traffic reaches the target, by the rows from which documents are signed; sends no packet.

    Addresses of other projects count as addresses outside.

    Raises:
        ReachabilityEndInvalid: no end is of the project, both are one port, or an end has no port.
    """
    first, second = _choose(project, source, target)
    if first.port is None and second.port is None:
        reason = Message("one end must be an instance, a port or the address of a port of this project.")
        raise ReachabilityEndInvalid(field=source.at, reason=reason)
    if first.port is not None and first.port == second.port:
        reason = Message("both ends are the same port.")
        raise ReachabilityEndInvalid(field=target.at, reason=reason)
    ports = [each.port for each in (first, second) if each.port is not None]
    known = _Known(ports)
    question = Question(
        known.peer(first), known.peer(second), traffic, family, groups=known.documents(), names=known.names
    )
    return Reachability(answered(question), first.port, second.port, known.instances, known.names)


# ---- which ports are meant


def _choose(project: Project, source: Named, target: Named) -> tuple[_Chosen, _Chosen]:
    """Return the ports of both ends: in a common network if there are such."""
    named = {each.at: _ports_of(each) for each in (source, target)}
    first = _candidates(project, source, others=named[target.at], own=named[source.at])
    second = _candidates(project, target, others=named[source.at], own=named[target.at])
    pairs = [(one, other) for one in first for other in second if _network_of(one) == _network_of(other) is not None]
    return pairs[0] if pairs else (first[0], second[0])


def _network_of(chosen: _Chosen) -> UUID | None:
    return None if chosen.port is None else chosen.port.network_id


def _ports_of(named: Named) -> list[Port]:
    """Return the ports that the end names by itself. Raises ReachabilityEndInvalid: the instance has none."""
    if named.port is not None:
        return [named.port]
    if named.instance is None:
        return []
    ports = instance_ports(named.instance)
    if not ports:
        reason = Message("the instance {name} has no port. Attach one first.", name=named.instance.name)
        raise ReachabilityEndInvalid(field=named.at, reason=reason)
    return ports


def _candidates(project: Project, named: Named, *, others: Sequence[Port], own: Sequence[Port]) -> list[_Chosen]:
    if own:
        return [_Chosen(port) for port in own]
    if named.address is None:
        return [_Chosen()]
    return _with_address(project, named, [port.network_id for port in others])


def _with_address(project: Project, named: Named, networks: Sequence[UUID]) -> list[_Chosen]:
    """Return the project's ports with this address, best those in `networks`; else the address itself."""
    address = named.address
    public = PublicAddress.objects.filter(project=project, ip=str(address)).first()
    if public is not None and public.port_id is None:
        reason = Message("the public address {address} is attached to no port.", address=address)
        raise ReachabilityEndInvalid(field=named.at, reason=reason)
    ports = Port.objects.filter(project=project).select_related("network").order_by("pk")
    if public is not None and public.port_id is not None:
        return [_Chosen(port, address) for port in ports.filter(pk=public.port_id)]
    matches = list(ports.filter(addresses__ip=str(address)))
    near = [port for port in matches if port.network_id in networks]
    if near or len(matches) == 1:
        return [_Chosen(port, address) for port in near or matches]
    if matches and not networks:
        reason = Message("ports of several networks have the address {address}. Name the port.", address=address)
        raise ReachabilityEndInvalid(field=named.at, reason=reason)
    if matches and not _is_within(address, networks):
        return [_Chosen(matches[0], address)]
    return [_Chosen(port, address, is_shared=True) for port in _allowed(address, networks)] or [_Chosen(None, address)]


def _is_within(address: Address | None, networks: Sequence[UUID]) -> bool:
    """Tell if the address is in a subnet of these networks."""
    cidrs = [each for net in _nets(networks).values() for each in net.ranges]
    return any(address in each.cidr for each in cidrs)


def _allowed(address: Address | None, networks: Sequence[UUID]) -> list[Port]:
    """Return the ports of the networks that may use the address beside their own."""
    inside = RawSQL("network_allowedaddress.cidr::inet >>= %s::inet", [str(address)], output_field=BooleanField())
    ports = list(AllowedAddress.objects.filter(inside, port__network__in=networks).values_list("port", flat=True))
    return list(Port.objects.filter(pk__in=ports).select_related("network").order_by("pk")[:1])


# ---- what is known of them


def _nets(network_ids: Iterable[UUID]) -> Mapping[UUID, Net]:
    ranges: dict[UUID, list[Range]] = defaultdict(list)
    names = {}
    for subnet in Subnet.objects.filter(network__in=set(network_ids)).select_related("network").order_by("pk"):
        names[subnet.network_id] = subnet.network.name
        ranges[subnet.network_id].append(Range(subnet.name, ip_network(subnet.cidr), ip_address(subnet.gateway_ip)))
        if subnet.ipv6_cidr:
            gateway = ipv6_gateway(subnet.ipv6_cidr)
            ranges[subnet.network_id].append(Range(subnet.name, ip_network(subnet.ipv6_cidr), gateway))
    return {
        network: Net(str(network), names[network], tuple(network_ranges)) for network, network_ranges in ranges.items()
    }


class _Known:
    """Instances, nodes, addresses and groups of the ports, read at once. `names`: of the groups, by id."""

    def __init__(self, ports: Sequence[Port]) -> None:
        ids = [port.pk for port in ports]
        self.instances = {
            each.pk: each for each in Instance.objects.filter(pk__in=[port.instance_id for port in ports])
        }
        self._nodes: dict[UUID, list[Node]] = defaultdict(list)
        for binding in PortBinding.objects.filter(port__in=ids).select_related("node").order_by("pk"):
            self._nodes[binding.port_id].append(binding.node)
        self._facts = content.port_facts(ids)
        self._rules = applied_rules(ports)
        self._nets = _nets(port.network_id for port in ports)
        self._public = _public_addresses(ids)
        self._egress = _egress_addresses(port.network_id for port in ports)
        self._ports = ports
        own = {group for facts in self._facts.values() for group in facts.groups}
        self._group_rules = list(
            SecurityGroupRule.objects.filter(group__in=own).select_related("address_set").order_by("pk")
        )
        named = own | {rule.peer_group_id for rule in self._group_rules if rule.peer_group_id is not None}
        self.names = {
            str(pk): name for pk, name in SecurityGroup.objects.filter(pk__in=named).values_list("pk", "name")
        }

    def peer(self, chosen: _Chosen) -> Peer:
        port = None if chosen.port is None else self._end(chosen.port)
        return Peer(port, chosen.address, chosen.is_shared)

    def documents(self) -> Mapping[str, GroupDocument]:
        """Return the groups as their documents would be, with these ports alone as members."""
        documents = {}
        for group in self.names:
            members: dict[str, list[IPv4Address | IPv6Address]] = defaultdict(list)
            for port in self._ports:
                if group in map(str, self._facts[port.pk].groups):
                    members[str(port.network_id)].extend(self._facts[port.pk].addresses)
            rules = content.as_rules(rule for rule in self._group_rules if str(rule.group_id) == group)
            documents[group] = GroupDocument("", group, 1, rules, {key: tuple(each) for key, each in members.items()})
        return documents

    def _end(self, port: Port) -> End:
        facts, instance, node = self._facts[port.pk], self._instance(port), self._node(port)
        rules = self._rules[port.pk]
        return End(
            id=str(port.pk),
            name=port.name,
            network=self._nets.get(port.network_id, Net(str(port.network_id), port.network.name)),
            addresses=tuple(facts.addresses),
            instance="" if instance is None else instance.name,
            zone=None if node is None else node.zone_id,
            groups=tuple(sorted(map(str, facts.groups))) if port.is_filtered else None,
            public=tuple(self._public[port.pk]),
            obstacle=_obstacle(instance, node),
            egress=self._egress.get((port.network_id, "" if node is None else node.zone_id)),
            rules=core.APPLIED if rules is None or node is None else rules.reason or rules.state,
        )

    def _instance(self, port: Port) -> Instance | None:
        return None if port.instance_id is None else self.instances.get(port.instance_id)

    def _node(self, port: Port) -> Node | None:
        """Return the instance's node if it carries the port: during a migration another one does too."""
        instance, nodes = self._instance(port), self._nodes[port.pk]
        return next((node for node in nodes if instance and node.pk == instance.node_id), next(iter(nodes), None))


def _obstacle(instance: Instance | None, node: Node | None) -> str:
    """Return why the port carries nothing now."""
    if instance is None:
        return core.NOT_ATTACHED
    if instance.state == "building" or (node is None and instance.state == "active"):
        return core.NO_NODE
    if instance.state != "active" or instance.power_state not in RUNS:
        return core.NOT_RUNNING
    return core.NODE_SILENT if node is not None and node.state == "unreachable" else ""


def _egress_addresses(network_ids: Iterable[UUID]) -> Mapping[tuple[UUID, str], Egress]:
    """Return the egress addresses by network and zone."""
    rows = EgressAddress.objects.filter(network__in=set(network_ids)).select_related("address")
    listed = {(row.network_id, row.zone_id): as_listed(row) for row in rows}
    return {key: Egress(each.address, each.gateway is not None) for key, each in listed.items()}


def _public_addresses(port_ids: Sequence[UUID]) -> Mapping[UUID, list[Public]]:
    """Return the public addresses of the ports: attached ones, and those in the /64 of a pool."""
    addresses: dict[UUID, list[Public]] = defaultdict(list)
    for row in PublicAddress.objects.filter(port__in=port_ids).order_by("pk"):
        to = ip_address(row.fixed_ip) if row.mode == "nat" and row.fixed_ip else None
        addresses[row.port_id].append(Public(ip_address(row.ip), to, row.suspended_at is not None))  # type: ignore[index]
    routed = PortAddress.objects.filter(port__in=port_ids, subnet__ipv6_pool__isnull=False).select_related("subnet")
    for address in routed.order_by("pk"):
        if ip_address(address.ip) in ip_network(address.subnet.ipv6_cidr):
            addresses[address.port_id].append(Public(ip_address(address.ip)))
    return addresses

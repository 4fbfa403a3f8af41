"""Answers to "is it reachable?" (andromede_core.reachability) about the guests of the namespaces."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from agents.node.adapters.network_specs import PortSpec
from agents.node.adapters.port_filters import PortFilters
from andromede_core.permits.security_group import SecurityGroup
from andromede_core.reachability.answer import answered
from andromede_core.reachability.question import End, Net, Peer, Question, Range, Traffic

ZONE = "fr-par-1"


def end(port: PortSpec, filters: Iterable[PortFilters]) -> End:
    """Return the port with the groups by which its node filters it."""
    rules_of_port = [each.groups or () for one in filters for each in one.ports if each.port == port]
    ranges = tuple(Range(str(subnet.cidr), subnet.cidr, subnet.gateway_ip) for subnet in port.network.subnets)
    network = Net(str(port.network.id), "lan", ranges)
    name = port.hostname
    groups = rules_of_port[0] if rules_of_port else None
    return End(str(port.id), name, network, tuple(port.addresses), name, ZONE, groups)


def known_groups(filters: Iterable[PortFilters]) -> Mapping[str, SecurityGroup]:
    return {name: group for one in filters for name, group in one.groups.items()}


def reachable(filters: Iterable[PortFilters], source: PortSpec, target: PortSpec, *, web: int, other: int) -> set[str]:
    """Return what of `target` the answer says that `source` reaches, in the words of `reached`."""
    every = list(filters)
    kinds = {"web": Traffic("tcp", web), "other": Traffic("tcp", other), "ping": Traffic("icmp")}
    result = set()
    for name, traffic in kinds.items():
        for address in target.addresses:
            peers = Peer(end(source, every)), Peer(end(target, every), address)
            if answered(Question(*peers, traffic, groups=known_groups(every))).verdict == "allowed":
                result.add(f"{name}{address.version}")
    return result


def reaches_address(filters: Iterable[PortFilters], source: PortSpec, address: str, traffic: Traffic) -> bool:
    """Tell if the answer says that the port reaches this address, which is no port's."""
    every = list(filters)
    question = Question(Peer(end(source, every)), Peer(None, ip_address(address)), traffic, groups=known_groups(every))
    return answered(question).verdict == "allowed"

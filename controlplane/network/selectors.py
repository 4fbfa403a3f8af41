"""Networks, subnets, ports, security groups, address sets and public addresses that an actor may see."""

from collections import defaultdict
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import by_id, by_ref
from controlplane.kernel.prepared_queries import PreparedByRef
from controlplane.network.errors import (
    AddressPoolNotFound,
    AddressSetNotFound,
    NetworkNotFound,
    PortNotFound,
    PublicAddressNotFound,
    SecurityGroupNotFound,
    SecurityGroupRuleNotFound,
    SubnetNotFound,
)
from controlplane.network.models import (
    AddressPool,
    AddressSet,
    EgressAddress,
    Network,
    Port,
    PublicAddress,
    PublicAddressUse,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)


def _networks(project: Any) -> QuerySet[Network]:
    return Network.objects.filter(project=project)


def _ports(project: Any) -> QuerySet[Port]:
    return Port.objects.filter(project=project).select_related("network")


NETWORK = PreparedByRef(_networks, NetworkNotFound)
PORT = PreparedByRef(_ports, PortNotFound)


def networks(actor: Actor, project: Project) -> QuerySet[Network]:
    return _networks(project)


def network_get(actor: Actor, project: Project, ref: str) -> Network:
    return NETWORK.get(ref, project.pk)


def port_of_instance(instance_id: UUID, network: Network | None) -> Port | None:
    """Return the instance's first port, on `network` if it is given; None: there is none."""
    ports = Port.objects.filter(instance_id=instance_id).order_by("pk")
    return (ports if network is None else ports.filter(network=network)).first()


def network_details(rows: Sequence[Network]) -> dict[str, Any]:
    """Return the subnets by network, the oldest first, and the egress addresses by network."""
    subnets_by_network: dict[UUID, list[Subnet]] = defaultdict(list)
    for subnet in (
        Subnet.objects.filter(network__in=[row.pk for row in rows]).select_related("ipv6_pool").order_by("pk")
    ):
        subnets_by_network[subnet.network_id].append(subnet)
    egress: dict[UUID, list[EgressAddress]] = defaultdict(list)
    of_these = EgressAddress.objects.filter(network__in=[row.pk for row in rows]).select_related("address")
    for each in of_these.order_by("zone"):
        egress[each.network_id].append(each)
    return {"subnets": subnets_by_network, "egress": egress}


def subnets(actor: Actor, network: Network) -> QuerySet[Subnet]:
    return Subnet.objects.filter(network=network).select_related("network", "ipv6_pool")


def subnet_get(actor: Actor, network: Network, ref: str) -> Subnet:
    """Return the subnet of the network by name or id. Raises SubnetNotFound."""
    subnet = by_ref(subnets(actor, network), ref)
    if subnet is None:
        raise SubnetNotFound(name=ref)
    return subnet


def ports(actor: Actor, project: Project) -> QuerySet[Port]:
    return _ports(project)


def port_get(actor: Actor, project: Project, ref: str) -> Port:
    return PORT.get(ref, project.pk)


def _security_groups(project: Any) -> QuerySet[SecurityGroup]:
    return SecurityGroup.objects.filter(project=project)


SECURITY_GROUP = PreparedByRef(_security_groups, SecurityGroupNotFound)


def security_groups(actor: Actor, project: Project) -> QuerySet[SecurityGroup]:
    return _security_groups(project)


def security_group_get(actor: Actor, project: Project, ref: str) -> SecurityGroup:
    return SECURITY_GROUP.get(ref, project.pk)


def security_group_rules(actor: Actor, group: SecurityGroup) -> QuerySet[SecurityGroupRule]:
    return group.rules.select_related("peer_group", "address_set", "group")


def security_group_rule_get(actor: Actor, group: SecurityGroup, ref: str) -> SecurityGroupRule:
    """Raises SecurityGroupRuleNotFound."""
    rule = by_id(security_group_rules(actor, group), ref)
    if rule is None:
        raise SecurityGroupRuleNotFound(name=ref)
    return rule


def address_pools() -> QuerySet[AddressPool]:
    """Return all pools, for operators."""
    return AddressPool.objects.select_related("organization")


def address_pool_get(actor: Actor, ref: str) -> AddressPool:
    """Raises AddressPoolNotFound."""
    pool = by_ref(address_pools(), ref)
    if pool is None:
        raise AddressPoolNotFound(name=ref)
    return pool


def usable_address_pools(actor: Actor, project: Project) -> QuerySet[AddressPool]:
    """Return the pools that the project may use: those for all, and its organization's."""
    own = Q(organization=None) | Q(organization=project.organization_id)
    return address_pools().filter(own)


def usable_address_pool_get(actor: Actor, project: Project, ref: str) -> AddressPool:
    """Raises AddressPoolNotFound, also for a pool of another organization."""
    pool = by_ref(usable_address_pools(actor, project), ref)
    if pool is None:
        raise AddressPoolNotFound(name=ref)
    return pool


def _public_addresses(project: Any) -> QuerySet[PublicAddress]:
    return PublicAddress.objects.filter(project=project).select_related("pool", "port", "egress__network")


PUBLIC_ADDRESS = PreparedByRef(_public_addresses, PublicAddressNotFound)


def public_addresses(actor: Actor, project: Project) -> QuerySet[PublicAddress]:
    return _public_addresses(project)


def public_address_get(actor: Actor, project: Project, ref: str) -> PublicAddress:
    """Return the address of the project by its id, its name, or itself. Raises PublicAddressNotFound."""
    ip = parse_ip(ref)
    if ip is None:
        return PUBLIC_ADDRESS.get(ref, project.pk)
    address = _public_addresses(project).filter(ip=ip).first()
    if address is None:
        raise PublicAddressNotFound(name=ref)
    return address


def all_public_addresses(actor: Actor) -> QuerySet[PublicAddress]:
    """Return the addresses of all projects, for operators, and those that pools keep back after a suspension."""
    rows = PublicAddress.everything
    return rows.select_related("pool", "port", "egress__network", "project", "project__organization")


def any_public_address_get(actor: Actor, ref: str) -> PublicAddress:
    """Return the address of any project by its id or itself. Raises PublicAddressNotFound."""
    rows, ip = all_public_addresses(actor), parse_ip(ref)
    address = by_id(rows, ref) if ip is None else rows.filter(ip=ip).first()
    if address is None:
        raise PublicAddressNotFound(name=ref)
    return address


def public_address_uses(actor: Actor, project: Project | None) -> QuerySet[PublicAddressUse]:
    """Return who had which address when, of the project, or for operators of all."""
    rows = PublicAddressUse.objects.select_related("project")
    return rows if project is None else rows.filter(project=project)


def parse_ip(text: str) -> str | None:
    """Return the address in its usual form; None: the text is no address."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _address_sets(project: Any) -> QuerySet[AddressSet]:
    return AddressSet.objects.filter(project=project)


ADDRESS_SET = PreparedByRef(_address_sets, AddressSetNotFound)


def address_sets(actor: Actor, project: Project) -> QuerySet[AddressSet]:
    return _address_sets(project)


def address_set_get(actor: Actor, project: Project, ref: str) -> AddressSet:
    return ADDRESS_SET.get(ref, project.pk)

"""Networks, subnets, ports, security groups and address sets that an actor may see."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.db import by_id, by_ref
from controlplane.kernel.prepared_queries import PreparedByRef
from controlplane.network.errors import (
    AddressSetNotFound,
    NetworkNotFound,
    PortNotFound,
    SecurityGroupNotFound,
    SecurityGroupRuleNotFound,
    SubnetNotFound,
)
from controlplane.network.models import AddressSet, Network, Port, SecurityGroup, SecurityGroupRule, Subnet


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
    """Return the subnets by network, the oldest first."""
    found: dict[UUID, list[Subnet]] = defaultdict(list)
    for subnet in Subnet.objects.filter(network__in=[row.pk for row in rows]).order_by("pk"):
        found[subnet.network_id].append(subnet)
    return {"subnets": found}


def subnets(actor: Actor, network: Network) -> QuerySet[Subnet]:
    return Subnet.objects.filter(network=network).select_related("network")


def subnet_get(actor: Actor, network: Network, ref: str) -> Subnet:
    """Return the subnet of the network by name or id. Raises SubnetNotFound."""
    found = by_ref(subnets(actor, network), ref)
    if found is None:
        raise SubnetNotFound(name=ref)
    return found


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


def _address_sets(project: Any) -> QuerySet[AddressSet]:
    return AddressSet.objects.filter(project=project)


ADDRESS_SET = PreparedByRef(_address_sets, AddressSetNotFound)


def address_sets(actor: Actor, project: Project) -> QuerySet[AddressSet]:
    return _address_sets(project)


def address_set_get(actor: Actor, project: Project, ref: str) -> AddressSet:
    return ADDRESS_SET.get(ref, project.pk)

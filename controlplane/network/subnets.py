"""Subnet writes."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network

from django.conf import settings
from django.db import transaction

from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.addresses import SUBNETS_LOCKED
from controlplane.network.errors import (
    SubnetInUse,
    SubnetNameTaken,
    SubnetNotFound,
    SubnetOverlaps,
    TooManySubnets,
)
from controlplane.network.models import Network, PortAddress, Subnet
from controlplane.network.ranges import overlapping, parse_cidr, parse_gateway, parse_reserved
from controlplane.network.services import NAMED_MAX, named, network_lock

SUBNETS_MAX = 16


@dataclass(frozen=True)
class NewSubnet:
    """A subnet to create. `gateway_ip` None: the first address."""

    name: str
    cidr: str
    gateway_ip: str | None = None
    dns_servers: list[str] = field(default_factory=list)
    reserved_ranges: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


@transaction.atomic
def subnet_create(actor: Actor, network: Network, new: NewSubnet) -> Subnet:
    """Create a subnet of the network.

    Raises:
        SubnetInvalid, GatewayInvalid, ReservedRangeInvalid, SubnetOverlaps, SubnetNameTaken, TooManySubnets.
        NetworkNotFound: the network has just been deleted.
    """
    actor.may_write()
    name, found = check_name(new.name), parse_cidr(new.cidr)
    gateway, reserved = parse_gateway(found, new.gateway_ip), parse_reserved(found, new.reserved_ranges)
    network_lock(network)
    others = list(network.subnets.order_by("pk"))
    other = overlapping(found, others)
    if other is not None:
        raise SubnetOverlaps(field="cidr", cidr=str(found), name=other.name, other=other.cidr)
    if len(others) >= SUBNETS_MAX:
        raise TooManySubnets(limit=SUBNETS_MAX)
    with raise_on_violation("network_subnet_name_taken", SubnetNameTaken(field="name", name=name)):
        subnet = Subnet.objects.create(
            network=network,
            name=name,
            labels=check_labels(new.labels),
            cidr=str(found),
            gateway_ip=str(gateway),
            dns_servers=new.dns_servers or settings.DEFAULT_DNS_SERVERS,
            reserved_ranges=reserved,
        )
    facts = {"network": str(network.pk), "name": name, "cidr": str(found)}
    record(actor, "subnet.create", subnet.pk, project_id=network.project_id, **facts)
    return subnet


@transaction.atomic
def subnet_update(
    actor: Actor,
    subnet: Subnet,
    *,
    name: str,
    labels: dict[str, str],
    reserved_ranges: list[str] | None,
    dns_servers: list[str] | None = None,
) -> Subnet:
    """Rename or relabel the subnet, or replace its reserved ranges or DNS servers (None: they stay).

    Ports in reserved ranges keep their address. A guest gets other DNS servers when its port is sent to a node again.

    Raises:
        InvalidName, InvalidLabels, ReservedRangeInvalid, SubnetNameTaken.
    """
    actor.may_write()
    fields: dict[str, object] = {"name": check_name(name), "labels": check_labels(labels)}
    if reserved_ranges is not None:
        fields["reserved_ranges"] = parse_reserved(IPv4Network(subnet.cidr), reserved_ranges)
    if dns_servers is not None:
        fields["dns_servers"] = dns_servers or settings.DEFAULT_DNS_SERVERS
    with raise_on_violation("network_subnet_name_taken", SubnetNameTaken(field="name", name=name)):
        write_version(subnet, **fields)
    network = subnet.network
    record(actor, "subnet.update", subnet.pk, project_id=network.project_id, network=str(network.pk), name=name)
    return subnet


@transaction.atomic
def subnet_delete(actor: Actor, subnet: Subnet) -> None:
    """Delete the subnet.

    Raises:
        SubnetInUse: ports have addresses of it.
        SubnetNotFound: it is deleted already.
    """
    actor.may_write()
    network = subnet.network
    network_lock(network)
    if subnet.pk not in {each.pk for each in SUBNETS_LOCKED.rows(network.pk)}:
        raise SubnetNotFound(name=subnet.name)
    used = PortAddress.objects.filter(subnet=subnet)
    if count := used.count():
        ports = used.order_by("pk").values_list("port__name", flat=True)[:NAMED_MAX]
        raise SubnetInUse(count=count, ports=named(ports, count))
    facts = {"network": str(network.pk), "name": subnet.name, "cidr": subnet.cidr}
    record(actor, "subnet.delete", subnet.pk, project_id=network.project_id, **facts)
    subnet.delete()

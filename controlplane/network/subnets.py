"""Subnet writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from andromede_core.permits import dhcp_options as core
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.names import check_labels, check_name
from controlplane.network.addresses import SUBNETS_LOCKED
from controlplane.network.dhcp_options import checked_options, require_options_carried
from controlplane.network.errors import (
    SubnetInUse,
    SubnetNameTaken,
    SubnetNotFound,
    TooManySubnets,
)
from controlplane.network.ipv6_subnets import Ipv6Choice, choose_ipv6
from controlplane.network.models import Network, PortAddress, Subnet
from controlplane.network.new_subnets import NewSubnet, checked_subnet
from controlplane.network.port_rules import request_network
from controlplane.network.ranges import as_range, cidrs_of, parse_ipv6_cidr, parse_reserved
from controlplane.network.services import NAMED_MAX, named, network_lock

SUBNETS_MAX = 16
LISTED = {"dns_servers", *core.FIELDS, "ipv6_cidr"}  # nodes have these fields


@dataclass(frozen=True)
class SubnetChange:
    """The subnet's new name and labels, and what else changes; None: it stays."""

    name: str
    labels: dict[str, str]
    reserved_ranges: list[str] | None = None
    dns_servers: list[str] | None = None
    ntp_servers: list[str] | None = None
    domain_search: list[str] | None = None
    static_routes: list[dict[str, str]] | None = None
    ipv6: Ipv6Choice | None = None


@transaction.atomic
def subnet_create(actor: Actor, network: Network, new: NewSubnet) -> Subnet:
    """Create a subnet of the network.

    Raises:
        SubnetInvalid, GatewayInvalid, ReservedRangeInvalid, DhcpOptionInvalid, DhcpOptionsUnsupported, SubnetOverlaps,
        SubnetNameTaken, TooManySubnets, AddressPoolHasNoSubnets, AddressPoolOutOfSubnets.
        NetworkNotFound: the network has just been deleted.
    """
    actor.may_write()
    name = check_name(new.name)
    network_lock(network)
    others = list(network.subnets.order_by("pk"))
    subnet = checked_subnet(network, new, others)
    options = {option: getattr(subnet, option) for option in core.FIELDS}
    require_options_carried(network.pk, options)
    if len(others) >= SUBNETS_MAX:
        raise TooManySubnets(limit=SUBNETS_MAX)
    with raise_on_violation("network_subnet_name_taken", SubnetNameTaken(field="name", name=name)):
        subnet.save(force_insert=True)
    request_network(network.pk)
    facts = {"network": str(network.pk), "name": name, "cidr": subnet.cidr, "ipv6_cidr": subnet.ipv6_cidr or None}
    set_ones = {option: values for option, values in options.items() if values}
    record(actor, "subnet.create", subnet.pk, project_id=network.project_id, **facts, **set_ones)
    return subnet


@transaction.atomic
def subnet_update(actor: Actor, subnet: Subnet, change: SubnetChange) -> Subnet:
    """Change the subnet.

    Ports in new reserved ranges keep their address. Reserved ranges of IPv6 go with the range. Nodes learn of other
    ranges, DNS servers and options by the signed list of the network's ports, and guests when they renew their lease.

    Raises:
        InvalidName, InvalidLabels, ReservedRangeInvalid, SubnetNameTaken, SubnetNotFound, DhcpOptionInvalid.
        DhcpOptionsUnsupported: a node of the network does not give them to guests.
        SubnetInUse: ports have addresses of the former IPv6 range.
        SubnetInvalid, SubnetOverlaps, AddressPoolHasNoSubnets, AddressPoolOutOfSubnets.
    """
    actor.may_write()
    fields: dict[str, object] = {"name": check_name(change.name), "labels": check_labels(change.labels)}
    if change.ipv6 is not None:
        fields |= _change_ipv6(subnet, change.ipv6)
    if change.reserved_ranges is not None:
        fields["reserved_ranges"] = parse_reserved(cidrs_of(subnet), change.reserved_ranges)
    if change.dns_servers is not None:
        fields["dns_servers"] = change.dns_servers or settings.DEFAULT_DNS_SERVERS
    requested = {name: getattr(change, name) for name in core.FIELDS}
    options, network = checked_options(subnet.cidr, requested), subnet.network
    require_options_carried(network.pk, options)
    fields |= options
    with raise_on_violation("network_subnet_name_taken", SubnetNameTaken(field="name", name=change.name)):
        write_version(subnet, **fields)
    if fields.keys() & LISTED:
        request_network(network.pk)
    facts = {"network": str(network.pk), "name": change.name, "ipv6_cidr": subnet.ipv6_cidr or None}
    record(actor, "subnet.update", subnet.pk, project_id=network.project_id, **facts, **options)
    return subnet


def _change_ipv6(subnet: Subnet, choice: Ipv6Choice) -> dict[str, object]:
    """Give the subnet the chosen range, and return the changed fields. Adding an address to a port waits for it."""
    subnets = _locked(subnet)
    (subnet.ipv6_cidr, subnet.ipv6_pool_id) = next(
        (each.ipv6_cidr, each.ipv6_pool_id) for each in subnets if each.pk == subnet.pk
    )
    if _has_chosen(subnet, choice):
        return {}
    others = [each for each in subnets if each.pk != subnet.pk]
    fields = choose_ipv6(choice, others)
    if subnet.ipv6_cidr:
        _require_unused(PortAddress.objects.filter(subnet=subnet, ip__contains=":"), field="ipv6_cidr")
        fields["reserved_ranges"] = [each for each in subnet.reserved_ranges if as_range(each)[0].version == 4]
    for name, value in fields.items():
        setattr(subnet, name, value)
    return fields


def _has_chosen(subnet: Subnet, choice: Ipv6Choice) -> bool:
    """Tell if the subnet has such a range already, so that a repeated request changes nothing."""
    if choice.pool is not None:
        return subnet.ipv6_pool_id == choice.pool.pk
    chosen = "" if choice.cidr is None else str(parse_ipv6_cidr(choice.cidr))
    return subnet.ipv6_pool_id is None and subnet.ipv6_cidr == chosen


def _locked(subnet: Subnet) -> Sequence[Subnet]:
    """Lock the network and its subnets, and return these. Raises SubnetNotFound, NetworkNotFound."""
    network_lock(subnet.network)
    subnets = SUBNETS_LOCKED.rows(subnet.network_id)
    if subnet.pk not in {each.pk for each in subnets}:
        raise SubnetNotFound(name=subnet.name)
    return subnets


def _require_unused(used: QuerySet[PortAddress], *, field: str | None = None) -> None:
    """Raise SubnetInUse if there are such addresses of ports."""
    if count := used.count():
        ports = used.order_by("pk").values_list("port__name", flat=True)[:NAMED_MAX]
        raise SubnetInUse(field=field, count=count, ports=named(ports, count))


@transaction.atomic
def subnet_delete(actor: Actor, subnet: Subnet) -> None:
    """Delete the subnet.

    Raises:
        SubnetInUse: ports have addresses of it.
        SubnetNotFound: it is deleted already.
    """
    actor.may_write()
    network = subnet.network
    _locked(subnet)
    _require_unused(PortAddress.objects.filter(subnet=subnet))
    facts = {"network": str(network.pk), "name": subnet.name, "cidr": subnet.cidr}
    record(actor, "subnet.delete", subnet.pk, project_id=network.project_id, **facts)
    subnet.delete()
    request_network(network.pk)

"""New subnets: a request for one, and its row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from django.conf import settings

from andromede_core.permits import dhcp_options as core
from controlplane.kernel.names import check_labels
from controlplane.network.dhcp_options import checked_options
from controlplane.network.errors import SubnetOverlaps
from controlplane.network.ipv6_subnets import NO_IPV6, Ipv6Choice, choose_ipv6
from controlplane.network.models import Network, Subnet
from controlplane.network.ranges import cidrs_of, overlapping, parse_cidr, parse_gateway, parse_reserved


class SubnetFields(TypedDict, total=False):
    """Fields of the first subnet in the request of a network, beside the ranges."""

    gateway_ip: str | None
    dns_servers: list[str]
    ntp_servers: list[str]
    domain_search: list[str]
    static_routes: list[dict[str, str]]
    reserved_ranges: list[str]


@dataclass(frozen=True)
class NewSubnet:
    """A subnet to create. `gateway_ip` None: the first address. `ipv6`: a range beside `cidr`."""

    name: str
    cidr: str
    gateway_ip: str | None = None
    dns_servers: list[str] = field(default_factory=list)
    ntp_servers: list[str] = field(default_factory=list)
    domain_search: list[str] = field(default_factory=list)
    static_routes: list[dict[str, str]] = field(default_factory=list)
    reserved_ranges: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    ipv6: Ipv6Choice = NO_IPV6


def checked_subnet(network: Network, new: NewSubnet, others: Sequence[Subnet]) -> Subnet:
    """Return the row, not saved. `others`: the network's subnets. Inside the caller's transaction.

    Raises:
        SubnetInvalid, GatewayInvalid, ReservedRangeInvalid, DhcpOptionInvalid, SubnetOverlaps,
        AddressPoolHasNoSubnets, AddressPoolOutOfSubnets.
    """
    cidr = parse_cidr(new.cidr)
    gateway = parse_gateway(cidr, new.gateway_ip)
    options = checked_options(str(cidr), {name: getattr(new, name) for name in core.FIELDS})
    if other := overlapping(cidr, others):
        raise SubnetOverlaps(field="cidr", cidr=str(cidr), name=other[0].name, other=str(other[1]))
    subnet = Subnet(
        network=network,
        name=new.name,
        labels=check_labels(new.labels),
        cidr=str(cidr),
        gateway_ip=str(gateway),
        dns_servers=new.dns_servers or settings.DEFAULT_DNS_SERVERS,
        **options,
        **choose_ipv6(new.ipv6, others),
    )
    subnet.reserved_ranges = parse_reserved(cidrs_of(subnet), new.reserved_ranges)
    return subnet

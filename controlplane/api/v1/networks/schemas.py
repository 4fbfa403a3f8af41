"""Schemas of networks."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.permits.dhcp_options import MAX_DOMAINS, MAX_NTP_SERVERS, MAX_ROUTES
from andromede_core.permits.network_values import DOMAIN_LENGTH
from controlplane.kernel.fields import (
    In,
    IpAddress,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Out,
    Reference,
    StaticResourceOut,
    Text,
)
from controlplane.network.models import Network, Subnet
from controlplane.nodes.models import DEFAULT_MTU, LARGEST_MTU

DNS_SERVERS_MAX = 3
ROUTED_LENGTH = 18  # of an IPv4 range
RESERVED_RANGES_MAX = 32
RANGE_LENGTH = 80
IPV6_CIDR_LENGTH = 43
MTU_MIN = 1280  # RFC 8200
ROUTER = "fe80::1"  # of each network with IPv6, on each node (agents/node/adapters/network/ipv6_rules.py)


def dns_servers_field(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=IpAddress(), max_length=DNS_SERVERS_MAX, **(kwargs or {"default": list}))


def ntp_servers_field(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=IpAddress(), max_length=MAX_NTP_SERVERS, **(kwargs or {"default": list}))


def domain_search_field(**kwargs: Any) -> serializers.ListField:
    domains = Text(max_length=DOMAIN_LENGTH)
    return serializers.ListField(child=domains, max_length=MAX_DOMAINS, **(kwargs or {"default": list}))


def static_routes_field(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=StaticRouteIn(), max_length=MAX_ROUTES, **(kwargs or {"default": list}))


def reserved_ranges_field(**kwargs: Any) -> serializers.ListField:
    ranges = Text(max_length=RANGE_LENGTH)
    return serializers.ListField(child=ranges, max_length=RESERVED_RANGES_MAX, **(kwargs or {"default": list}))


class StaticRouteIn(In):
    """A route of the guests: to an IPv4 range outside the subnet, by an address of the subnet."""

    example = {"destination": "10.40.0.0/16", "next_hop": "10.21.0.4"}

    destination = Text(max_length=ROUTED_LENGTH)
    next_hop = serializers.IPAddressField(protocol="IPv4")


class StaticRouteOut(Out):
    """A route of the guests, beside the default route to the gateway."""

    destination = serializers.CharField()
    next_hop = serializers.IPAddressField()


class Ipv6RangeOut(Out):
    """Fields of a subnet's IPv6 range: null without one.

    `ipv6_gateway`: the link-local address that router advertisements announce. `ipv6_pool`: the pool of the range; null
    for a unique local one.
    """

    ipv6_cidr = serializers.SerializerMethodField()
    ipv6_gateway = serializers.SerializerMethodField()
    ipv6_pool = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_ipv6_cidr(self, row: Any) -> str | None:
        subnet = self.subnet_of(row)
        return (subnet.ipv6_cidr or None) if subnet else None

    @extend_schema_field(serializers.IPAddressField(allow_null=True))
    def get_ipv6_gateway(self, row: Any) -> str | None:
        return ROUTER if self.get_ipv6_cidr(row) else None

    @extend_schema_field(NamedOut(allow_null=True))
    def get_ipv6_pool(self, row: Any) -> Any:
        subnet = self.subnet_of(row)
        return NamedOut(subnet.ipv6_pool).data if subnet and subnet.ipv6_pool else None

    def subnet_of(self, row: Any) -> Subnet | None:
        subnet: Subnet = row
        return subnet


class NetworkIn(In):
    """A network. With `cidr` it gets a subnet `default`; without, it has none until one is created.

    The fields of IPv6, `gateway_ip`, `reserved_ranges`, the servers, domains and routes are those of this subnet, as
    for a subnet; none without `cidr`. `mtu`: the largest packet of the guests, in bytes; above 1500, instances are
    placed in zones whose nodes all carry it.
    """

    example = {"name": "lan", "cidr": "10.10.0.0/24", "dns_servers": ["9.9.9.9"], "labels": {"env": "prod"}}

    name = Name()
    cidr = Text(max_length=18, default=None)
    ipv6_cidr = Text(max_length=IPV6_CIDR_LENGTH, default=None)
    ipv6_pool = Reference(default=None)
    gateway_ip = serializers.IPAddressField(protocol="IPv4", default=None)
    dns_servers = dns_servers_field()
    ntp_servers = ntp_servers_field()
    domain_search = domain_search_field()
    static_routes = static_routes_field()
    reserved_ranges = reserved_ranges_field()
    mtu = serializers.IntegerField(min_value=MTU_MIN, max_value=LARGEST_MTU, default=DEFAULT_MTU)
    labels = Labels(default=dict)


class NetworkPatch(In):
    example = {"name": "office", "labels": {"env": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class SubnetSummaryOut(NamedOut):
    """A subnet of the network, with its ranges. `ipv6_cidr` null: it has no IPv6."""

    cidr = serializers.CharField()
    ipv6_cidr = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_ipv6_cidr(self, row: Subnet) -> str | None:
        return row.ipv6_cidr or None


class EgressAddressOut(Out):
    """A public address that is the source of what leaves the network in this zone, from ports that have none."""

    id = serializers.UUIDField(source="address_id")
    name = serializers.CharField(source="address.name")
    ip = serializers.IPAddressField(source="address.ip")
    zone = serializers.CharField(source="zone_id")


class NetworkOut(StaticResourceOut, Ipv6RangeOut):
    """A network. It exists at once; a node gets it with its first instance in the network.

    `egress_addresses`: one for a zone at most. Where the network has none, what leaves has the address of its node.

    `cidr`, `gateway_ip`, the fields of IPv6 and of DHCP, and `reserved_ranges` are those of its first subnet; empty or
    null: none.
    """

    cidr = serializers.SerializerMethodField()
    gateway_ip = serializers.SerializerMethodField()
    dns_servers = serializers.SerializerMethodField()
    ntp_servers = serializers.SerializerMethodField()
    domain_search = serializers.SerializerMethodField()
    static_routes = serializers.SerializerMethodField()
    reserved_ranges = serializers.SerializerMethodField()
    mtu = serializers.IntegerField()
    subnets = serializers.SerializerMethodField()
    egress_addresses = serializers.SerializerMethodField()

    @extend_schema_field(EgressAddressOut(many=True))
    def get_egress_addresses(self, row: Network) -> Any:
        return EgressAddressOut(self.context["egress"].get(row.pk, ()), many=True).data

    @extend_schema_field(serializers.CharField())
    def get_cidr(self, row: Network) -> str:
        first = self._first(row)
        return first.cidr if first else ""

    @extend_schema_field(serializers.IPAddressField())
    def get_gateway_ip(self, row: Network) -> str:
        first = self._first(row)
        return first.gateway_ip if first else ""

    @extend_schema_field(serializers.ListField(child=serializers.IPAddressField()))
    def get_dns_servers(self, row: Network) -> list[str]:
        first = self._first(row)
        return first.dns_servers if first else []

    @extend_schema_field(serializers.ListField(child=serializers.IPAddressField()))
    def get_ntp_servers(self, row: Network) -> list[str]:
        first = self._first(row)
        return first.ntp_servers if first else []

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_domain_search(self, row: Network) -> list[str]:
        first = self._first(row)
        return first.domain_search if first else []

    @extend_schema_field(StaticRouteOut(many=True))
    def get_static_routes(self, row: Network) -> Any:
        first = self._first(row)
        return first.static_routes if first else []

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_reserved_ranges(self, row: Network) -> list[str]:
        first = self._first(row)
        return first.reserved_ranges if first else []

    @extend_schema_field(SubnetSummaryOut(many=True))
    def get_subnets(self, row: Network) -> Any:
        return SubnetSummaryOut(self._subnets(row), many=True).data

    def subnet_of(self, row: Network) -> Subnet | None:
        return self._first(row)

    def _first(self, row: Network) -> Subnet | None:
        return next(iter(self._subnets(row)), None)

    def _subnets(self, row: Network) -> Sequence[Subnet]:
        subnets: Mapping[UUID, Sequence[Subnet]] = self.context["subnets"]
        return subnets.get(row.pk, ())


class SubnetIn(In):
    """A subnet.

    `gateway_ip`: its first address unless another one is given. `reserved_ranges`: addresses that no port gets, each
    `first-last` or one address, of either family. IPv6 by `ipv6_cidr`, a unique local /64 within fd00::/8 (RFC 4193),
    or by `ipv6_pool`: the lowest free /64 of this pool, routed to the pool's zone.

    Guests get `ntp_servers`, `domain_search` (245 bytes in all, as in DNS) and `static_routes` by DHCP. Routes are of
    IPv4, since DHCPv6 has none; the default route stays the gateway's.
    """

    example = {
        "name": "backend",
        "cidr": "10.21.0.0/24",
        "ipv6_cidr": "fd4a:21:7c05:1::/64",
        "reserved_ranges": ["10.21.0.2-10.21.0.9"],
    }

    name = Name()
    cidr = Text(max_length=18)
    ipv6_cidr = Text(max_length=IPV6_CIDR_LENGTH, default=None)
    ipv6_pool = Reference(default=None)
    gateway_ip = serializers.IPAddressField(protocol="IPv4", default=None)
    dns_servers = dns_servers_field()
    ntp_servers = ntp_servers_field()
    domain_search = domain_search_field()
    static_routes = static_routes_field()
    reserved_ranges = reserved_ranges_field()
    labels = Labels(default=dict)


class SubnetPatch(In):
    """Changes of a subnet. Ports with addresses in the new reserved ranges keep them.

    `ipv6_cidr` or `ipv6_pool` gives it another IPv6 range, and an empty `ipv6_cidr` removes the range: refused while a
    port has an address of the former one. Ports that exist already get IPv6 addresses by a change of their `addresses`.

    Nodes have other `dns_servers`, `ntp_servers`, `domain_search` and `static_routes` at once, and a guest learns of
    them when it renews its lease. An empty list: as at the creation without any.
    """

    example = {"reserved_ranges": ["10.21.0.2-10.21.0.19"], "labels": {"tier": "backend"}}

    name = Name(required=False)
    dns_servers = dns_servers_field(required=False)
    ntp_servers = ntp_servers_field(required=False)
    domain_search = domain_search_field(required=False)
    static_routes = static_routes_field(required=False)
    reserved_ranges = reserved_ranges_field(required=False)
    ipv6_cidr = Text(max_length=IPV6_CIDR_LENGTH, allow_blank=True, required=False)
    ipv6_pool = Reference(required=False)
    labels = LabelsPatch(required=False)


class SubnetOut(StaticResourceOut, Ipv6RangeOut):
    """A subnet of a network: a range of addresses with a gateway, routed to the network's other subnets.

    `ipv6_cidr`: a /64 beside it. `ipv6_gateway`: the link-local address that router advertisements announce.
    `ipv6_pool`: the pool of the /64; null for a unique local one.
    """

    network = NamedOut()
    cidr = serializers.CharField()
    gateway_ip = serializers.IPAddressField()
    dns_servers = serializers.ListField(child=serializers.IPAddressField())
    ntp_servers = serializers.ListField(child=serializers.IPAddressField())
    domain_search = serializers.ListField(child=serializers.CharField())
    static_routes = StaticRouteOut(many=True)
    reserved_ranges = serializers.ListField(child=serializers.CharField())

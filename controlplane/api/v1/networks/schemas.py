"""Schemas of networks."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.kernel.fields import In, Labels, LabelsPatch, Name, NamedOut, StaticResourceOut, Text
from controlplane.network.models import Network, Subnet

DNS_SERVERS_MAX = 3
RESERVED_RANGES_MAX = 32
RANGE_LENGTH = 80


def dns_servers_field(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.IPAddressField(protocol="IPv4"),
        max_length=DNS_SERVERS_MAX,
        **(kwargs or {"default": list}),
    )


class NetworkIn(In):
    """A network. With `cidr` it gets a subnet `default`; without, it has none until one is created."""

    example = {"name": "lan", "cidr": "10.10.0.0/24", "dns_servers": ["9.9.9.9"], "labels": {"env": "prod"}}

    name = Name()
    cidr = Text(max_length=18, default=None)
    dns_servers = dns_servers_field()
    labels = Labels(default=dict)


class NetworkPatch(In):
    example = {"name": "office", "labels": {"env": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class SubnetSummaryOut(NamedOut):
    """A subnet of the network, with its range."""

    cidr = serializers.CharField()


class NetworkOut(StaticResourceOut):
    """A network. It exists at once; a node gets it with its first instance in the network.

    `cidr`, `gateway_ip` and `dns_servers` are those of its first subnet; empty: it has none.
    """

    cidr = serializers.SerializerMethodField()
    gateway_ip = serializers.SerializerMethodField()
    dns_servers = serializers.SerializerMethodField()
    mtu = serializers.IntegerField()
    subnets = serializers.SerializerMethodField()

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

    @extend_schema_field(SubnetSummaryOut(many=True))
    def get_subnets(self, row: Network) -> Any:
        return SubnetSummaryOut(self._subnets(row), many=True).data

    def _first(self, row: Network) -> Subnet | None:
        return next(iter(self._subnets(row)), None)

    def _subnets(self, row: Network) -> Sequence[Subnet]:
        found: Mapping[UUID, Sequence[Subnet]] = self.context["subnets"]
        return found.get(row.pk, ())


class SubnetIn(In):
    """A subnet.

    `gateway_ip`: its first address unless another one is given. `reserved_ranges`: addresses that no port gets, each
    `first-last` or one address.
    """

    example = {"name": "backend", "cidr": "10.21.0.0/24", "reserved_ranges": ["10.21.0.2-10.21.0.9"]}

    name = Name()
    cidr = Text(max_length=18)
    gateway_ip = serializers.IPAddressField(protocol="IPv4", default=None)
    dns_servers = dns_servers_field()
    reserved_ranges = serializers.ListField(
        child=Text(max_length=RANGE_LENGTH), max_length=RESERVED_RANGES_MAX, default=list
    )
    labels = Labels(default=dict)


class SubnetPatch(In):
    """Changes of a subnet. Ports with addresses in the new reserved ranges keep them.

    A guest gets other `dns_servers` when its port is sent to a node again, as by a migration. An empty list: those of
    the platform.
    """

    example = {"reserved_ranges": ["10.21.0.2-10.21.0.19"], "labels": {"tier": "backend"}}

    name = Name(required=False)
    dns_servers = dns_servers_field(required=False)
    reserved_ranges = serializers.ListField(
        child=Text(max_length=RANGE_LENGTH), max_length=RESERVED_RANGES_MAX, required=False
    )
    labels = LabelsPatch(required=False)


class SubnetOut(StaticResourceOut):
    """A subnet of a network: a range of addresses with a gateway, routed to the network's other subnets."""

    network = NamedOut()
    cidr = serializers.CharField()
    gateway_ip = serializers.IPAddressField()
    dns_servers = serializers.ListField(child=serializers.IPAddressField())
    reserved_ranges = serializers.ListField(child=serializers.CharField())

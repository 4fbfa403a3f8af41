"""Schemas of a network's topology."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.api.v1.networks.schemas import EgressAddressOut
from controlplane.api.v1.ports.schemas import PortAddressOut
from controlplane.compute.topology import Topology
from controlplane.kernel.fields import NamedOut, Out
from controlplane.network.models import Port


class TopologySubnetOut(NamedOut):
    """A subnet. `ipv6_cidr` empty: it has IPv4 alone."""

    cidr = serializers.CharField()
    gateway_ip = serializers.IPAddressField()
    ipv6_cidr = serializers.CharField()


class TopologyInstanceOut(NamedOut):
    """An instance. `zone` null: no node has it yet."""

    state = serializers.CharField()
    zone = serializers.CharField(source="node.zone_id", allow_null=True, default=None)


class TopologyPublicAddressOut(Out):
    """A public address of a port. `is_suspended`: an operator has withdrawn it."""

    ip = serializers.IPAddressField()
    is_suspended = serializers.SerializerMethodField()

    def get_is_suspended(self, row: Any) -> bool:
        return row.suspended_at is not None


class TopologyPortOut(NamedOut):
    """A port. `security_groups` null: it is older than security groups, and all its traffic passes."""

    addresses = serializers.SerializerMethodField()
    instance = serializers.SerializerMethodField()
    public_addresses = serializers.SerializerMethodField()
    security_groups = serializers.SerializerMethodField()

    @property
    def topology(self) -> Topology:
        topology: Topology = self.context["topology"]
        return topology

    @extend_schema_field(PortAddressOut(many=True))
    def get_addresses(self, port: Port) -> Any:
        return self.topology.addresses.get(port.pk, [])

    @extend_schema_field(TopologyInstanceOut(allow_null=True))
    def get_instance(self, port: Port) -> Any:
        instance = None if port.instance_id is None else self.topology.instances.get(port.instance_id)
        return None if instance is None else TopologyInstanceOut(instance).data

    @extend_schema_field(TopologyPublicAddressOut(many=True))
    def get_public_addresses(self, port: Port) -> Any:
        return TopologyPublicAddressOut(self.topology.public.get(port.pk, []), many=True).data

    @extend_schema_field(NamedOut(many=True, allow_null=True))
    def get_security_groups(self, port: Port) -> Any:
        return NamedOut(self.topology.groups.get(port.pk, []), many=True).data if port.is_filtered else None


class TopologyOut(Out):
    """A network with its subnets, its egress addresses, and all its ports in the order of their names."""

    network = NamedOut()
    subnets = TopologySubnetOut(many=True)
    ports = TopologyPortOut(many=True)
    egress_addresses = EgressAddressOut(source="egress", many=True)

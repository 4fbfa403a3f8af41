"""Schemas of networks."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Labels, LabelsPatch, Name, StaticResourceOut, Text

DNS_SERVERS_MAX = 3


class NetworkIn(In):
    example = {"name": "lan", "cidr": "10.10.0.0/24", "dns_servers": ["9.9.9.9"], "labels": {"env": "prod"}}

    name = Name()
    cidr = Text(max_length=18)
    dns_servers = serializers.ListField(
        child=serializers.IPAddressField(protocol="IPv4"), max_length=DNS_SERVERS_MAX, default=list
    )
    labels = Labels(default=dict)


class NetworkPatch(In):
    example = {"name": "office", "labels": {"env": None}}

    name = Name(required=False)
    labels = LabelsPatch(required=False)


class NetworkOut(StaticResourceOut):
    """A network. It exists at once; a node gets it with its first instance in the network."""

    cidr = serializers.CharField(source="subnet.cidr")
    gateway_ip = serializers.IPAddressField(source="subnet.gateway_ip")
    dns_servers = serializers.ListField(child=serializers.IPAddressField(), source="subnet.dns_servers")
    mtu = serializers.IntegerField()

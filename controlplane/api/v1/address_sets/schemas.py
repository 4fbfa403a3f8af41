"""Schemas of address sets."""

from rest_framework import serializers

from controlplane.kernel.fields import In, Labels, LabelsPatch, Name, StaticResourceOut, Text
from controlplane.network.address_sets import RANGES_MAX

DESCRIPTION_MAX = 200
CIDR_MAX = 43  # characters


class AddressSetIn(In):
    """Ranges of addresses, of one or both families, that rules of security groups name as their peer."""

    example = {"name": "offices", "cidrs": ["192.0.2.0/24", "2001:db8:1::/48"], "labels": {"env": "prod"}}

    name = Name()
    cidrs = serializers.ListField(child=Text(max_length=CIDR_MAX), max_length=RANGES_MAX)
    description = Text(max_length=DESCRIPTION_MAX, allow_blank=True, default="")
    labels = Labels(default=dict)


class AddressSetPatch(In):
    """Changes of an address set. `cidrs` replace the former ones, in all rules that name the set."""

    example = {"cidrs": ["192.0.2.0/24", "198.51.100.0/24"], "labels": {"env": None}}

    name = Name(required=False)
    cidrs = serializers.ListField(child=Text(max_length=CIDR_MAX), max_length=RANGES_MAX, required=False)
    description = Text(max_length=DESCRIPTION_MAX, allow_blank=True, required=False)
    labels = LabelsPatch(required=False)


class AddressSetOut(StaticResourceOut):
    """Ranges of addresses that rules of security groups name as their peer."""

    description = serializers.CharField()
    cidrs = serializers.ListField(child=serializers.CharField())

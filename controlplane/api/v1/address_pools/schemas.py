"""Schemas of pools of public addresses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.permits.announcements import LOCAL_PREFERENCE_MAX
from andromede_core.permits.security_group import FAMILIES
from controlplane.compute.public_address_attachments import MODES
from controlplane.kernel.fields import Choice, In, Labels, LabelsPatch, Name, NamedOut, Out, Reference, Text, Whole
from controlplane.network.address_pool_ranges import RANGES_MAX
from controlplane.network.models import FOR_ADDRESSES, PURPOSES, AddressPool
from controlplane.network.reverse_zones import reverse_zones

CIDR_MAX = 43  # characters
RANGE_MAX = 79
COMMUNITY_MAX = 11


def _cidrs(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=Text(max_length=CIDR_MAX), max_length=RANGES_MAX, **kwargs)


def _reserved_ranges(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=Text(max_length=RANGE_MAX), max_length=RANGES_MAX, **kwargs)


class AddressPoolIn(In):
    """A pool of public addresses, which the announcers of its zone announce.

    `organization`: the only one that may use the pool; without it, all. `purpose`: `addresses`, which projects reserve,
    or `subnets`, for /64 ranges of IPv6 subnets. `reserved_ranges`: addresses that no project gets, each `first-last`.
    `community` (RFC 1997, AS:value) and `local_preference` (RFC 4271): attributes of the announcements.
    """

    example = {
        "name": "public-fr",
        "zone": "fr-idf-1",
        "family": "ipv4",
        "cidrs": ["203.0.113.0/24"],
        "reserved_ranges": ["203.0.113.0-203.0.113.9"],
        "community": "64500:100",
    }

    name = Name()
    zone = Reference()
    family = Choice(list(FAMILIES))
    purpose = Choice(list(PURPOSES), default=FOR_ADDRESSES)
    organization = Reference(allow_null=True, default=None)
    cidrs = _cidrs()
    reserved_ranges = _reserved_ranges(default=list)
    community = Text(max_length=COMMUNITY_MAX, allow_blank=True, default="")
    local_preference = Whole(min_value=0, max_value=LOCAL_PREFERENCE_MAX, allow_null=True, default=None)
    labels = Labels(default=dict)


class AddressPoolPatch(In):
    """Changes of a pool. `cidrs` and `reserved_ranges` replace the former ones; a range in use can only grow."""

    example = {"cidrs": ["203.0.113.0/24", "198.51.100.0/25"]}

    name = Name(required=False)
    cidrs = _cidrs(required=False)
    reserved_ranges = _reserved_ranges(required=False)
    community = Text(max_length=COMMUNITY_MAX, allow_blank=True, required=False)
    local_preference = Whole(min_value=0, max_value=LOCAL_PREFERENCE_MAX, allow_null=True, required=False)
    labels = LabelsPatch(required=False)


class AddressPoolOut(Out):
    """A pool of public addresses.

    `size`, `used`, `free`: numbers of addresses, or of /64 ranges where `purpose` is `subnets`; at most 2^53 - 1.
    `reverse_zones`: names of the DNS zones of its ranges.
    """

    # Context: `uses`, the result of network.address_pools.pool_uses().
    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    organization = NamedOut(allow_null=True)
    family = serializers.ChoiceField(list(FAMILIES))
    purpose = serializers.ChoiceField(PURPOSES)
    cidrs = serializers.ListField(child=serializers.CharField())
    reserved_ranges = serializers.ListField(child=serializers.CharField())
    community = serializers.CharField()
    local_preference = serializers.IntegerField(allow_null=True)
    size = serializers.SerializerMethodField()
    used = serializers.SerializerMethodField()
    free = serializers.SerializerMethodField()
    reverse_zones = serializers.SerializerMethodField()
    generation = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_size(self, pool: AddressPool) -> int:
        return int(self.context["uses"][pool.pk].size)

    def get_used(self, pool: AddressPool) -> int:
        return int(self.context["uses"][pool.pk].used)

    def get_free(self, pool: AddressPool) -> int:
        return int(self.context["uses"][pool.pk].free)

    def get_reverse_zones(self, pool: AddressPool) -> list[str]:
        return [zone.origin for zone in reverse_zones(pool)]


class UsableAddressPoolOut(Out):
    """A pool that the project may use. `modes`: how its addresses can be attached; none of a pool for subnets."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    zone = serializers.CharField(source="zone_id")
    family = serializers.ChoiceField(list(FAMILIES))
    purpose = serializers.ChoiceField(PURPOSES)
    modes = serializers.SerializerMethodField()
    free = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(MODES)))
    def get_modes(self, pool: AddressPool) -> list[str]:
        if pool.purpose != FOR_ADDRESSES:
            return []
        return list(MODES) if pool.family == "ipv4" else ["routed"]

    def get_free(self, pool: AddressPool) -> int:
        return int(self.context["uses"][pool.pk].free)

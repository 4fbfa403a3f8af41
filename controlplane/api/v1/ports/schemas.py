"""Schemas of ports."""

from typing import Any, get_args

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.permits.network_ports import MAX_ADDRESSES, MAX_MBIT
from controlplane.api.v1.security_groups.schemas import PortGroupOut, security_groups_field
from controlplane.compute.port_details import ACTIONS
from controlplane.kernel.fields import (
    Choice,
    ErrorOut,
    In,
    IpAddress,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Out,
    Reference,
    ResourceOut,
    Text,
    Whole,
)
from controlplane.network.addresses import Family
from controlplane.network.models import Port

MAC_LENGTH = 17
FAMILIES = get_args(Family)


class AddressIn(In):
    """A requested address: this `ip`, or a free one of the `subnet`, or of any subnet.

    `family` of the free one; without it, a free IPv4 address, and an IPv6 address too where the subnet has IPv6.
    """

    example = {"ip": "10.10.0.40"}

    subnet = Reference(required=False)
    ip = IpAddress(required=False)
    family = Choice(FAMILIES, required=False)


class AllowedAddressIn(In):
    """A range that the port may use beside its own addresses, with its own MAC address or with `mac`."""

    example = {"cidr": "10.10.0.100", "mac": "00:00:5e:00:01:01"}

    cidr = Text(max_length=43)
    mac = Text(max_length=MAC_LENGTH, allow_null=True, default=None)


def _mbit() -> Whole:
    return Whole(min_value=1, max_value=MAX_MBIT, allow_null=True, required=False)


class BandwidthIn(In):
    """Limits in Mbit/s of what the guest receives and sends; null: no limit. What exceeds them is dropped."""

    example = {"to_guest_mbit": 500, "from_guest_mbit": 100}

    to_guest_mbit = _mbit()
    from_guest_mbit = _mbit()


class BandwidthOut(Out):
    """Limits in Mbit/s of what the guest receives and sends; null: no limit."""

    to_guest_mbit = serializers.IntegerField(allow_null=True)
    from_guest_mbit = serializers.IntegerField(allow_null=True)


class PortIn(In):
    """A port.

    Without a `name` it gets one of its id; without `addresses`, a free one of each family of the subnet; without
    `security_groups`, the project's default group. One address at least is of IPv4.
    """

    example = {"name": "web-backend", "network": "lan", "addresses": [{"ip": "10.10.0.40"}], "labels": {"tier": "web"}}

    network = Reference()
    name = Name(required=False)
    addresses = serializers.ListField(child=AddressIn(), required=False, max_length=MAX_ADDRESSES)
    allowed_addresses = serializers.ListField(child=AllowedAddressIn(), default=list, max_length=MAX_ADDRESSES)
    security_groups = security_groups_field(required=False)
    bandwidth = BandwidthIn(required=False)
    labels = Labels(default=dict)


class PortPatch(In):
    """Changes of a port.

    `addresses` and `allowed_addresses` replace the former ones. Addresses that the port has, named by their `ip`, stay.
    An attached port keeps all that it has, and may get more: its guest asks for an IPv6 address by DHCPv6, and is given
    all addresses by its metadata. `security_groups` replace the former ones at any time; without any nothing passes. Of
    `bandwidth` only the given limits change.
    """

    example = {"allowed_addresses": [{"cidr": "10.10.0.100", "mac": "00:00:5e:00:01:01"}], "labels": {"tier": None}}

    name = Name(required=False)
    addresses = serializers.ListField(child=AddressIn(), required=False, max_length=MAX_ADDRESSES)
    allowed_addresses = serializers.ListField(child=AllowedAddressIn(), required=False, max_length=MAX_ADDRESSES)
    security_groups = security_groups_field(required=False)
    bandwidth = BandwidthIn(required=False)
    labels = LabelsPatch(required=False)


class PortAttachIn(In):
    example = {"instance": "web-1"}

    instance = Reference()


class PortAddressOut(Out):
    subnet = NamedOut()
    ip = serializers.IPAddressField()


class AllowedAddressOut(Out):
    """A range that the port may use. `mac` null: with its own MAC address."""

    cidr = serializers.CharField()
    mac = serializers.CharField(allow_null=True)


class PortOut(ResourceOut):
    """A port.

    `instance` null: it is free. `is_own`: it was created by itself and outlives the instance; another port came with
    its instance, and is deleted with it or when it is detached. `security_groups` null: nothing filters its traffic.
    """

    # Context: the result of compute.port_details.port_details().
    state = serializers.SerializerMethodField()
    network = NamedOut()
    instance = serializers.SerializerMethodField()
    is_own = serializers.BooleanField()
    mac = serializers.CharField()
    addresses = serializers.SerializerMethodField()
    allowed_addresses = serializers.SerializerMethodField()
    security_groups = serializers.SerializerMethodField()
    bandwidth = BandwidthOut(source="*")

    @extend_schema_field(serializers.ChoiceField(["free", "attached"]))
    def get_state(self, row: Port) -> str:
        return "free" if row.instance_id is None else "attached"

    @extend_schema_field(NamedOut(allow_null=True))
    def get_instance(self, row: Port) -> Any:
        return self.context["instances"].get(row.pk)

    @extend_schema_field(PortAddressOut(many=True))
    def get_addresses(self, row: Port) -> Any:
        return self.context["addresses"].get(row.pk, [])

    @extend_schema_field(AllowedAddressOut(many=True))
    def get_allowed_addresses(self, row: Port) -> Any:
        return self.context["allowed_addresses"].get(row.pk, [])

    @extend_schema_field(PortGroupOut(many=True, allow_null=True))
    def get_security_groups(self, row: Port) -> Any:
        return self.context["security_groups"].get(row.pk, []) if row.is_filtered else None


class PortActionOut(Out):
    """An action. `problem`: the error that the action would give now."""

    name = serializers.ChoiceField(ACTIONS)
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class PortWithActionsOut(PortOut):
    """A port.

    `instance` null: it is free. `is_own`: it was created by itself and outlives the instance; another port came with
    its instance, and is deleted with it or when it is detached. `security_groups` null: nothing filters its traffic.
    `allowed_actions`: the actions possible in its state;
    the caller also needs permission.
    """

    allowed_actions = PortActionOut(many=True)

"""Schemas of public addresses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.permits.security_group import FAMILIES
from controlplane.compute.public_address_attachments import ACTIONS, MODES, REASONS, STATES, state_of
from controlplane.kernel.fields import (
    Choice,
    ErrorOut,
    Flag,
    In,
    Labels,
    LabelsPatch,
    Name,
    NamedOut,
    Out,
    Reference,
    StaticResourceOut,
    Text,
)
from controlplane.network.models import PublicAddress
from controlplane.network.public_addresses import egress_of

PTR_MAX = 254
REASON_MAX = 200


class PublicAddressIn(In):
    """An address to reserve from a `pool`: this `ip`, or the lowest free one.

    Without a `name` the address gets one of its id. `ptr`: the name that the operator's reverse zone is to have for it.
    """

    example = {"name": "www", "pool": "public-fr", "labels": {"env": "prod"}}

    pool = Reference()
    name = Name(required=False)
    ip = serializers.IPAddressField(required=False)
    ptr = Text(max_length=PTR_MAX, allow_blank=True, default="")
    labels = Labels(default=dict)


class PublicAddressPatch(In):
    example = {"ptr": "www.example.org", "labels": {"env": None}}

    name = Name(required=False)
    ptr = Text(max_length=PTR_MAX, allow_blank=True, required=False)
    labels = LabelsPatch(required=False)


class PublicAddressAttachIn(In):
    """A port or a network that gets the address.

    `network`: the address becomes the source of what leaves the network in the address's zone from ports without a
    public IPv4 address of their own. It goes without the other fields but `move`. `mode`: `nat`, by which the address
    is translated one to one to `fixed_ip`, or `routed`, by which the guest has it itself; IPv6 is always routed.
    `fixed_ip`: without it, the first IPv4 address of the port. `move`: another port or a network may have the address,
    and loses it.
    """

    example = {"port": "web-public"}

    port = Reference(required=False)
    network = Reference(required=False)
    mode = Choice(list(MODES), required=False)
    fixed_ip = serializers.IPAddressField(protocol="IPv4", required=False)
    move = Flag(default=False)


class PublicAddressSuspendIn(In):
    example = {"reason": "Reported as a source of spam; ticket 4711."}

    reason = Text(max_length=REASON_MAX)


class PublicAddressOut(StaticResourceOut):
    """A public address of the project, until it is released.

    `port`, `network`: which has it; of a network it is the egress address. `state`: detached; pending: the port's node,
    or a node of the network, does not have the change yet; applied; suspended: an operator has withdrawn the address,
    see `suspended_reason`. `reason`: why it is pending. no-node: no node carries the port, or can be the gateway of the
    network; signing, sending: the change is on its way; node-silent: the node does not answer; node-problem: the node
    could not apply it; node-outdated: the node's agent is of an earlier release, and applies no public addresses.
    """

    # Context: the result of compute.public_address_attachments.public_address_details().
    state = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()
    ip = serializers.IPAddressField()
    family = serializers.SerializerMethodField()
    pool = NamedOut()
    zone = serializers.CharField(source="pool.zone_id")
    mode = serializers.ChoiceField(MODES)
    port = NamedOut(allow_null=True)
    network = serializers.SerializerMethodField()
    instance = serializers.SerializerMethodField()
    fixed_ip = serializers.IPAddressField(allow_null=True)
    ptr = serializers.CharField()
    suspended_at = serializers.DateTimeField(allow_null=True)
    suspended_reason = serializers.CharField()

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_state(self, row: PublicAddress) -> str:
        return state_of(row, self.context["documents"])[0]

    @extend_schema_field(serializers.ChoiceField(REASONS))
    def get_reason(self, row: PublicAddress) -> str:
        return state_of(row, self.context["documents"])[1]

    @extend_schema_field(serializers.ChoiceField(list(FAMILIES)))
    def get_family(self, row: PublicAddress) -> str:
        return "ipv6" if ":" in row.ip else "ipv4"

    @extend_schema_field(NamedOut(allow_null=True))
    def get_network(self, row: PublicAddress) -> Any:
        egress = egress_of(row)
        return None if egress is None else NamedOut(egress.network).data

    @extend_schema_field(NamedOut(allow_null=True))
    def get_instance(self, row: PublicAddress) -> Any:
        instance = None if row.port is None else self.context["instances"].get(row.port.instance_id)
        return None if instance is None else NamedOut(instance).data


class PublicAddressActionOut(Out):
    """An action. `problem`: the error that the action would give now."""

    name = serializers.ChoiceField(ACTIONS)
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class PublicAddressWithActionsOut(PublicAddressOut):
    """A public address of the project, until it is released.

    `state`: detached; pending: a node does not have the change yet; applied; suspended: an operator has withdrawn the
    address, see `suspended_reason`. `reason`: why it is pending. `allowed_actions`: the actions possible
    in its state; the caller also needs permission.
    """

    allowed_actions = PublicAddressActionOut(many=True)


class HeldPublicAddressOut(PublicAddressOut):
    """A public address of any project, for operators.

    `released_at`: the project released it while it was suspended; its pool keeps it back until it is resumed.
    """

    project = NamedOut()
    organization = NamedOut(source="project.organization")
    released_at = serializers.DateTimeField(allow_null=True)


class PublicAddressUseOut(Out):
    """A period in which a port or a network had a public address. `until` null: it lasts.

    `network`: which had it as its egress address; null: a port had it. `port` null: a network had it. `instance` null:
    the port was free.
    """

    id = serializers.UUIDField()
    ip = serializers.IPAddressField()
    public_address = serializers.UUIDField(source="address_id")
    project = NamedOut()
    port = serializers.UUIDField(source="port_id", allow_null=True)
    network = serializers.UUIDField(source="network_id", allow_null=True)
    instance = serializers.UUIDField(source="instance_id", allow_null=True)
    since = serializers.DateTimeField(source="began_at")
    until = serializers.DateTimeField(source="ended_at", allow_null=True)

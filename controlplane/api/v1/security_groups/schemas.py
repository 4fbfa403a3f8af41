"""Schemas of security groups, their rules, and the groups of an instance."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.permits.network_ports import MAX_GROUPS
from andromede_core.permits.security_group import DIRECTIONS, FAMILIES, PROTOCOLS, WITH_TYPES
from controlplane.kernel.fields import (
    Choice,
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
    Whole,
    references,
)
from controlplane.kernel.label_selectors import SELECTOR_MAX_LETTERS
from controlplane.network.models import Port
from controlplane.network.port_groups import REASONS, RULES_STATES, AppliedRules
from controlplane.network.security_group_rules import CIDRS_MAX, PORT_MAX, TYPE_MAX

DESCRIPTION_MAX = 200
CIDR_MAX = 43  # characters


def security_groups_field(**kwargs: Any) -> serializers.ListField:
    """Names or ids of security groups; the service limits their number."""
    return references(max_length=10 * MAX_GROUPS, **kwargs)


class SecurityGroupIn(In):
    """A security group.

    `selector`: a selector of labels, as `env=prod,app in (a,b)`. The ports that it selects are in the group, from their
    creation on. The labels of a port are those of its instance and its own, which count where both have a key.
    """

    example = {"name": "web", "description": "Web servers", "labels": {"env": "prod"}}

    name = Name()
    description = Text(max_length=DESCRIPTION_MAX, allow_blank=True, default="")
    selector = Text(max_length=SELECTOR_MAX_LETTERS, allow_blank=True, default="")
    labels = Labels(default=dict)


class SecurityGroupPatch(In):
    example = {"description": "Web servers of the shop", "labels": {"env": None}}

    name = Name(required=False)
    description = Text(max_length=DESCRIPTION_MAX, allow_blank=True, required=False)
    selector = Text(max_length=SELECTOR_MAX_LETTERS, allow_blank=True, required=False)
    labels = LabelsPatch(required=False)


class SecurityGroupOut(StaticResourceOut):
    """A security group: rules of traffic that ports in the group may receive and send.

    `is_default`: new ports get it when their request names no groups; it cannot be renamed or deleted. `selector`: the
    ports that it selects are in the group too; empty: none.
    """

    description = serializers.CharField()
    selector = serializers.CharField()
    is_default = serializers.BooleanField()


class SecurityGroupRuleIn(In):
    """A rule that allows traffic; answers to allowed traffic are always allowed.

    `direction`: in or out, seen from the port. `protocol`: any, tcp, udp, icmp or icmpv6. `first_port` and `last_port`:
    of tcp and udp; without them all, and without `last_port` one. `icmp_type` and `icmp_code`: without them all. The
    peer is in one of the ranges `cidrs`, in the group `peer_group` and the same network, or in the ranges of
    `address_set` that are of the `family`; without these, any. `is_logged`: the node logs the first packet of each
    connection, at a limited rate.
    """

    example = {"direction": "in", "protocol": "tcp", "first_port": 443, "description": "HTTPS"}

    direction = Choice(list(DIRECTIONS))
    family = Choice(list(FAMILIES), required=False)
    protocol = Choice(list(PROTOCOLS), default="any")
    first_port = Whole(min_value=1, max_value=PORT_MAX, required=False)
    last_port = Whole(min_value=1, max_value=PORT_MAX, required=False)
    icmp_type = Whole(min_value=0, max_value=TYPE_MAX, required=False)
    icmp_code = Whole(min_value=0, max_value=TYPE_MAX, required=False)
    cidrs = serializers.ListField(child=Text(max_length=CIDR_MAX), max_length=CIDRS_MAX, default=list)
    peer_group = Reference(required=False)
    address_set = Reference(required=False)
    is_logged = Flag(default=False)
    description = Text(max_length=DESCRIPTION_MAX, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.setdefault("family", WITH_TYPES.get(attrs["protocol"]) or _family_of(attrs["cidrs"]))
        return attrs


def _family_of(cidrs: list[str]) -> str:
    return "ipv6" if cidrs and ":" in cidrs[0] else "ipv4"


class SecurityGroupRuleOut(Out):
    """A rule of a security group. Rules do not change: to change one, add another and remove it."""

    id = serializers.UUIDField()
    direction = serializers.ChoiceField(DIRECTIONS)
    family = serializers.ChoiceField(list(FAMILIES))
    protocol = serializers.ChoiceField(PROTOCOLS)
    first_port = serializers.IntegerField(allow_null=True)
    last_port = serializers.IntegerField(allow_null=True)
    icmp_type = serializers.IntegerField(allow_null=True)
    icmp_code = serializers.IntegerField(allow_null=True)
    cidrs = serializers.SerializerMethodField()
    peer_group = NamedOut(allow_null=True)
    address_set = NamedOut(allow_null=True)
    is_logged = serializers.BooleanField()
    description = serializers.CharField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_cidrs(self, rule: Any) -> list[str]:
        return rule.cidrs or []


class PortGroupOut(NamedOut):
    """A security group of a port. `is_selected`: the group's selector alone selects the port."""

    is_selected = serializers.BooleanField()


class InstanceSecurityGroupsIn(In):
    """The security groups of all ports of an instance, in place of those that they have.

    An empty list: nothing passes.
    """

    example = {"security_groups": ["web"]}

    security_groups = security_groups_field()


class AppliedRulesOut(Out):
    """State of the rules at the port's node.

    `state`: pending, applied, or unsupported: the node's agent is of an earlier release and filters nothing. `version`
    grows with each change of what is applied. `reason`: why it is pending. no-node: no node carries the port; signing,
    sending: the change is on its way; node-silent: the node does not answer and still applies the earlier rules;
    node-problem: the node could not apply them, and lets nothing new pass.
    """

    state = serializers.ChoiceField(RULES_STATES)
    version = serializers.IntegerField()
    reason = serializers.ChoiceField(REASONS)


class PortSecurityGroupsOut(Out):
    """A port with its security groups.

    Null: the port, or the agent of its node when it was created, is older than security groups; all its traffic passes.
    """

    id = serializers.UUIDField()
    network = NamedOut()
    ip = serializers.IPAddressField(allow_null=True)
    security_groups = serializers.SerializerMethodField()
    rules = serializers.SerializerMethodField()

    @extend_schema_field(PortGroupOut(many=True, allow_null=True))
    def get_security_groups(self, port: Port) -> Any:
        if not port.is_filtered:
            return None
        return PortGroupOut(self.context["groups"].get(port.pk, []), many=True).data

    @extend_schema_field(AppliedRulesOut(allow_null=True))
    def get_rules(self, port: Port) -> Any:
        rules: AppliedRules | None = self.context["rules"][port.pk]
        return None if rules is None else AppliedRulesOut(rules).data


class InstanceSecurityGroupsOut(Out):
    """The security groups of an instance, by its ports."""

    ports = PortSecurityGroupsOut(many=True)

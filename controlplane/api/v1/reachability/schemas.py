"""Schemas of questions whether one end reaches another."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from andromede_core.permits.security_group import FAMILIES
from andromede_core.reachability.question import PROTOCOLS
from andromede_core.reachability.steps import KINDS, VERDICTS
from controlplane.kernel.error_messages import translated
from controlplane.kernel.fields import Choice, Flag, In, NamedOut, Out, Reference, Whole
from controlplane.network.security_group_rules import PORT_MAX

FAMILY_NAMES = {version: name for name, version in FAMILIES.items()}


class ReachabilityEndIn(In):
    """One end: an instance, a port or an address, or `outside`, any address outside. Give one of them."""

    example = {"instance": "web-1"}

    instance = Reference(required=False)
    port = Reference(required=False)
    address = serializers.IPAddressField(required=False)
    outside = Flag(required=False)


class ReachabilityIn(In):
    """Does traffic from `source` reach `target`?

    `protocol` any: all traffic; icmp: echo requests (ping). `port`: required for tcp and udp. `family`: that of a given
    address, else IPv4 if both ends have it.
    """

    example = {"source": {"outside": True}, "target": {"instance": "web-1"}, "protocol": "tcp", "port": 443}

    source = ReachabilityEndIn()  # type: ignore[assignment]
    target = ReachabilityEndIn()
    protocol = Choice(list(PROTOCOLS), default="any")
    port = Whole(min_value=1, max_value=PORT_MAX, required=False)
    family = Choice(list(FAMILIES), required=False)


class ReachabilityEndOut(Out):
    """An end of the question as it was understood. All null: anywhere outside."""

    instance = NamedOut(allow_null=True)
    port = NamedOut(allow_null=True)
    network = NamedOut(allow_null=True)
    address = serializers.IPAddressField(allow_null=True)


class ReachabilityStepOut(Out):
    """One thing that lets the traffic pass or stops it.

    `security_group` and `rule`: the rule that allows it. `port`: the port that the step is about.
    """

    kind = serializers.ChoiceField(KINDS)
    outcome = serializers.ChoiceField(VERDICTS)
    text = serializers.SerializerMethodField()
    port = serializers.UUIDField(allow_null=True)
    security_group = serializers.SerializerMethodField()
    rule = serializers.UUIDField(allow_null=True)

    def get_text(self, step: Any) -> str:
        return translated(step.text)

    @extend_schema_field(NamedOut(allow_null=True))
    def get_security_group(self, step: Any) -> Any:
        return step.group and {"id": step.group, "name": self.context["groups"][step.group]}


class ReachabilityOut(Out):
    """The answer, from what the control plane has recorded; no packet was sent.

    `verdict`: refused if a step refuses, else unknown if one is unknown, else allowed. Steps behind a refusal are
    listed too. `next_steps`: what to do about the steps that stop the traffic.
    """

    verdict = serializers.ChoiceField(VERDICTS)
    source = ReachabilityEndOut()  # type: ignore[assignment]
    target = ReachabilityEndOut()
    protocol = serializers.ChoiceField(PROTOCOLS)
    port = serializers.IntegerField(allow_null=True)
    family = serializers.ChoiceField(list(FAMILIES))
    steps = ReachabilityStepOut(many=True)
    next_steps = serializers.ListField(child=serializers.CharField())

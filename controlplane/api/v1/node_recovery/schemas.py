"""Schemas of node recovery."""

from rest_framework import serializers

from controlplane.api.v1.node_drains.schemas import PlannedGuestOut
from controlplane.kernel.fields import In, NamedOut, Out, Text, Whole
from controlplane.node_lifecycle.drain import drains
from controlplane.node_lifecycle.recovery import recoveries


class RecoverIn(In):
    """`plan`: the digest of the plan that you have seen and agree to. `at_once`: so many guests are made again at a
    time."""

    example = {"plan": "0" * 64, "at_once": 8, "reason": "its mainboard is dead"}

    plan = Text(max_length=64)
    at_once = Whole(min_value=1, max_value=drains.AT_ONCE_MAX, default=recoveries.AT_ONCE)
    reason = Text(max_length=200, default="", allow_blank=True)


class RecoveryPlanOut(Out):
    """`digest` names the plan when the recovery is asked for. `counts`: guests by action: evacuate (it is made again on
    another node; without a target no node may take it now, and it waits for one), stay (its disk is on the dead node
    alone, and comes back with it) or wait (for what works on it). `volumes`: so many are plugged into nothing."""

    node = NamedOut()
    digest = serializers.CharField()
    counts = serializers.DictField(child=serializers.IntegerField())
    volumes = serializers.IntegerField()
    guests = PlannedGuestOut(many=True)

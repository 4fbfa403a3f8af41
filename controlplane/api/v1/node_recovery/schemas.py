"""Schemas of node recovery."""

from rest_framework import serializers

from controlplane.api.v1.node_drains.schemas import PlannedGuestOut
from controlplane.kernel.fields import In, NamedOut, Out, Text, Whole
from controlplane.node_lifecycle.drain import drains
from controlplane.node_lifecycle.recovery import recoveries


class RecoverIn(In):
    """A request for a node recovery.

    `plan`: the digest of the plan to confirm. `at_once`: maximum number of evacuations at a time.
    """

    example = {"plan": "0" * 64, "at_once": 8, "reason": "its mainboard is dead"}

    plan = Text(max_length=64)
    at_once = Whole(min_value=1, max_value=drains.AT_ONCE_MAX, default=recoveries.AT_ONCE)
    reason = Text(max_length=200, default="", allow_blank=True)


class RecoveryPlanOut(Out):
    """A plan of a node recovery.

    `digest` identifies the plan in the request for the recovery. `counts`: guests by action: evacuate (to another node;
    without a target no node is possible now, and the guest waits), stay (its disk is on the fenced node only, and
    returns with it) or wait (for its running operation). `volumes`: number of unattached volumes.
    """

    node = NamedOut()
    digest = serializers.CharField()
    counts = serializers.DictField(child=serializers.IntegerField())
    volumes = serializers.IntegerField()
    guests = PlannedGuestOut(many=True)

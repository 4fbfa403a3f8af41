"""Recoveries, for operators: the plan, and its beginning. What is there is looked at and led as a drain is
(compute/drain_api.py)."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.compute import drains, recoveries
from controlplane.compute.drain_api import DrainOut, PlannedGuestOut, plan_document, shown
from controlplane.kernel.fields import In, NamedOut, Out, Text, Whole
from controlplane.kernel.rest import Body, route
from controlplane.nodes.api import OperatorView


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


class NodeRecoverPlan(OperatorView):
    """What a recovery would do with each guest of a fenced node. Nothing is written."""

    @route("node_recover_plan", RecoveryPlanOut)
    def post(self, request: Request) -> Response:
        node = self.node()
        plan = recoveries.recover_plan(self.actor, node)
        return Response(RecoveryPlanOut(plan_document(node, plan)).data)


class NodeRecover(OperatorView):
    """While a recovery of the node is not over, that one is the answer. It is shown as a drain of the kind recover."""

    @route("node_recover_begin", DrainOut, body=RecoverIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        new = recoveries.NewRecovery(body["plan"], body["at_once"], body["reason"])
        return Response(DrainOut(shown(recoveries.recover_begin(self.actor, self.node(), new))).data, status=202)

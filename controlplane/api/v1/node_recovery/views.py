"""Routes of node recovery, for operators: the plan, and its start.

The recovery then appears as a drain (api/v1/node_drains).
"""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OperatorView
from controlplane.api.v1.node_drains.schemas import DrainOut
from controlplane.api.v1.node_drains.views import plan_document, shown
from controlplane.api.v1.node_recovery.schemas import RecoverIn, RecoveryPlanOut
from controlplane.kernel.views import Body, route
from controlplane.node_lifecycle.recovery import recoveries


class NodeRecoverPlan(OperatorView):
    """Show what a recovery would do with each guest of a fenced node; nothing is written."""

    @route("node_recover_plan", RecoveryPlanOut)
    def post(self, request: Request) -> Response:
        node = self.node()
        plan = recoveries.recover_plan(self.actor, node)
        return Response(RecoveryPlanOut(plan_document(node, plan)).data)


class NodeRecover(OperatorView):
    """Start a recovery.

    If the node has an unfinished recovery, the response is that one. It appears as a drain of the kind recover.
    """

    @route("node_recover_begin", DrainOut, body=RecoverIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        new = recoveries.NewRecovery(body["plan"], body["at_once"], body["reason"])
        return Response(DrainOut(shown(recoveries.recover_begin(self.actor, self.node(), new))).data, status=202)

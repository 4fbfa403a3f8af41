"""Routes of node drains, for operators: the plan, the drain itself, and node maintenance."""

from collections import Counter
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OperatorView
from controlplane.api.v1.node_drains.schemas import (
    DrainIn,
    DrainOut,
    DrainPlanOut,
    DrainSummaryOut,
    MaintainIn,
    PlanIn,
    RetryIn,
    _projects,
)
from controlplane.api.v1.nodes.schemas import NodeOut
from controlplane.compute.migration import MigrationOptions
from controlplane.kernel.listing import Listing, among, created_after, exactly
from controlplane.kernel.long_poll import Condition, wait_s, wait_until
from controlplane.kernel.query_parameters import WAIT, Parameter
from controlplane.kernel.views import Body, route
from controlplane.node_lifecycle.drain import drains
from controlplane.node_lifecycle.drain.candidates import volumes_of
from controlplane.node_lifecycle.drain.drain_plan import Plan
from controlplane.nodes.models import (
    DRAIN,
    DRAIN_KINDS,
    Drain,
    Node,
)

DRAINS = Listing(
    {
        "kind": among("kind", DRAIN_KINDS),
        "state": among("state", DRAIN.moves),
        "zone": exactly("node__zone_id", "The drains of nodes of this zone."),
        "created_after": created_after(),
    },
    sorts=("-created_at", "created_at"),
)
GOES_ON = ("running",)


def plan_document(node: Node, plan: Plan) -> dict[str, Any]:
    targets = {str(each.pk): each for each in Node.objects.filter(pk__in={e.target for e in plan.entries if e.target})}
    projects = _projects(entry.guest.project_id for entry in plan.entries)
    return {
        "node": node,
        "digest": plan.digest,
        "fallback": plan.fallback,
        "counts": dict(sorted(Counter(entry.action for entry in plan.entries).items())),
        "volumes": volumes_of(node),
        "guests": [
            {
                "instance": {"id": entry.guest.id, "name": entry.guest.name},
                "project": {"id": entry.guest.project_id, "name": projects.get(entry.guest.project_id, "")},
                "action": entry.action,
                "target": targets.get(entry.target) if entry.target else None,
                "reasons": entry.reasons,
                "start_obstacles": entry.start_obstacles,
            }
            for entry in plan.entries
        ],
    }


def shown(drain: Drain) -> Drain:
    """Return the drain, read again, with the fields of the response."""
    rows = Drain.objects.select_related("node").prefetch_related("guests__target")
    return rows.get(pk=drain.pk)


class DrainView(OperatorView):
    def drain(self) -> Drain:
        return drains.drain_of(self.actor, self.node())

    def answer(self, drain: Drain, *, status: int = 200) -> Response:
        return Response(DrainOut(shown(drain)).data, status=status)


class NodeDrainPlan(OperatorView):
    """Show what a drain would do with each guest; nothing is written."""

    @route("node_drain_plan", DrainPlanOut, body=PlanIn)
    def post(self, request: Request, body: Body) -> Response:
        node = self.node()
        plan = drains.drain_plan(self.actor, node, fallback=body["fallback"])
        return Response(DrainPlanOut(plan_document(node, plan)).data)


class NodeDrain(DrainView):
    """Start a drain. If the node has an unfinished drain, the response is that drain."""

    @route("node_drain_begin", DrainOut, body=DrainIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        options = MigrationOptions(body.get("deadline_s"), body["convergence"])
        new = drains.NewDrain(body["plan"], body["fallback"], body["at_once"], body["reason"], options)
        return self.answer(drains.drain_begin(self.actor, self.node(), new), status=202)


class NodeDrainDetail(DrainView):
    """Show the unfinished drain of the node, or its last one."""

    @route(
        "node_drain_get",
        DrainOut,
        query={
            "wait": Parameter(
                "Respond when the drain has ended or needs an operator, at the latest after this time (0s to 60s).",
                WAIT,
            )
        },
    )
    def get(self, request: Request) -> Response:
        limit_s = wait_s(request)
        drain = self.drain()
        if drain.state in GOES_ON:
            stands_still = Drain.objects.filter(pk=drain.pk).exclude(state__in=GOES_ON)
            wait_until(request, Condition(stands_still.exists, owners=None), limit_s=limit_s)
        return self.answer(drain)


class NodeDrainPause(DrainView):
    @route("node_drain_pause", DrainOut)
    def post(self, request: Request) -> Response:
        return self.answer(drains.drain_pause(self.actor, self.drain()))


class NodeDrainResume(DrainView):
    @route("node_drain_resume", DrainOut)
    def post(self, request: Request) -> Response:
        return self.answer(drains.drain_resume(self.actor, self.drain()))


class NodeDrainCancel(DrainView):
    @route("node_drain_cancel", DrainOut)
    def post(self, request: Request) -> Response:
        return self.answer(drains.drain_cancel(self.actor, self.drain()))


class NodeDrainRetry(DrainView):
    """Retry the drain: the guests that did not leave are planned and moved again."""

    @route("node_drain_retry", DrainOut, body=RetryIn, status=202)
    def post(self, request: Request, body: Body) -> Response:
        return self.answer(drains.drain_retry(self.actor, self.drain(), fallback=body["fallback"]), status=202)


class DrainList(OperatorView):
    """List the drains of all nodes."""

    @route("drain_list", DrainSummaryOut, listing=DRAINS)
    def get(self, request: Request) -> Response:
        return DRAINS.page(request, drains.drains(self.actor)).answer(DrainSummaryOut)


class NodeMaintain(OperatorView):
    """Set a node without running guests to maintenance."""

    @route("node_maintain", NodeOut, body=MaintainIn)
    def post(self, request: Request, body: Body) -> Response:
        drains.node_maintain(self.actor, self.node(), reason=body["reason"])
        return Response(NodeOut(self.node()).data)

"""Routes of remediation plans: they end compliance drift; their approval and execution."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.remediation_plans.schemas import PlanOut
from controlplane.compliance import plan_execution, plans, selectors
from controlplane.compliance.models import PLAN, RemediationPlan
from controlplane.kernel.listing import Listing, among, created_after
from controlplane.kernel.views import route

PLANS = Listing(
    {"state": among("state", PLAN.moves), "created_after": created_after()}, sorts=("-created_at", "created_at")
)


class PlanView(ProjectView):
    def serializer_context(self) -> dict[str, Any]:
        """Return the context of the plans' representations."""
        owner = {
            "project": self.project.pk,
            "organization": self.project.organization_id,
            "officers": selectors.officers_of(self.project),
        }
        return {"owner": owner}

    def plan(self) -> RemediationPlan:
        return selectors.plan_get(self.actor, self.project, self.kwargs["plan"])

    def represented(self, plan: RemediationPlan) -> Response:
        return Response(PlanOut(plan, context=self.serializer_context()).data)


class PlanList(PlanView):
    @route("remediation_plan_list", PlanOut, listing=PLANS)
    def get(self, request: Request) -> Response:
        return PLANS.page(request, selectors.plans(self.actor, self.project)).answer(
            PlanOut, context=self.serializer_context()
        )


class PlanDetail(PlanView):
    @route("remediation_plan_get", PlanOut)
    def get(self, request: Request) -> Response:
        return self.represented(self.plan())


class PlanApprove(PlanView):
    @route("remediation_plan_approve", PlanOut)
    def post(self, request: Request) -> Response:
        return self.represented(plans.plan_approve(self.actor, self.plan()))


class PlanExecute(PlanView):
    """Begin the execution of an approved plan, or resume it."""

    @route("remediation_plan_execute", PlanOut)
    def post(self, request: Request) -> Response:
        plan_execution.plan_execute(self.actor, self.plan())
        return self.represented(self.plan())


class PlanPause(PlanView):
    """Pause the execution: nothing new begins; operations that began go on."""

    @route("remediation_plan_pause", PlanOut)
    def post(self, request: Request) -> Response:
        plan_execution.plan_pause(self.actor, self.plan())
        return self.represented(self.plan())

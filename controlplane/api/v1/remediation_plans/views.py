"""Routes of remediation plans: migrations that end compliance drift, and their approval."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.remediation_plans.schemas import PlanOut
from controlplane.compliance import plans, selectors
from controlplane.compliance.models import PLAN
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


class PlanList(PlanView):
    @route("remediation_plan_list", PlanOut, listing=PLANS)
    def get(self, request: Request) -> Response:
        return PLANS.page(request, selectors.plans(self.actor, self.project)).answer(
            PlanOut, context=self.serializer_context()
        )


class PlanApprove(PlanView):
    @route("remediation_plan_approve", PlanOut)
    def post(self, request: Request) -> Response:
        plan = selectors.plan_get(self.actor, self.project, self.kwargs["plan"])
        return Response(PlanOut(plans.plan_approve(self.actor, plan), context=self.serializer_context()).data)

"""Routes of break-glass exemptions: request, read, approve."""

from functools import partial
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from controlplane.api.base_views import ActorView
from controlplane.api.v1.exemptions.schemas import HOUR, ApprovalIn, ExemptionIn, ExemptionOut, ExemptionReportOut
from controlplane.kernel import clock
from controlplane.kernel.listing import Listing, created_after, exactly, invalid
from controlplane.kernel.query_parameters import Parameter, like
from controlplane.kernel.views import Body, created, resolve_reference, route
from controlplane.placement import exemptions, selectors
from controlplane.placement.exemption_report import QUARTER, quarter_named, quarter_of, report
from controlplane.placement.exemptions import NewExemption
from controlplane.placement.models import Exemption

EXEMPTIONS = Listing(
    {"zone": exactly("zone", "Exemptions for this zone."), "created_after": created_after()},
    sorts=("-created_at", "created_at"),
)


class ExemptionList(ActorView):
    @route("exemption_list", ExemptionOut, listing=EXEMPTIONS)
    def get(self, request: Request) -> Response:
        page = EXEMPTIONS.page(request, selectors.exemptions(self.actor))
        return page.answer(ExemptionOut, context=self.serializer_context())

    @route("exemption_request", ExemptionOut, body=ExemptionIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        decision = resolve_reference(partial(selectors.visible_decision, self.actor), body["decision"], at="decision")
        new = NewExemption(
            decision=decision,
            zone=body["zone"],
            reason=body["reason"],
            lifetime=body["hours"] * HOUR,
            max_uses=body["max_uses"],
        )
        exemption = exemptions.exemption_request(self.actor.within(decision.project), decision.project, new)
        return created(ExemptionOut(exemption, context=self.serializer_context()).data, request=request)

    def serializer_context(self) -> dict[str, Any]:
        return {"user_id": self.actor.user_id}


OF_QUARTER = {
    "quarter": Parameter("A quarter such as 2026-Q4; the present one by default.", like(QUARTER.pattern)),
}


class ExemptionReport(ActorView):
    @route("exemption_report", ExemptionReportOut, query=OF_QUARTER)
    def get(self, request: Request) -> Response:
        name = request.query_params.get("quarter")
        quarter = quarter_of(clock.now()) if name is None else quarter_named(name)
        if quarter is None:
            raise invalid("quarter", Message("it must be a year and a quarter, such as 2026-Q4."))
        return Response(ExemptionReportOut(report(selectors.exemptions(self.actor), quarter)).data)


class ExemptionView(ActorView):
    def exemption(self) -> Exemption:
        return selectors.exemption_get(self.actor, self.kwargs["exemption"])

    def answer(self, exemption: Exemption) -> Response:
        return Response(ExemptionOut(exemption, context={"user_id": self.actor.user_id}).data)


class ExemptionDetail(ExemptionView):
    @route("exemption_get", ExemptionOut)
    def get(self, request: Request) -> Response:
        return self.answer(self.exemption())


class ExemptionApprove(ExemptionView):
    @route("exemption_approve", ExemptionOut, body=ApprovalIn)
    def post(self, request: Request, body: Body) -> Response:
        approved = exemptions.exemption_approve(
            self.actor,
            self.exemption(),
            duty=body["duty"],
            key_id=body["key_id"],
            signature=body["signature"],
        )
        return self.answer(approved)

"""Break-glass exemptions: ask, look, approve."""

import base64
from datetime import timedelta
from functools import partial
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Reason
from andromede_core.documents.signed import message
from andromede_core.permits.trust_documents import DUTIES
from andromede_core.policy.exemption import KIND, LONGEST, USUAL
from controlplane.identity.api import ActorView
from controlplane.kernel import clock
from controlplane.kernel.fields import Base64, Choice, In, Out, Reference, Text, Whole
from controlplane.kernel.listing import Listing, created_after, exactly, invalid
from controlplane.kernel.parameters import Parameter, like
from controlplane.kernel.rest import Body, created, found, route
from controlplane.placement import exemptions, selectors
from controlplane.placement.exemption_report import QUARTER, quarter_named, quarter_of, report
from controlplane.placement.exemptions import NewExemption
from controlplane.placement.models import Exemption

EXEMPTIONS = Listing(
    {"zone": exactly("zone", "Exemptions for this zone."), "created_after": created_after()},
    sorts=("-created_at", "created_at"),
)
HOUR = timedelta(hours=1)


class ExemptionIn(In):
    """`decision`: the refusal that it is to get around."""

    example = {
        "decision": "019abc00-0000-7000-8000-000000000000",
        "zone": "fr-est-1",
        "reason": "The hospital's imaging has to run while fr-idf-1 is flooded.",
        "hours": 4,
    }

    decision = Reference()
    zone = Text(max_length=63)
    reason = Text(max_length=500)
    hours = Whole(min_value=1, max_value=LONGEST // HOUR, default=USUAL // HOUR)
    max_uses = Whole(min_value=1, max_value=100, default=1)


class ApprovalIn(In):
    """`signature`: of the bytes of the exemption's `to_sign` for the duty, by your own key, in base64."""

    example = {"duty": "sovereignty_officer", "key_id": "ada", "signature": "c2lnbmF0dXJl"}

    duty = Choice(DUTIES)
    key_id = Text(max_length=64)
    signature = Base64(max_length=1000)


class ExemptionApprovalOut(Out):
    approver = serializers.UUIDField()
    duty = serializers.ChoiceField(list(DUTIES))
    key_id = serializers.CharField()


class ExemptionOut(Out):
    """`to_sign`: per duty the bytes that you would sign (base64), if you may approve it."""

    id = serializers.UUIDField()
    project = serializers.UUIDField(source="project_id")
    resource_ids = serializers.ListField(child=serializers.UUIDField())
    operation = serializers.CharField(source="op")
    zone = serializers.CharField()
    waived = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField()
    requested_by = serializers.UUIDField()
    not_before = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    max_uses = serializers.IntegerField()
    use_count = serializers.IntegerField()
    approvals = ExemptionApprovalOut(many=True)
    to_sign = serializers.SerializerMethodField()

    def get_to_sign(self, exemption: Exemption) -> dict[str, str]:
        terms, user = exemptions.terms_of(exemption), str(self.context["user_id"])
        return {duty: base64.b64encode(message(KIND, terms.approval_payload(user, duty))).decode() for duty in DUTIES}


class ExemptionList(ActorView):
    @route("exemption_list", ExemptionOut, listing=EXEMPTIONS)
    def get(self, request: Request) -> Response:
        page = EXEMPTIONS.page(request, selectors.exemptions(self.actor))
        return page.answer(ExemptionOut, context=self.told())

    @route("exemption_request", ExemptionOut, body=ExemptionIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        decision = found(partial(selectors.decision_seen, self.actor), body["decision"], at="decision")
        new = NewExemption(
            decision=decision,
            zone=body["zone"],
            reason=body["reason"],
            lifetime=body["hours"] * HOUR,
            max_uses=body["max_uses"],
        )
        exemption = exemptions.exemption_request(self.actor.within(decision.project), decision.project, new)
        return created(ExemptionOut(exemption, context=self.told()).data, request=request)

    def told(self) -> dict[str, Any]:
        return {"user_id": self.actor.user_id}


class ExemptedClauseOut(Out):
    """`clause`: policy/atom, which would have refused."""

    clause = serializers.CharField()
    approved = serializers.IntegerField()
    uses = serializers.IntegerField()


class ExemptionReportOut(Out):
    """Of the exemptions that you see. `approved`: that two people signed and that held at some time of the quarter;
    `duration_s`: for how long, within it, all together. `used`: how many of them were, `uses`: how often."""

    quarter = serializers.CharField(source="quarter.name")
    begins_at = serializers.DateTimeField(source="quarter.begins_at")
    ends_at = serializers.DateTimeField(source="quarter.ends_at")
    asked = serializers.IntegerField()
    approved = serializers.IntegerField()
    duration_s = serializers.IntegerField()
    used = serializers.IntegerField()
    uses = serializers.IntegerField()
    clauses = ExemptedClauseOut(many=True)


OF_QUARTER = {
    "quarter": Parameter("Such as 2026-Q4; the present one if not given.", like(QUARTER.pattern)),
}


class ExemptionReport(ActorView):
    @route("exemption_report", ExemptionReportOut, query=OF_QUARTER)
    def get(self, request: Request) -> Response:
        name = request.query_params.get("quarter")
        quarter = quarter_of(clock.now()) if name is None else quarter_named(name)
        if quarter is None:
            raise invalid("quarter", Reason("it must be a year and a quarter, such as 2026-Q4."))
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

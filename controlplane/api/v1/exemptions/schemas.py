"""Schemas of exemptions."""

import base64
from datetime import timedelta

from rest_framework import serializers

from andromede_core.documents.signed import message
from andromede_core.permits.trust_documents import DUTIES
from andromede_core.policy.exemption import KIND, LONGEST, USUAL
from controlplane.kernel.fields import Base64, Choice, In, Out, Reference, Text, Whole
from controlplane.placement import exemptions
from controlplane.placement.models import Exemption

HOUR = timedelta(hours=1)


class ExemptionIn(In):
    """A request for an exemption. `decision`: the refused placement decision to override."""

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
    """An approval.

    `signature`: of the bytes in the exemption's `to_sign` for the role, by the approver's own key, in base64.
    """

    example = {"duty": "sovereignty_officer", "key_id": "ada", "signature": "c2lnbmF0dXJl"}

    duty = Choice(DUTIES)
    key_id = Text(max_length=64)
    signature = Base64(max_length=1000)


class ExemptionApprovalOut(Out):
    approver = serializers.UUIDField()
    duty = serializers.ChoiceField(list(DUTIES))
    key_id = serializers.CharField()


class ExemptionOut(Out):
    """An exemption. `to_sign`: per role the bytes to sign (base64), for callers who may approve it."""

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


class ExemptedClauseOut(Out):
    """An exempted clause. `clause`: policy/clause, which would have refused."""

    clause = serializers.CharField()
    approved = serializers.IntegerField()
    uses = serializers.IntegerField()


class ExemptionReportOut(Out):
    """Figures of the exemptions that the caller sees.

    `approved`: those that two people signed and that were valid at some time of the quarter; `duration_s`: their total
    duration within the quarter. `used`: how many of them were used, `uses`: how often.
    """

    quarter = serializers.CharField(source="quarter.name")
    begins_at = serializers.DateTimeField(source="quarter.begins_at")
    ends_at = serializers.DateTimeField(source="quarter.ends_at")
    asked = serializers.IntegerField()
    approved = serializers.IntegerField()
    duration_s = serializers.IntegerField()
    used = serializers.IntegerField()
    uses = serializers.IntegerField()
    clauses = ExemptedClauseOut(many=True)

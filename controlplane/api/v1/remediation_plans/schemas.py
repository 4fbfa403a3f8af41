"""Schemas of remediation plans."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.api.v1.policies.schemas import ClauseOut
from controlplane.compliance.models import PLAN, RemediationPlan
from controlplane.kernel.fields import Out


class TargetOut(Out):
    zone = serializers.CharField()
    nodes = serializers.IntegerField()


class PlanItemOut(Out):
    """An item of the plan.

    `targets`: possible zones when the plan was created; none: there are none, or the item is a cached image, which is
    deleted with the last disk that was cloned from it. `deadline_at`: null for an old plan.
    """

    order = serializers.IntegerField()
    resource_id = serializers.UUIDField()
    kind = serializers.CharField()
    zone = serializers.CharField()
    failing = ClauseOut(many=True)
    targets = TargetOut(many=True)
    deadline_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Any) -> Any:
        return {"deadline_at": None, **instance}


class OwnerOut(Out):
    """Owner of the data. `officers`: the users who are sovereignty officers of the organization."""

    project = serializers.UUIDField()
    organization = serializers.UUIDField()
    officers = serializers.ListField(child=serializers.UUIDField())


class PlanOut(Out):
    """A remediation plan.

    `owner`: responsible for its execution now. `notify_by`: until when the owners of the data must be notified.
    `deadline_at`: until when all items should be remedied.
    """

    id = serializers.UUIDField()
    project = serializers.UUIDField(source="project_id")
    owner = serializers.SerializerMethodField()
    state = serializers.ChoiceField(list(PLAN.moves))
    items = PlanItemOut(many=True)
    notify_by = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(OwnerOut)
    def get_owner(self, plan: RemediationPlan) -> dict[str, object]:
        return OwnerOut(self.context["owner"]).data

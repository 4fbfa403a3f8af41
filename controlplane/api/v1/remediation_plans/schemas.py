"""Schemas of remediation plans."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from controlplane.api.v1.policies.schemas import ClauseOut
from controlplane.compliance.models import EXECUTION, PLAN, PLAN_ITEM, RemediationPlan
from controlplane.compliance.plan_execution import PLAN_ACTIONS, plan_actions
from controlplane.compliance.selectors import items_with_progress
from controlplane.kernel.fields import ErrorOut, Out


class TargetOut(Out):
    zone = serializers.CharField()
    nodes = serializers.IntegerField()


class PlanItemOut(Out):
    """An item of the plan.

    `targets`: possible zones when the plan was created; none: there are none, or the item is a cached image, which is
    deleted with the last disk that was cloned from it. `deadline_at`: null for an old plan.

    `state`: waiting for the execution, or its turn; moving: its operation relocates it; stays: not possible now, for
    `reason`, and tried again; done: it has recovered. `operation`: the last one for it.
    `next_try_at`: of an item that stays, the earliest time of the next try; null: as soon as the reason is gone.
    """

    order = serializers.IntegerField()
    resource_id = serializers.UUIDField()
    kind = serializers.CharField()
    zone = serializers.CharField()
    failing = ClauseOut(many=True)
    targets = TargetOut(many=True)
    deadline_at = serializers.DateTimeField(allow_null=True)
    state = serializers.ChoiceField(list(PLAN_ITEM.moves))
    reason = ErrorOut(allow_null=True)
    operation = serializers.UUIDField(allow_null=True)
    next_try_at = serializers.DateTimeField(allow_null=True)


class PlanActionOut(Out):
    """An action. `problem`: the error that the action would give now."""

    name = serializers.ChoiceField(PLAN_ACTIONS)
    is_allowed = serializers.BooleanField()
    problem = ErrorOut(allow_null=True)


class OwnerOut(Out):
    """Owner of the data. `officers`: the users who are sovereignty officers of the organization."""

    project = serializers.UUIDField()
    organization = serializers.UUIDField()
    officers = serializers.ListField(child=serializers.UUIDField())


class PlanOut(Out):
    """A remediation plan.

    `owner`: responsible for its execution now. `notify_by`: until when the owners of the data must be notified.
    `deadline_at`: until when all items should be remedied.

    `execution`: running: stopped instances of the approved plan are relocated, for the member `executed_by` (null: a
    service account); paused: nothing new begins; `pause_reason`: why it paused itself. `allowed_actions`: the actions
    possible in its state; the caller also needs permission.
    """

    id = serializers.UUIDField()
    project = serializers.UUIDField(source="project_id")
    owner = serializers.SerializerMethodField()
    state = serializers.ChoiceField(list(PLAN.moves))
    execution = serializers.ChoiceField(list(EXECUTION.moves))
    executed_by = serializers.UUIDField(allow_null=True)
    pause_reason = ErrorOut(allow_null=True)
    items = serializers.SerializerMethodField()
    notify_by = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    allowed_actions = serializers.SerializerMethodField()

    @extend_schema_field(OwnerOut)
    def get_owner(self, plan: RemediationPlan) -> dict[str, object]:
        return OwnerOut(self.context["owner"]).data

    @extend_schema_field(PlanItemOut(many=True))
    def get_items(self, plan: RemediationPlan) -> object:
        return PlanItemOut(items_with_progress(plan), many=True).data

    @extend_schema_field(PlanActionOut(many=True))
    def get_allowed_actions(self, plan: RemediationPlan) -> object:
        return PlanActionOut(plan_actions(plan), many=True).data

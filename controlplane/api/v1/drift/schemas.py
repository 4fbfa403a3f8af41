"""Schemas of compliance drift."""

from typing import cast

from rest_framework import serializers

from controlplane.api.v1.policies.schemas import ClauseOut
from controlplane.compliance.models import COMPLIANCE, LocationCompliance
from controlplane.kernel.fields import Out
from controlplane.placement.models import DRIFT_ACTIONS


class ComplianceOut(Out):
    """Compliance of a resource.

    `since`: when the state began, as when a fact ended or a policy changed. `noticed_at`: when the platform detected
    it; null: before this was recorded. `fails_at`: from when the location is no longer admissible. `failing`: the
    clauses that fail then. `warned_days`: the latest warning before that, 180, 90, 30 or 7 days. `name`: of the
    resource; null: it is deleted.
    """

    resource_id = serializers.UUIDField()
    name = serializers.SerializerMethodField()
    kind = serializers.CharField()
    project = serializers.UUIDField(source="project_id")
    zone = serializers.CharField()
    state = serializers.ChoiceField(list(COMPLIANCE.moves))
    since = serializers.DateTimeField()
    noticed_at = serializers.DateTimeField(allow_null=True)
    fails_at = serializers.DateTimeField(allow_null=True)
    failing = ClauseOut(many=True)
    warned_days = serializers.IntegerField(allow_null=True)
    action = serializers.ChoiceField(DRIFT_ACTIONS)
    checked_at = serializers.DateTimeField()

    def get_name(self, row: LocationCompliance) -> str | None:
        return cast(str | None, self.context["names"].get(row.resource_id))

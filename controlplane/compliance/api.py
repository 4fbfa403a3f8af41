"""Remediation plans, and what would break if."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.catalog import selectors as catalog
from controlplane.compliance import plans, selectors, what_if
from controlplane.compliance.models import PLAN, RemediationPlan
from controlplane.compliance.what_if import Broken, Change
from controlplane.identity.api import ActorView, ProjectView
from controlplane.identity.selectors import projects
from controlplane.kernel import clock
from controlplane.kernel.fields import In, Out, Text
from controlplane.kernel.listing import Listing, among, created_after
from controlplane.kernel.rest import Body, route
from controlplane.placement.serializers import ClauseOut
from controlplane.placement.standing import clauses

PLANS = Listing(
    {"state": among("state", PLAN.moves), "created_after": created_after()}, sorts=("-created_at", "created_at")
)


class TargetOut(Out):
    zone = serializers.CharField()
    nodes = serializers.IntegerField()


class PlanItemOut(Out):
    """`targets`: where it could go when the plan was made; none: nowhere, or it is a cached image, which goes with the
    last disk that was cloned from it. `deadline_at`: unknown of an old plan."""

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
    """`officers`: the users who are sovereignty officers of the organization."""

    project = serializers.UUIDField()
    organization = serializers.UUIDField()
    officers = serializers.ListField(child=serializers.UUIDField())


class PlanOut(Out):
    """`owner`: who has to see to it, now. `notify_by`: when whose data it is must have been told. `deadline_at`: when
    all of it should be remedied."""

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


class ChangeIn(In):
    """`value` null: it is not known."""

    example = {
        "subject_kind": "party",
        "subject_id": "op-alpha",
        "attribute": "party.controlled_by_non_eu",
        "value": True,
    }

    subject_kind = serializers.ChoiceField(["zone", "party"])
    subject_id = Text(max_length=63)
    attribute = Text(max_length=64)
    value = serializers.JSONField(allow_null=True)


class LostIn(In):
    example = {"zone": "fr-est-1", "number": "FICTIF-SNC-4"}

    zone = Text(max_length=63)
    number = Text(max_length=200)


class SimulateIn(In):
    """Suppose that certificates are withdrawn, that facts are others, or that it is another time (`at`)."""

    example = {"lost_certificates": [{"zone": "fr-est-1", "number": "FICTIF-SNC-4"}]}

    lost_certificates = LostIn(many=True, default=list)
    changes = ChangeIn(many=True, default=list)
    at = serializers.DateTimeField(default=None, allow_null=True)


class BrokenOut(Out):
    """`targets`: the zones that would still be admissible to it."""

    resource_id = serializers.UUIDField(source="allocation.consumer_id")
    kind = serializers.CharField(source="allocation.kind")
    project = serializers.UUIDField(source="allocation.project_id")
    zone = serializers.CharField(source="allocation.node.zone_id")
    failing = serializers.SerializerMethodField()
    targets = serializers.ListField(child=serializers.CharField())

    def get_failing(self, broken: Broken) -> list[dict[str, str]]:
        return clauses(broken.evaluation.results)


class LostZonesOut(Out):
    project = serializers.UUIDField()
    zones = serializers.ListField(child=serializers.CharField())


class SimulationOut(Out):
    """`broken`: resources whose place is admissible now and would not be. `lost_zones`: zones that a project's policies
    would not admit any more."""

    broken = BrokenOut(many=True)
    lost_zones = LostZonesOut(many=True)


class PlanView(ProjectView):
    def told(self) -> dict[str, Any]:
        """What plans say beside their rows."""
        owner = {
            "project": self.project.pk,
            "organization": self.project.organization_id,
            "officers": selectors.officers_of(self.project),
        }
        return {"owner": owner}


class PlanList(PlanView):
    @route("remediation_plan_list", PlanOut, listing=PLANS)
    def get(self, request: Request) -> Response:
        return PLANS.page(request, selectors.plans(self.actor, self.project)).answer(PlanOut, context=self.told())


class PlanApprove(PlanView):
    @route("remediation_plan_approve", PlanOut)
    def post(self, request: Request) -> Response:
        plan = selectors.plan_get(self.actor, self.project, self.kwargs["plan"])
        return Response(PlanOut(plans.plan_approve(self.actor, plan), context=self.told()).data)


class Simulate(ActorView):
    """About the projects that the actor sees; nothing is written."""

    @route("policy_simulate", SimulationOut, body=SimulateIn)
    def post(self, request: Request, body: Body) -> Response:
        now = clock.now()
        then = body["at"] or now
        before = catalog.world()
        lost = [
            what_if.without_certificate(before, one["zone"], one["number"], now=then)
            for one in body["lost_certificates"]
        ]
        after = what_if.suppose(before, [*lost, *(Change(**change) for change in body["changes"])], now=then)
        seen = list(projects(self.actor))
        answer = {
            "broken": what_if.broken(seen, before, after, now=now, then=then),
            "lost_zones": [
                {"project": project.pk, "zones": what_if.lost_zones(project, before, after, now=now, then=then)}
                for project in seen
            ],
        }
        return Response(SimulationOut(answer).data)

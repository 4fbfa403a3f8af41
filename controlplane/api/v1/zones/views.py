"""Routes of zones by their capacity and the policies that they satisfy, and of simulated placements."""

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from andromede_core.documents.messages import Message
from andromede_core.placement.request import Resources
from andromede_core.policy.clauses import Policy
from controlplane.api.base_views import ActorView
from controlplane.api.v1.facts.schemas import ZoneOut
from controlplane.api.v1.facts.views import ZONES, of_zones
from controlplane.api.v1.zones.schemas import (
    CapacityOut,
    PlacementSimulationIn,
    PlacementSimulationOut,
    simulation_document,
)
from controlplane.catalog import selectors as catalog
from controlplane.identity import selectors as identity
from controlplane.identity.errors import ProjectNotFound
from controlplane.identity.models import Project
from controlplane.kernel.listing import invalid
from controlplane.kernel.query_parameters import Parameter
from controlplane.kernel.views import Body, resolve_reference, resolve_references, route
from controlplane.placement import classifications, effective_policies, policies, simulations
from controlplane.placement.errors import ClassificationNotFound
from controlplane.placement.simulations import What

ADMISSIBLE_FOR = {
    "admissible_for": Parameter(
        "Only open zones that admit an instance and a volume under all policies of this classification or "
        "project. Clauses about other roles (backup, console) are not evaluated."
    )
}


class ZoneList(ActorView):
    @route("zone_list", ZoneOut, listing=ZONES, query=ADMISSIBLE_FOR)
    def get(self, request: Request) -> Response:
        rows = catalog.zones()
        if (ref := request.query_params.get("admissible_for")) is not None:
            rows = rows.filter(pk__in=simulations.admissible_zones(self._demanded_for(ref)))
        page = ZONES.page(request, rows)
        return page.answer(ZoneOut, context=of_zones(page.rows))

    def _demanded_for(self, ref: str) -> tuple[Policy, ...]:
        """Return the policy owner; a classification comes before a project of the same name."""
        rows = classifications.visible_to(self.actor)
        try:
            return effective_policies.of_classification(classifications.classification_get(rows, ref))
        except ClassificationNotFound:
            pass
        try:
            return effective_policies.for_project(identity.project_get(self.actor, ref))
        except ProjectNotFound as exc:
            raise invalid("admissible_for", Message("it must be a classification or a project.")) from exc


class ZoneCapacity(ActorView):
    @route(
        "zone_capacity_get",
        CapacityOut,
        query={
            "flavor": Parameter(
                "Count the instances of this flavor that fit, under the policies of the credential's project, or "
                "without one the platform's.",
                is_required=True,
            )
        },
        error_statuses=(422,),
    )
    def get(self, request: Request) -> Response:
        zone = catalog.zone_get(self.kwargs["zone"])
        ref = request.query_params.get("flavor")
        if ref is None:
            raise invalid("flavor", Message("it must be given."))
        flavor = resolve_reference(catalog.flavor_get, ref, at="?flavor")
        project = identity.projects(self.actor).filter(Q(pk=self.actor.project_id)).first()
        return Response(CapacityOut(simulations.capacity(zone, flavor, project)).data)


class Simulation(ActorView):
    """Simulate a placement decision as for a real request; nothing is stored."""

    @route("placement_simulate", PlacementSimulationOut, body=PlacementSimulationIn)
    def post(self, request: Request, body: Body) -> Response:
        project = self._project(body)
        chosen = resolve_references(
            lambda ref: classifications.usable_classification(self.actor, project, ref),
            body["classifications"],
            at="classifications",
        )
        taken = simulations.simulate(
            What(
                project=project,
                operation=body["operation"],
                roles=tuple(body["roles"]),
                size=Resources(body["vcpus"], body["memory_mib"], body["disk_gib"]),
                zones=tuple(body["zones"]),
                classifications=tuple(classification.pk for classification in chosen),
                policy=policies.own_policy(body["policy_atoms"], at="policy_atoms"),
            )
        )
        return Response(simulation_document(taken, body["operation"], sees_all=self.actor.sees_all))

    def _project(self, body: Body) -> Project:
        ref = body.get("project") or str(self.actor.project_id or "")
        return resolve_reference(lambda name: identity.project_get(self.actor, name), ref, at="project")

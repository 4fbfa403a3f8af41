"""Route that simulates a change of policies or facts."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.policy_simulation.schemas import SimulateIn, SimulationOut
from controlplane.catalog import selectors as catalog
from controlplane.compliance import impact_simulation
from controlplane.compliance.impact_simulation import Change
from controlplane.identity.selectors import projects
from controlplane.kernel import clock
from controlplane.kernel.views import Body, route


class Simulate(ActorView):
    """Simulate a change for the projects that the actor sees; nothing is written."""

    @route("policy_simulate", SimulationOut, body=SimulateIn)
    def post(self, request: Request, body: Body) -> Response:
        now = clock.now()
        then = body["at"] or now
        before = catalog.world()
        lost = [
            impact_simulation.without_certificate(before, one["zone"], one["number"], now=then)
            for one in body["lost_certificates"]
        ]
        after = impact_simulation.with_changes(
            before, [*lost, *(Change(**change) for change in body["changes"])], now=then
        )
        visible_projects = list(projects(self.actor))
        answer = {
            "broken": impact_simulation.affected_resources(visible_projects, before, after, now=now, then=then),
            "lost_zones": [
                {
                    "project": project.pk,
                    "zones": impact_simulation.lost_zones(project, before, after, now=now, then=then),
                }
                for project in visible_projects
            ],
        }
        return Response(SimulationOut(answer).data)

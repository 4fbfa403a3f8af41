"""Routes of incidents, for operators."""

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OperatorView
from controlplane.api.v1.nodes.schemas import IncidentOfNodeOut
from controlplane.api.v1.nodes.views import INCIDENTS
from controlplane.kernel.listing import Listing, chosen, exactly
from controlplane.kernel.views import route
from controlplane.nodes import selectors

ANYWHERE = Listing(
    {
        **INCIDENTS.filters,
        "zone": exactly("node__zone_id", "The incidents on nodes of this zone."),
        "state": chosen({"open": Q(ended_at=None), "ended": Q(ended_at__isnull=False)}),
    },
    sorts=INCIDENTS.sorts,
)


class IncidentList(OperatorView):
    """List the incidents of all nodes."""

    @route("incident_list", IncidentOfNodeOut, listing=ANYWHERE)
    def get(self, request: Request) -> Response:
        return ANYWHERE.page(request, selectors.incidents_anywhere(self.actor)).answer(IncidentOfNodeOut)

"""Routes of the lineage of data, and of proposals that remove a classification from it."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OrganizationView
from controlplane.api.v1.declassifications.schemas import DeclassificationIn, LineageOut
from controlplane.api.v1.policies.schemas import ProposalOut
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.views import Body, route
from controlplane.placement import declassifications
from controlplane.placement.declassifications import NewDeclassification

LINEAGE = Listing({"created_after": created_after()}, sorts=("created_at", "-created_at"))


class ResourceLineage(OrganizationView):
    @route("resource_lineage_list", LineageOut, listing=LINEAGE)
    def get(self, request: Request) -> Response:
        binding = declassifications.binding_get(self.organization, self.kwargs["resource"])
        return LINEAGE.page(request, declassifications.lineage_of(binding)).answer(LineageOut)


class DeclassificationList(OrganizationView):
    @route("declassification_propose", ProposalOut, body=DeclassificationIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        new = NewDeclassification(body["resource"], body["reason"], body["classifications"], body["lineage"])
        proposal = declassifications.declassification_propose(self.actor, self.organization, new)
        location = f"/v1/policy-proposals/{proposal.pk}"
        return Response(ProposalOut(proposal).data, status=201, headers={"Location": location})

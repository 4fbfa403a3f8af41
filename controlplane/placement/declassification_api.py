"""What the data of a resource comes from, and proposals that it lose something of that."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity.api import OrganizationView
from controlplane.kernel.listing import Listing, created_after
from controlplane.kernel.rest import Body, route
from controlplane.placement import declassifications
from controlplane.placement.declassifications import NewDeclassification
from controlplane.placement.serializers import DeclassificationIn, LineageOut, ProposalOut

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
        place = f"/v1/policy-proposals/{proposal.pk}"
        return Response(ProposalOut(proposal).data, status=201, headers={"Location": place})

"""Routes of classifications: the platform's, and an organization's own."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, OrganizationView
from controlplane.api.v1.classifications.schemas import ClassificationIn, ClassificationOut
from controlplane.kernel.listing import Listing
from controlplane.kernel.views import Body, created, route
from controlplane.placement import classifications
from controlplane.placement.classifications import NewClassification

CLASSIFICATIONS = Listing({}, sorts=("id", "-id"))


class ClassificationList(ActorView):
    @route("classification_list", ClassificationOut, listing=CLASSIFICATIONS)
    def get(self, request: Request) -> Response:
        return CLASSIFICATIONS.page(request, classifications.visible_to(self.actor)).answer(ClassificationOut)


class ClassificationDetail(ActorView):
    @route("classification_get", ClassificationOut)
    def get(self, request: Request) -> Response:
        rows = classifications.visible_to(self.actor)
        classification = classifications.classification_get(rows, self.kwargs["classification"])
        return Response(ClassificationOut(classification).data)


class OrganizationClassificationList(OrganizationView):
    @route("organization_classification_list", ClassificationOut, listing=CLASSIFICATIONS)
    def get(self, request: Request) -> Response:
        rows = classifications.visible(self.organization)
        return CLASSIFICATIONS.page(request, rows).answer(ClassificationOut)

    @route("organization_classification_create", ClassificationOut, body=ClassificationIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        classification = classifications.classification_create(self.actor, self.organization, NewClassification(**body))
        return created(ClassificationOut(classification).data, request=request)

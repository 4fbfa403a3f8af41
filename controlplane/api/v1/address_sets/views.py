"""Routes of address sets."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ProjectView
from controlplane.api.v1.address_sets.schemas import AddressSetIn, AddressSetOut, AddressSetPatch
from controlplane.kernel.fields import merge_labels
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.views import Body, created, route
from controlplane.network import address_sets as services
from controlplane.network import selectors
from controlplane.network.models import AddressSet

ADDRESS_SETS = Listing(
    {"name": exactly("name", "The address set of this name."), "created_after": created_after(), "labels": labelled()}
)


class AddressSetList(ProjectView):
    @route("address_set_list", AddressSetOut, listing=ADDRESS_SETS)
    def get(self, request: Request) -> Response:
        page = ADDRESS_SETS.page(request, selectors.address_sets(self.actor, self.project))
        return page.answer(AddressSetOut)

    @route("address_set_create", AddressSetOut, body=AddressSetIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        address_set = services.address_set_create(self.actor, self.project, **body)
        return created(AddressSetOut(address_set).data, request=request)


class AddressSetDetail(ProjectView):
    def address_set(self) -> AddressSet:
        return selectors.address_set_get(self.actor, self.project, self.kwargs["address_set"])

    def versioned(self) -> AddressSet:
        return self.address_set()

    @route("address_set_get", AddressSetOut)
    def get(self, request: Request) -> Response:
        return Response(AddressSetOut(self.address_set()).data)

    @route("address_set_update", AddressSetOut, body=AddressSetPatch)
    def patch(self, request: Request, body: Body) -> Response:
        address_set = self.address_set()
        present = {"name": address_set.name, "description": address_set.description, "cidrs": address_set.cidrs}
        labels = merge_labels(address_set.labels, body.get("labels", {}))
        address_set = services.address_set_update(self.actor, address_set, **{**present, **body, "labels": labels})
        return Response(AddressSetOut(address_set).data)

    @route("address_set_delete", status=204)
    def delete(self, request: Request) -> Response:
        services.address_set_delete(self.actor, self.address_set())
        return Response(status=204)

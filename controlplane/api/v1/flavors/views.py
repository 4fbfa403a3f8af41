"""Routes of flavors."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.flavors.schemas import FlavorOut
from controlplane.catalog import selectors
from controlplane.kernel.listing import Listing
from controlplane.kernel.views import route

BY_ID = ("id", "-id")
FLAVORS = Listing({}, sorts=BY_ID)


class FlavorList(ActorView):
    @route("flavor_list", FlavorOut, listing=FLAVORS)
    def get(self, request: Request) -> Response:
        return FLAVORS.page(request, selectors.flavors()).answer(FlavorOut)

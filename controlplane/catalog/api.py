"""What there is to choose from, the same for everybody. What is known of zones and parties is in facts_api.py, images
are in placement/image_api.py."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.catalog import selectors
from controlplane.catalog.serializers import FlavorOut, VolumeTypeOut
from controlplane.identity.api import ActorView
from controlplane.kernel.listing import Listing
from controlplane.kernel.rest import route

BY_ID = ("id", "-id")
FLAVORS = Listing({}, sorts=BY_ID)
VOLUME_TYPES = Listing({}, sorts=BY_ID)


class FlavorList(ActorView):
    @route("flavor_list", FlavorOut, listing=FLAVORS)
    def get(self, request: Request) -> Response:
        return FLAVORS.page(request, selectors.flavors()).answer(FlavorOut)


class VolumeTypeList(ActorView):
    @route("volume_type_list", VolumeTypeOut, listing=VOLUME_TYPES)
    def get(self, request: Request) -> Response:
        return VOLUME_TYPES.page(request, selectors.volume_types()).answer(VolumeTypeOut)

"""Routes of volume types."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.flavors.views import BY_ID
from controlplane.api.v1.volume_types.schemas import VolumeTypeOut
from controlplane.catalog import selectors
from controlplane.kernel.listing import Listing
from controlplane.kernel.views import route

VOLUME_TYPES = Listing({}, sorts=BY_ID)


class VolumeTypeList(ActorView):
    @route("volume_type_list", VolumeTypeOut, listing=VOLUME_TYPES)
    def get(self, request: Request) -> Response:
        return VOLUME_TYPES.page(request, selectors.volume_types()).answer(VolumeTypeOut)

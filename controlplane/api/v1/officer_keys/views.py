"""Routes of the keys of officers, who sign facts."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.officer_keys.schemas import OfficerKeyIn, OfficerKeyOut
from controlplane.catalog import selectors
from controlplane.catalog.officer_keys import NewOfficerKey, officer_key_register, officer_key_revoke
from controlplane.kernel.listing import Listing, created_after, exactly
from controlplane.kernel.views import Body, created, route

OFFICER_KEYS = Listing(
    {"officer": exactly("officer", "The keys of this officer."), "created_after": created_after()},
    sorts=("created_at", "-created_at"),
)


class OfficerKeyList(ActorView):
    @route("officer_key_list", OfficerKeyOut, listing=OFFICER_KEYS)
    def get(self, request: Request) -> Response:
        return OFFICER_KEYS.page(request, selectors.officer_keys()).answer(OfficerKeyOut)

    @route("officer_key_create", OfficerKeyOut, body=OfficerKeyIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        key = officer_key_register(self.actor, NewOfficerKey(**body))
        return created(OfficerKeyOut(key).data, request=request)


class OfficerKeyDetail(ActorView):
    @route("officer_key_revoke", status=204)
    def delete(self, request: Request) -> Response:
        officer_key_revoke(self.actor, self.kwargs["officer_key"])
        return Response(status=204)

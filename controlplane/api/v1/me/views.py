"""Route of the caller's own account."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView
from controlplane.api.v1.me.schemas import MeOut
from controlplane.identity import own_identity
from controlplane.kernel.views import route


class Me(ActorView):
    @route("me_get", MeOut)
    def get(self, request: Request) -> Response:
        ends = getattr(request.auth, "expires_at", None)
        return Response(MeOut(own_identity.describe(self.actor, session_ends=ends)).data)

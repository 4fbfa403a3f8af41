"""The public keys of identity documents of instances."""

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import PublicView
from controlplane.api.v1.instance_identity.schemas import JsonWebKeySetOut
from controlplane.kernel.views import route
from controlplane.nodes.jose import public_jwks

# A revoked key ends here at most so much later.
STORABLE = {"Cache-Control": "public, max-age=300"}


class JsonWebKeySet(PublicView):
    """Public keys that verify the identity documents of instances (JWK Set, RFC 7517).

    Public, for third parties: an instance shows them its document, and they need no account to check it.
    """

    authentication_classes = []

    @route("jwks_get", JsonWebKeySetOut, error_statuses=(503,))
    def get(self, request: Request) -> Response:
        return Response(JsonWebKeySetOut(public_jwks()).data, headers=STORABLE)

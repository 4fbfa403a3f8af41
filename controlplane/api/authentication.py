"""Authorization: Bearer <token>. Whose token it is becomes `request.user`."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from controlplane.api.middleware import request_id_of
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import actor_of
from controlplane.kernel.errors import Unauthenticated

TOKEN_MAX = 200


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Actor, None] | None:
        """None without credentials; raises Unauthenticated for credentials that are not good."""
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, secret = header.partition(" ")
        is_token = scheme.lower() == "bearer" and secret.isascii() and 0 < len(secret) <= TOKEN_MAX
        if not is_token:
            raise Unauthenticated()
        asked = request._request
        actor = actor_of(secret, request_id=request_id_of(asked), address=asked.META.get("REMOTE_ADDR") or None)
        if actor is None:
            raise Unauthenticated()
        return actor, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

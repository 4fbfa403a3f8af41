"""Authorization: Bearer <token>, or Basic with the token as password, for programs that know nothing else. Whose token
it is becomes `request.user`."""

import base64
import binascii

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from controlplane.api.middleware import request_id_of
from controlplane.identity.actor import Actor
from controlplane.identity.selectors import actor_of
from controlplane.kernel.errors import Unauthenticated

TOKEN_MAX = 200


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Actor, None] | None:
        """None without credentials; raises Unauthenticated for credentials that are not good."""
        header = request.headers.get("Authorization")
        if header is None:
            return None
        secret = _secret(header)
        is_token = secret.isascii() and 0 < len(secret) <= TOKEN_MAX
        actor = actor_of(secret, request_id=request_id_of(request._request)) if is_token else None
        if actor is None:
            raise Unauthenticated()
        return actor, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _secret(header: str) -> str:
    """The token, or nothing."""
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return value
        case "basic":
            return _password(value)
    return ""


def _password(value: str) -> str:
    """What is behind the colon (RFC 7617); the user name does not matter."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""

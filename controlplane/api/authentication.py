"""Authentication by `Authorization: Bearer` with the secret of an API token or a session, or by Basic with the secret
as password, for programs that support nothing else.

The owner becomes `request.user`; a session becomes `request.auth`.
"""

import base64
import binascii
from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from controlplane.api.middleware import request_id_of
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import actor_of
from controlplane.kernel.client_address import client_address
from controlplane.kernel.errors import Unauthenticated
from controlplane.signin import secret_tokens as signin
from controlplane.signin.errors import SecondFactorDemanded
from controlplane.signin.models import Session
from controlplane.signin.selectors import signed_in
from controlplane.signin.sessions import needs_fresh_proof

TOKEN_MAX = 200


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Actor, Session | None] | None:
        """Return the user and session; None without credentials. Raises Unauthenticated for invalid credentials."""
        header = request.headers.get("Authorization")
        if header is None:
            return None
        secret = secret_in(header)
        if not secret:
            raise Unauthenticated()
        if secret.startswith(signin.SESSION):
            return _of_session(request, secret)
        django_request = request._request
        actor = actor_of(secret, request_id=request_id_of(django_request), address=client_address(django_request))
        if actor is None:
            raise Unauthenticated()
        return actor, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def secret_in(header: str) -> str:
    """Return the secret in the header, or an empty text for a value that cannot be a secret."""
    scheme, _, value = header.partition(" ")
    secret = _password(value) if scheme.lower() == "basic" else value if scheme.lower() == "bearer" else ""
    return secret if secret.isascii() and len(secret) <= TOKEN_MAX else ""


def _password(value: str) -> str:
    """Return the part after the colon (RFC 7617); the user name does not matter."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _of_session(request: Request, secret: str) -> tuple[Actor, Session]:
    sign_in = signed_in(secret, request_id=request_id_of(request._request))
    if sign_in is None:
        raise Unauthenticated()
    sign_in.session.is_finished = sign_in.is_finished
    return sign_in.actor, sign_in.session


class SecondFactor(BasePermission):
    """Second factor: a session without it reaches only the views that add one.

    Methods whose effect outlives a session (`proved_methods`) require a fresh proof of identity, so that a stolen
    session cannot use them.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Check the session. Raises SecondFactorDemanded, ProofTooOld."""
        session = request.auth
        if not isinstance(session, Session):
            return True
        if not session.is_finished and request.method not in getattr(view, "unfinished_methods", ()):
            raise SecondFactorDemanded()
        if request.method in getattr(view, "proved_methods", ()):
            needs_fresh_proof(session)
        return True

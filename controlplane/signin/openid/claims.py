"""Verification of ID tokens: signed by the provider, for this client, recently, and for this sign-in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from andromede_core.documents.messages import Message
from controlplane.signin.errors import OpenIdRefused
from controlplane.signin.openid.providers import Provider

LEEWAY_S = 60
SUBJECT_MAX = 255


def verified(
    provider: Provider, id_token: object, keys: Mapping[str, Any], *, nonce: str, now: datetime
) -> Mapping[str, Any]:
    """Return the verified claims of an ID token.

    Raises:
        OpenIdRefused: invalid signature, algorithm, issuer, audience, time or nonce.
    """
    if not isinstance(id_token, str):
        raise OpenIdRefused(reason=Message("there is no ID token."))
    try:
        token = jwt.decode(id_token, _key_set(keys), algorithms=list(provider.algorithms))
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={"iss": {"essential": True, "value": provider.issuer}, "aud": {"essential": True}},
            params={"nonce": nonce, "client_id": provider.client_id},
        )
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
    except (JoseError, ValueError, KeyError, TypeError) as exc:
        raise OpenIdRefused(reason=Message("its ID token is not valid ({problem}).", problem=_problem(exc))) from exc
    _check_audience(provider, claims)
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX or not subject.isprintable():
        raise OpenIdRefused(reason=Message("its ID token is not valid ({problem}).", problem="sub"))
    return dict(claims)


def _check_audience(provider: Provider, claims: Mapping[str, Any]) -> None:
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if provider.client_id not in audience:
        raise OpenIdRefused(reason=Message("its ID token is not valid ({problem}).", problem="aud"))


def _key_set(keys: Mapping[str, Any]) -> KeySet:
    """Return the keys for signatures; keys of unknown types are ignored."""
    usable = [key for key in keys["keys"] if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"]
    return KeySet.import_key_set({"keys": usable})


def _problem(exc: Exception) -> str:
    """Return the failed claim, or the kind of error: a word of this module, and none of the provider's."""
    return str(getattr(exc, "claim", None) or type(exc).__name__)


def groups_of(provider: Provider, claims: Mapping[str, Any]) -> frozenset[str]:
    groups = claims.get(provider.group_claim, [])
    return frozenset(each for each in groups if isinstance(each, str)) if isinstance(groups, list) else frozenset()

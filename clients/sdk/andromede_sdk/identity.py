"""Verification of identity documents of instances. It needs joserfc: `pip install andromede-sdk[identity]`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from typing import Any

from andromede_sdk.errors import AndromedeError

TYP = "andromede-instance+jwt"
ALGORITHMS = ["EdDSA", "ES256"]


class IdentityRefused(AndromedeError):
    """An identity document that is not genuine, or not valid now."""


def verify_identity(
    document: str, keys: Mapping[str, Any], *, issuer: str | None = None, now_s: float | None = None, leeway_s: int = 60
) -> dict[str, Any]:
    """Return what the document states; `keys`: the JWK Set of the API, at /.well-known/jwks.json.

    `issuer`: refuse documents of another cloud. `leeway_s`: how far the clocks may differ.

    Raises:
        IdentityRefused: no key of its zone signed it, it is not of this kind or issuer, it has expired, or is not valid
            yet.
        ImportError: joserfc is not installed.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="EdDSA is deprecated")  # RFC 9864 gives it another name
            token = jwt.decode(document.strip(), KeySet.import_key_set(dict(keys)), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        _check_zone(keys, token.header.get("kid"), token.claims.get("zone"))
        if token.header.get("typ") != TYP:
            raise IdentityRefused(f"The document is of the type {token.header.get('typ')}, not {TYP}.")
        required: dict[str, Any] = {"sub": {"essential": True}, "exp": {"essential": True}, "nbf": {"essential": True}}
        if issuer is not None:
            required["iss"] = {"essential": True, "value": issuer}
        now = int(time.time() if now_s is None else now_s)
        jwt.JWTClaimsRegistry(now=now, leeway=leeway_s, **required).validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError) as exc:
        raise IdentityRefused(f"The document is not genuine, or not valid now: {exc}.") from exc
    return dict(token.claims)


def _check_zone(keys: Mapping[str, Any], kid: object, zone: object) -> None:
    """Raise IdentityRefused unless the key may sign for the zone: one that was stolen states no other zones."""
    zones = next((key.get("zones", ()) for key in keys["keys"] if key.get("kid") == kid), ())
    if zone not in zones and "*" not in zones:
        raise IdentityRefused(f"The key {kid} does not sign for the zone {zone}.")

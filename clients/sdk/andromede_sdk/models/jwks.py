# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonWebKey(Model):
    """A public key (RFC 7517). `y`: of a key of the type EC only. `zones`: those of its instances; `*`: all."""

    kty: str  # OKP, EC
    crv: str  # Ed25519, P-256
    x: str
    y: str | None
    kid: str
    use: str  # sig
    alg: str  # EdDSA, ES256
    zones: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonWebKeySet(Model):
    keys: list[JsonWebKey]

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Totp(Model):
    """Both are in this answer alone. `secret` is in base32; `otpauth_uri` is what applications read from a QR code."""

    secret: str = field(repr=False)
    otpauth_uri: str

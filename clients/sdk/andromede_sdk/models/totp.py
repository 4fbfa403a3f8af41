# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Totp(Model):
    """A new TOTP secret; both members are in this response only.

    `secret` is in base32; `otpauth_uri` is for the QR code."""

    secret: str = field(repr=False)
    otpauth_uri: str

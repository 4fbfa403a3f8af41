# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Begun(Model):
    """A sign-in that has begun.

    Send the browser to `authorization_url`. Keep `binding` private to this sign-in: it is in this response only, and
    completes the sign-in."""

    authorization_url: str
    binding: str
    expires_at: datetime

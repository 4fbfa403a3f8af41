# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Begun(Model):
    """Send the browser to `authorization_url`. Keep `binding` where only this sign-in reaches it: it is in this answer
    alone, and completes it."""

    authorization_url: str
    binding: str
    expires_at: datetime

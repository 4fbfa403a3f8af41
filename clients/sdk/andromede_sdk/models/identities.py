# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Identity(Model):
    """A linked identity: the caller is `subject` at the provider `issuer`."""

    id: str
    issuer: str
    subject: str
    created_at: datetime
    last_used_at: datetime | None

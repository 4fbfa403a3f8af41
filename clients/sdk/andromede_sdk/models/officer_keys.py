# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class OfficerKey(Model):
    id: str
    officer: str
    public_key: str
    algorithm: str
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None
    created_at: datetime

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class QuotaRequest(Model):
    """A quota request. `answer` is the reason of the approval or refusal."""

    id: str
    dimension: str
    limit: int
    reason: str
    state: str  # pending, approved, refused, withdrawn
    requested_by: str | None
    answer: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime

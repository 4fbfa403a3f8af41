# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Maintenance(Model):
    """A maintenance rule.

    The most specific matching rule applies to an operation (a kind before a noun before *, a node before a zone), and
    among equals the strictest."""

    id: str
    kind: str
    action: str  # accept, pause, reject
    state: str
    reason: str
    zone: str
    node: str | None
    begins_at: datetime
    ends_at: datetime | None
    created_at: datetime

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Incident(Model):
    """An incident on the node, without automatic repair; `ended_at`: since when it is no longer observed."""

    id: str
    kind: str
    name: str
    facts: dict[str, Any]
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class IncidentOfNode(Model):
    """An incident with its node."""

    id: str
    kind: str
    name: str
    facts: dict[str, Any]
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    node: Named
    zone: str

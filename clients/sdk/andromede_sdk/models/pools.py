# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool(Model):
    """Storage that nodes of a zone share. `nodes`: those that are heard and have it now."""

    id: str
    name: str
    zone: str
    uuid: str
    path: str
    capacity_gib: int
    used_gib: int
    nodes: list[Named]
    created_at: datetime
    updated_at: datetime

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named


@dataclass(frozen=True, kw_only=True, eq=False)
class SnapshotSchedule(Model):
    """A schedule. `last_error`: why a snapshot of the last time was not taken. `next_at` null: it is paused."""

    id: str
    name: str
    state: str  # active, paused
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    volume: Named | None
    selector: str
    frequency: str  # hourly, daily, weekly, monthly
    at: str
    timezone: str
    weekday: str | None
    day: int | None
    keep: int
    is_paused: bool
    next_at: datetime | None
    last_at: datetime | None

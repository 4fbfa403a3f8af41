# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.waiting import Waitable

if TYPE_CHECKING:
    from andromede_sdk.models.common import CreatedBy, Error, Step


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation(Waitable):
    """`progress` is in percent. `resources` are ids, and the first is what the operation is about; `resource_name` is
    the name which that had when the operation was asked for."""

    id: str
    kind: str
    state: str  # pending, running, undoing, succeeded, failed, cancelled
    progress: int
    steps: list[Step]
    resources: list[str]
    resource_name: str
    created_by: CreatedBy
    request_id: str
    reason: str
    error: Error | None
    deadline: datetime
    cancellable: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

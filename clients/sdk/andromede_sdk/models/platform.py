# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import CreatedBy, Error, Named, Step


@dataclass(frozen=True, kw_only=True, eq=False)
class Platform(Model):
    os: str
    arch: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PlatformOperation(Model):
    """Whose it is besides; null: nobody's but the platform's."""

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
    retry_of: str | None
    retried_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    project: Named | None
    organization: Named | None

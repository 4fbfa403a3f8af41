# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model
from andromede_sdk.waiting import Waitable

if TYPE_CHECKING:
    from andromede_sdk.models.common import CreatedBy, Error, Named, PlatformOperation, Step


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation(Waitable):
    """An operation.

    `progress` is in percent. `resources` are ids, and the first is the subject; `resource_name` is the subject's name
    at the time of the request. `retry_of`: the failed operation that this one retries; `retried_by`: the last operation
    that retries this one."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Removal(Model):
    kind: str
    resource: str
    generation: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Resolution(Model):
    """The operation, which continues at once and ends without the node.

    `removals`: the pending removals recorded so far, in case the node comes back; the remaining steps add to them."""

    operation: PlatformOperation
    node: Named
    removals: list[Removal]

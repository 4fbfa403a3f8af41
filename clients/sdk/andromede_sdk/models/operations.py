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
    """`progress` is in percent. `resources` are ids, and the first is what the operation is about; `resource_name` is
    the name which that had when the operation was asked for. `retry_of`: the operation that is asked for again with
    this one; `retried_by`: the last one that asks for this one again."""

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
    """The operation, which goes on at once and ends without the node. `removals`: what is recorded so far to be removed
    from the node if it ever comes back; the steps that are still to run add to it."""

    operation: PlatformOperation
    node: Named
    removals: list[Removal]

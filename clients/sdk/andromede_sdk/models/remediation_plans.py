# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Clause, Error


@dataclass(frozen=True, kw_only=True, eq=False)
class Owner(Model):
    """Owner of the data. `officers`: the users who are sovereignty officers of the organization."""

    project: str
    organization: str
    officers: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(Model):
    """A remediation plan.

    `owner`: responsible for its execution now. `notify_by`: until when the owners of the data must be notified.
    `deadline_at`: until when all items should be remedied.

    `execution`: running: stopped instances of the approved plan are relocated, for the member `executed_by` (null: a
    service account); paused: nothing new begins; `pause_reason`: why it paused itself. `allowed_actions`: the actions
    possible in its state; the caller also needs permission."""

    id: str
    project: str
    owner: Any
    state: str  # proposed, approved, done, withdrawn
    execution: str  # idle, running, paused
    executed_by: str | None
    pause_reason: Error | None
    items: list[PlanItem]
    notify_by: datetime
    deadline_at: datetime
    created_at: datetime
    allowed_actions: list[PlanAction]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanAction(Model):
    """An action. `problem`: the error that the action would give now."""

    name: str  # approve, execute, pause
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanItem(Model):
    """An item of the plan.

    `targets`: possible zones when the plan was created; none: there are none, or the item is a cached image, which is
    deleted with the last disk that was cloned from it. `deadline_at`: null for an old plan.

    `state`: waiting for the execution, or its turn; moving: its operation relocates it; stays: not possible now, for
    `reason`, and tried again; done: it has recovered. `operation`: the last one for it.
    `next_try_at`: of an item that stays, the earliest time of the next try; null: as soon as the reason is gone."""

    order: int
    resource_id: str
    kind: str
    zone: str
    failing: list[Clause]
    targets: list[Target]
    deadline_at: datetime | None
    state: str  # waiting, moving, stays, done
    reason: Error | None
    operation: str | None
    next_try_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Target(Model):
    zone: str
    nodes: int

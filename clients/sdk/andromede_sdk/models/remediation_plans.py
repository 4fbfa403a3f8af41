# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Clause


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
    `deadline_at`: until when all items should be remedied."""

    id: str
    project: str
    owner: Any
    state: str  # proposed, approved, done, withdrawn
    items: list[PlanItem]
    notify_by: datetime
    deadline_at: datetime
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanItem(Model):
    """An item of the plan.

    `targets`: possible zones when the plan was created; none: there are none, or the item is a cached image, which is
    deleted with the last disk that was cloned from it. `deadline_at`: null for an old plan."""

    order: int
    resource_id: str
    kind: str
    zone: str
    failing: list[Clause]
    targets: list[Target]
    deadline_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Target(Model):
    zone: str
    nodes: int

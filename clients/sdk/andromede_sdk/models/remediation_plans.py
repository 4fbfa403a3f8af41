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
    """`officers`: the users who are sovereignty officers of the organization."""

    project: str
    organization: str
    officers: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(Model):
    """`owner`: who has to see to it, now. `notify_by`: when whose data it is must have been told. `deadline_at`: when
    all of it should be remedied."""

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
    """`targets`: where it could go when the plan was made; none: nowhere, or it is a cached image, which goes with the
    last disk that was cloned from it. `deadline_at`: unknown of an old plan."""

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

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Organization(Model):
    id: str
    name: str
    labels: dict[str, str]
    generation: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class OrganizationLimit(Model):
    """`used` is what all projects of the organization use, `projects` has those that the caller sees."""

    dimension: str
    used: int
    limit: int
    available: int
    projects: list[ProjectPart]


@dataclass(frozen=True, kw_only=True, eq=False)
class OrganizationLimits(Model):
    items: list[OrganizationLimit]


@dataclass(frozen=True, kw_only=True, eq=False)
class OrganizationWithPermissions(Model):
    """`permissions`: the ids of the operations that you may do here, by your role and the limits of your credential.
    What is not there is refused with 403; what is there may be refused for what it is about, such as its state."""

    id: str
    name: str
    labels: dict[str, str]
    generation: int
    created_at: datetime
    updated_at: datetime
    permissions: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectPart(Model):
    project: Named
    used: int
    limit: int

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
    """A limit of the organization.

    `used` is the usage of all its projects, `projects` has those that the caller sees."""

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
    """Permissions of the caller.

    `permissions`: the ids of the operations that the caller may do here, by role and by the limits of the credential.
    Other operations give 403; listed ones may still fail, for example because of a resource's state."""

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

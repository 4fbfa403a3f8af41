# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Project(Model):
    id: str
    name: str
    labels: dict[str, str]
    generation: int
    created_at: datetime
    updated_at: datetime
    organization: Named


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectWithPermissions(Model):
    """`permissions`: the ids of the operations that you may do here, by your role and the limits of your credential.
    What is not there is refused with 403; what is there may be refused for what it is about, such as its state."""

    id: str
    name: str
    labels: dict[str, str]
    generation: int
    created_at: datetime
    updated_at: datetime
    organization: Named
    permissions: list[str]

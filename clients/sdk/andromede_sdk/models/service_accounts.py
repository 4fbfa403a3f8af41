# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Grant, Named


class GrantInput(TypedDict):
    """A role grant. `project`: its id or name; without it, in the whole organization."""

    project: NotRequired[str]
    role: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceAccount(Model):
    id: str
    name: str
    organization: Named
    is_disabled: bool
    grants: list[Grant]
    generation: int
    created_at: datetime
    updated_at: datetime

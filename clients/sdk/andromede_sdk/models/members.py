# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named
    from andromede_sdk.models.users import User


@dataclass(frozen=True, kw_only=True, eq=False)
class Member(Model):
    user: User
    organization: Named
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer
    generation: int
    created_at: datetime
    updated_at: datetime

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
class Invitation(Model):
    id: str
    organization: Named
    email: str
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer
    invited_by: User | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class InvitationWithToken(Model):
    """`token` is in this answer alone. No mail is sent: pass it on to whom you invite."""

    id: str
    organization: Named
    email: str
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer
    invited_by: User | None
    created_at: datetime
    expires_at: datetime
    token: str

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
    """An invitation with its token. `token` is in this response only. No mail is sent: give it to the invited user."""

    id: str
    organization: Named
    email: str
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer
    invited_by: User | None
    created_at: datetime
    expires_at: datetime
    token: str

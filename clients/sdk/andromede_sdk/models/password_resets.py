# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.users import User


@dataclass(frozen=True, kw_only=True, eq=False)
class PasswordReset(Model):
    """`confirmed_by` null: it waits for a second person. The link is good from `good_from` on, until `expires_at`."""

    id: str
    user: User
    asked_by: User
    confirmed_by: User | None
    created_at: datetime
    confirmed_at: datetime | None
    good_from: datetime | None
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class PasswordResetLink(Model):
    """`secret` is in this answer alone: it is not kept. Give it to the user, and to nobody else."""

    id: str
    user: User
    asked_by: User
    confirmed_by: User | None
    created_at: datetime
    confirmed_at: datetime | None
    good_from: datetime | None
    expires_at: datetime
    secret: str = field(repr=False)

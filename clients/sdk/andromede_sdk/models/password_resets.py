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
    """A password reset.

    `confirmed_by` null: it waits for a second person. The link is valid from `good_from` until `expires_at`."""

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
    """The link of a reset.

    `secret` is in this response only: it is not stored. Give it to the user, and to no other person."""

    id: str
    user: User
    asked_by: User
    confirmed_by: User | None
    created_at: datetime
    confirmed_at: datetime | None
    good_from: datetime | None
    expires_at: datetime
    secret: str = field(repr=False)

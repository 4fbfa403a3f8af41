# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Error


@dataclass(frozen=True, kw_only=True, eq=False)
class Account(Model):
    """A user account.

    `duty`: the platform role; empty: none. `state`: suspended and ended users cannot sign in. `has_second_factor`: TOTP
    or a passkey. `tokens`: number of valid tokens."""

    id: str
    email: str
    duty: str  # , operator, support, auditor
    state: str  # active, suspended, ended
    has_second_factor: bool
    last_sign_in_at: datetime | None
    tokens: int
    suspended_at: datetime | None
    ended_at: datetime | None
    generation: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class AccountAction(Model):
    """An action. `problem`: the error that the action would give now."""

    name: str  # suspend, reinstate, end, duty-remove
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class AccountWithActions(Model):
    """A user account. `allowed_actions`: the actions possible in its state; the caller also needs permission."""

    id: str
    email: str
    duty: str  # , operator, support, auditor
    state: str  # active, suspended, ended
    has_second_factor: bool
    last_sign_in_at: datetime | None
    tokens: int
    suspended_at: datetime | None
    ended_at: datetime | None
    generation: int
    created_at: datetime
    updated_at: datetime
    allowed_actions: list[AccountAction]


@dataclass(frozen=True, kw_only=True, eq=False)
class User(Model):
    id: str
    email: str

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
    """`duty`: for the platform; empty: none. `state`: nobody gets in as a user who is suspended or has ended.
    `has_second_factor`: an application for codes or a passkey. `tokens`: how many that are good the user has."""

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
    """`problem`: with which it would be refused now."""

    name: str  # suspend, reinstate, end, duty-remove
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class AccountWithActions(Model):
    """`allowed_actions`: what can be done to the user in the state that they are in; who may is another matter."""

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

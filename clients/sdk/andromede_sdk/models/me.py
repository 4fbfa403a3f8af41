# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Grant, Named
    from andromede_sdk.models.users import User


@dataclass(frozen=True, kw_only=True, eq=False)
class Credential(Model):
    """`kind`: token or session."""

    id: str
    kind: str
    name: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Me(Model):
    """What this credential is: a user's or a service account's. `duty`: for the platform. `project`: the one that it is
    for; null: it is for all of `memberships` and `grants`."""

    user: User | None
    service_account: Named | None
    duty: str
    credential: Credential
    project: Named | None
    memberships: list[Membership]
    grants: list[Grant]
    scope: Scope


@dataclass(frozen=True, kw_only=True, eq=False)
class Membership(Model):
    organization: Named
    role: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Scope(Model):
    """null: not limited in that."""

    verbs: list[str] | None
    kinds: list[str] | None
    projects: list[str] | None

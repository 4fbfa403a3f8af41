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
    """A credential. `kind`: token or session."""

    id: str
    kind: str
    name: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Me(Model):
    """The caller: a user or a service account.

    `duty`: the platform role. `project`: the only project of the credential; null: all in `memberships` and `grants`."""

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
    """Limits of the credential; null: no limit."""

    verbs: list[str] | None
    kinds: list[str] | None
    projects: list[str] | None

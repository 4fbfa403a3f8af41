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
class Token(Model):
    """A token.

    `prefix` is the visible beginning of the secret. `role` empty: the roles of its owner. `verbs`, `kinds`, `projects`
    null: no limit. `project`: the only project; null: all projects where its owner has a role. `follows_owner`: it has
    no role of its own, and so also gets roles that its owner is given later."""

    id: str
    name: str
    user: User | None
    service_account: Named | None
    project: Named | None
    role: str
    follows_owner: bool
    is_platform: bool
    verbs: list[str] | None
    kinds: list[str] | None
    projects: list[str] | None
    prefix: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_from: str | None

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
    """`prefix` is the visible head of the secret. `role` empty: whatever its owner has. `verbs`, `kinds`, `projects`
    null: not limited in that. `project`: the one that it is good in; null: wherever its owner has a role.
    `follows_owner`: it has no role of its own, and so may also what its owner is given later; whoever has the secret by
    then has that too."""

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

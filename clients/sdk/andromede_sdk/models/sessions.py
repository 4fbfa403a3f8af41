# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Session(Model):
    """A session.

    `methods`: how it was authenticated. `address` and `user_agent`: of its beginning. `is_current`: the session of this
    request. It ends at `expires_at`, and earlier when it is not used."""

    id: str
    is_current: bool
    methods: list[str]
    is_two_factor: bool
    address: str | None
    user_agent: str
    created_at: datetime
    proved_at: datetime
    last_used_at: datetime
    expires_at: datetime

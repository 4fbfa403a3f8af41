# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class PasswordLink(Model):
    """A password link.

    `secret` is in this response only: it is not stored. Give it to the user, and to no other person."""

    secret: str = field(repr=False)
    expires_at: datetime

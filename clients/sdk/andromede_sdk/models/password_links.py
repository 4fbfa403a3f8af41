# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class PasswordLink(Model):
    """`secret` is in this answer alone: it is not kept. Give it to the user, and to nobody else."""

    secret: str = field(repr=False)
    expires_at: datetime

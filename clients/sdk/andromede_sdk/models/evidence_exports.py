# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Error, Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Export(Model):
    """An evidence export.

    `file` is available once the state is ready, until `expires_at`; `sha256` (hex) and `size_bytes` are the file's."""

    id: str
    organization: Named
    state: str  # waiting, running, ready, failed
    size_bytes: int | None
    sha256: str
    expires_at: datetime | None
    error: Error | None
    created_at: datetime
    from_: datetime
    to: datetime

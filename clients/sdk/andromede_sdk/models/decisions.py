# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision(Model):
    """A placement decision.

    `explanation`: text in the caller's language. `document` is the decision itself; only operators see names of nodes
    in it."""

    id: str
    operation: str
    resource: str
    is_admitted: bool
    classifications: list[str]
    created_at: datetime
    explanation: list[str]
    document: dict[str, Any]

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Party(Model):
    """Subject with its facts.

    `facts` are the ones valid now; null: declared as unknown. `overdue`: attributes whose review is late, so that they
    count as unknown. `claimed`: attributes of measures that the operator declares and the platform does not enforce."""

    facts: dict[str, Any]
    overdue: list[str]
    claimed: list[str]
    id: str
    name: str

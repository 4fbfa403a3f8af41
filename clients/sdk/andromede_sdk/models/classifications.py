# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification(Model):
    """`title` and `description` in the caller's language. `organization` null: the platform's. One that is not
    supported admits no place at all. `drift_action`: what happens when a place does not satisfy it any more."""

    id: str
    organization: Named | None
    title: str
    description: str
    drift_action: str  # flag, freeze, evacuate, stop
    is_supported: bool

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification(Model):
    """A classification.

    `title` and `description` are in the caller's language. `organization` null: the platform's. A classification that
    is not supported admits no zone. `drift_action`: the reaction when a location no longer satisfies it."""

    id: str
    organization: Named | None
    title: str
    description: str
    drift_action: str  # flag, freeze, evacuate, stop
    is_supported: bool

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalogue(Model):
    """All present statements with their history, in the format of import_catalogue (docs/reference/catalogue.md)."""

    schema: str
    generated_for: str
    sets: dict[str, Any]
    scheme_classes: dict[str, Any]
    parties: list[dict[str, Any]]
    regions: list[dict[str, Any]]
    zones: list[dict[str, Any]]
    statements: list[dict[str, Any]]

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Capacity(Model):
    """Capacity of a zone.

    `fits`: how many more of this flavor could be placed in the zone now, one after the other. `largest`: the largest
    possible instance; null: none."""

    zone: str
    flavor: str
    fits: int
    largest: dict[str, int] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Zone(Model):
    """A zone. `parties`: the known parties with a role in it."""

    facts: dict[str, Any]
    overdue: list[str]
    claimed: list[str]
    id: str
    region: str
    status: str  # open, draining, closed
    parties: list[ZoneParty]


@dataclass(frozen=True, kw_only=True, eq=False)
class ZoneParty(Model):
    """A legal entity and its role in the zone."""

    id: str
    name: str
    role: str
    has_technical_access: bool

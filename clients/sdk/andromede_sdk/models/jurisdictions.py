# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Jurisdiction(Model):
    """The law that applies to a zone. `statutes`: all foreign statutes that reach a party of the zone."""

    zone: str
    territory: str | None
    parties: list[Reach]
    statutes: list[str]
    is_complete: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach(Model):
    """A party of the zone: the law that applies to it, and the foreign statutes that reach it. null: not known."""

    party: str
    name: str
    role: str
    has_technical_access: bool
    statutory_seat: str | None
    ultimate_parent_country: str | None
    statutes: list[str] | None

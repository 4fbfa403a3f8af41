# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfer(Model):
    """A transfer out of the zone's territory. `attribute` is the fact that shows it."""

    locus: str
    attribute: str
    countries: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfers(Model):
    """Transfers: data of a zone that is stored, or can be accessed, outside its territory.

    `unknown`: attributes without facts, so that a transfer cannot be excluded."""

    zone: str
    territory: str | None
    transfers: list[Transfer]
    unknown: list[str]

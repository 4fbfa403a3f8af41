# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfer(Model):
    """What leaves the zone's territory. `attribute` is the fact that says so."""

    locus: str
    attribute: str
    countries: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfers(Model):
    """What of the data of a zone lies, or can be reached, outside its territory. `unknown`: attributes that nothing is
    known of, so that nobody can say there is no transfer."""

    zone: str
    territory: str | None
    transfers: list[Transfer]
    unknown: list[str]

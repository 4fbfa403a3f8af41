# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass

from andromede_sdk.model import Model


@dataclass(frozen=True, kw_only=True, eq=False)
class Limit(Model):
    """A limit.

    `available`: the amount left to the project, within what its organization has left; `bound_by`: the owner of the
    limit that restricts it."""

    dimension: str
    used: int
    limit: int
    available: int
    bound_by: str  # project, organization


@dataclass(frozen=True, kw_only=True, eq=False)
class Limits(Model):
    items: list[Limit]

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Atom, Layer, PolicyAction


@dataclass(frozen=True, kw_only=True, eq=False)
class Broken(Model):
    """An affected resource. `targets`: the zones that would still be admissible for it."""

    resource_id: str
    kind: str
    project: str
    zone: str
    failing: list[dict[str, str]]
    targets: list[str]


class ChangeInput(TypedDict):
    """A changed fact. `value` null: unknown."""

    subject_kind: str
    subject_id: str
    attribute: str
    value: Any


class LostInput(TypedDict):
    zone: str
    number: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LostZones(Model):
    project: str
    zones: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Policy(Model):
    """A policy.

    `version` 0: no policy was ever set. `inherited` are the policies of higher levels, which apply as well.
    `allowed_actions`: whether the caller may undo the last change, and until when."""

    level: str
    version: int
    atoms: list[Atom]
    inherited: list[Layer]
    created_at: datetime | None
    allowed_actions: list[PolicyAction]


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation(Model):
    """Result of a simulation.

    `broken`: resources whose location is admissible now and would not be. `lost_zones`: zones that a project's policies
    would no longer admit."""

    broken: list[Broken]
    lost_zones: list[LostZones]

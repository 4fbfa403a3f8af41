# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Layer


@dataclass(frozen=True, kw_only=True, eq=False)
class Interval(Model):
    """`role` compute: its memory and processors, while it runs; storage: a disk, from its creation to its erasure,
    whether its instance runs or not. `disk`: which root disk or volume that is. `state` proven: receipts of the node
    say so; claimed: a permit allows it and no receipt speaks of it. `end` null: still so. Empty ids: there is nothing
    to name."""

    role: str
    disk: str
    zone: str
    node: str
    start: datetime
    end: datetime | None
    decision: str
    permit: str
    open_receipt: str
    close_receipt: str
    state: str  # claimed, proven
    is_compliant: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Lineage(Model):
    """Data of `source_id`, since when, and the policies that came with it."""

    id: str
    source_id: str
    classifications: list[str]
    policies: list[Layer]
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Residency(Model):
    intervals: list[Interval]
    problems: list[ResidencyProblem]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidencyProblem(Model):
    """overlap: in two places at once; gap: data at rest was nowhere."""

    code: str  # overlap, gap
    role: str
    start: datetime
    end: datetime | None

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
    """An interval of residency.

    `role` compute: memory and processors of a running instance; storage: a disk, from its creation to its erasure or
    to the trash of its storage cluster, whether its instance runs or not; trash: a disk or snapshot there, until its
    data is deleted; snapshot: a snapshot, in its pool and on no node; netedge: a public address, while an instance had
    it and ran, or while the node was the gateway of the network that had it. `disk`: the root disk or volume.
    `instance`: the one with the public address. `state` proven: receipts of the node or the storage agent prove it;
    claimed: a permit allows it, or the node was the gateway, and no receipt confirms it. `end` null: it still lasts.
    Empty ids: not applicable."""

    role: str
    disk: str
    instance: str
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
    """Lineage of a resource: the data of `source_id`, since when, and the policies inherited with it."""

    id: str
    source_id: str
    classifications: list[str]
    policies: list[Layer]
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Residency(Model):
    """Residency of a resource.

    `next_to` null: that is all. A moment: a public address had more instances and networks than one answer has, and
    these are the last of the period; the same request with this moment as `to` has the ones before."""

    intervals: list[Interval]
    problems: list[ResidencyProblem]
    next_to: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidencyProblem(Model):
    """A contradiction. overlap: data was in two zones at once; gap: data at rest was in no zone."""

    code: str  # overlap, gap
    role: str
    start: datetime
    end: datetime | None

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Named
    from andromede_sdk.models.nodes import DrainGuest


@dataclass(frozen=True, kw_only=True, eq=False)
class Drain(Model):
    """A drain with its guests, in the order of the plan."""

    id: str
    node: Named
    kind: str  # drain, recover
    state: str  # running, paused, blocked, done, cancelled
    plan: str
    fallback: str  # leave, stop
    at_once: int
    deadline_s: int | None
    convergence: str  # auto_converge, none
    reason: str
    counts: dict[str, int]
    progress: int
    is_waiting_for_node: bool
    volumes: int
    created_by: str | None
    created_at: datetime
    finished_at: datetime | None
    guests: list[DrainGuest]


@dataclass(frozen=True, kw_only=True, eq=False)
class DrainSummary(Model):
    """A drain.

    `kind`: drain, of a working node, or recover, of a fenced one. `counts`: guests by state; `progress`: percentage of
    guests that have left or are off. `deadline_s` (null: by the size of each guest), `convergence`: of each migration.
    `is_waiting_for_node`: the node is unreachable, and no further guest is moved."""

    id: str
    node: Named
    kind: str  # drain, recover
    state: str  # running, paused, blocked, done, cancelled
    plan: str
    fallback: str  # leave, stop
    at_once: int
    deadline_s: int | None
    convergence: str  # auto_converge, none
    reason: str
    counts: dict[str, int]
    progress: int
    is_waiting_for_node: bool
    volumes: int
    created_by: str | None
    created_at: datetime
    finished_at: datetime | None

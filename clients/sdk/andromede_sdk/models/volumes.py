# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, IoLimits, Named, RelocationZone
    from andromede_sdk.models.operations import Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class RetypePlan(Model):
    """The effect of another type. `copied_gib` are copied to its place, and then erased where they are now; 0: the
    volume stays in its place, and gets other limits.

    `pool`, `new_pool`: empty for the own disk of a node. Id, name, labels and attachment of the volume stay, and so do
    its policies. `instance` has the volume. `is_online`: it runs on while the data is copied, and is paused for an
    instant at the end; otherwise one that is moved is not started until the end."""

    volume: Named
    volume_type: str
    new_volume_type: str
    pool: str
    new_pool: str
    copied_gib: int
    is_online: bool
    max_mb_per_s: int
    instance: Named | None


@dataclass(frozen=True, kw_only=True, eq=False)
class RevertPlan(Model):
    """The effect of a revert: all that was written to the volume after `lost_since` is lost.

    `size_gib`: the volume's size, which stays; `snapshot_size_gib`: its size when the snapshot was taken.
    `younger_snapshots` of the volume stay. `instance` has the volume, and is off."""

    volume: Named
    snapshot: Named
    lost_since: datetime
    size_gib: int
    snapshot_size_gib: int
    younger_snapshots: list[YoungerSnapshot]
    instance: Named | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume(Model):
    """A volume. `snapshot`: it was made from it. `instance` has it attached, or is getting it; `is_multi_attach`:
    several can have it at once, and `instances` are all of them, `instance` the first.

    `zone` null, and the condition `bound` false: it has no place yet, and gets one when it is first attached."""

    id: str
    name: str
    state: str  # building, available, in-use, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    size_gib: int
    volume_type: str
    limits: IoLimits
    image: Named | None
    snapshot: str | None
    classifications: list[str]
    zone: str | None
    is_multi_attach: bool
    instance: Named | None
    instances: list[Named]


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeAction(Model):
    """An action. `problem`: the error that the action would give now."""

    name: str  # snapshot, revert, move, relocate, delete, image
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeRelocationPlan(Model):
    """Preview of a relocation.

    `zone`: the present one; null: none. `zones`: all others. `copied_gib` are sent to the other zone and then erased in
    this one; the volume cannot be used meanwhile. Its id, name, type, labels, classifications and policies stay."""

    volume: Named
    zone: str | None
    copied_gib: int
    zones: list[RelocationZone]


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeWithActions(Model):
    """A volume. `snapshot`: it was made from it. `instance` has it attached, or is getting it; `is_multi_attach`:
    several can have it at once, and `instances` are all of them, `instance` the first.

    `zone` null, and the condition `bound` false: it has no place yet, and gets one when it is first attached.
    `allowed_actions`: some of the actions, and whether they are possible in its state; the caller also needs
    permission."""

    id: str
    name: str
    state: str  # building, available, in-use, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    size_gib: int
    volume_type: str
    limits: IoLimits
    image: Named | None
    snapshot: str | None
    classifications: list[str]
    zone: str | None
    is_multi_attach: bool
    instance: Named | None
    instances: list[Named]
    allowed_actions: list[VolumeAction]


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeWithOperation(Model):
    """A volume. `snapshot`: it was made from it. `instance` has it attached, or is getting it; `is_multi_attach`:
    several can have it at once, and `instances` are all of them, `instance` the first.

    `zone` null, and the condition `bound` false: it has no place yet, and gets one when it is first attached."""

    id: str
    name: str
    state: str  # building, available, in-use, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    size_gib: int
    volume_type: str
    limits: IoLimits
    image: Named | None
    snapshot: str | None
    classifications: list[str]
    zone: str | None
    is_multi_attach: bool
    instance: Named | None
    instances: list[Named]
    operation: Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class YoungerSnapshot(Model):
    """A resource: its id and its present name."""

    id: str
    name: str
    taken_at: datetime

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Condition, Error, Named
    from andromede_sdk.models.operations import Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot(Model):
    """A snapshot of a volume.

    `schedule`: what took it; null: a request, or a schedule that is deleted. `size_gib`: of the volume at that
    moment. `consistency`: `crash`, as after a power cut, or `filesystem`: file systems were frozen, or unmounted by a
    shutdown. `group`: common to the snapshots of an instance's disks that were taken at one moment; null: it was taken
    alone. `instance`: the id of the instance that had the disk then, if the snapshot was taken of the instance or with
    its file systems frozen. `taken_at`: null until the storage cluster has taken it. `expires_at`: when it is deleted;
    null: never."""

    id: str
    name: str
    state: str  # building, available, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    volume: Named
    schedule: Named | None
    zone: str
    size_gib: int
    consistency: str
    group: str | None
    instance: str | None
    classifications: list[str]
    taken_at: datetime | None
    expires_at: datetime | None
    created_by: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class SnapshotAction(Model):
    """An action. `problem`: the error that the action would give now."""

    name: str  # create-volume, revert, delete, image
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class SnapshotWithActions(Model):
    """A snapshot of a volume.

    `schedule`: what took it; null: a request, or a schedule that is deleted. `size_gib`: of the volume at that
    moment. `consistency`: `crash`, as after a power cut, or `filesystem`: file systems were frozen, or unmounted by a
    shutdown. `group`: common to the snapshots of an instance's disks that were taken at one moment; null: it was taken
    alone. `instance`: the id of the instance that had the disk then, if the snapshot was taken of the instance or with
    its file systems frozen. `taken_at`: null until the storage cluster has taken it. `expires_at`: when it is deleted;
    null: never. `allowed_actions`: the actions possible in its state and its volume's; the caller also needs
    permission."""

    id: str
    name: str
    state: str  # building, available, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    volume: Named
    schedule: Named | None
    zone: str
    size_gib: int
    consistency: str
    group: str | None
    instance: str | None
    classifications: list[str]
    taken_at: datetime | None
    expires_at: datetime | None
    created_by: str | None
    allowed_actions: list[SnapshotAction]


@dataclass(frozen=True, kw_only=True, eq=False)
class SnapshotWithOperation(Model):
    """A snapshot of a volume.

    `schedule`: what took it; null: a request, or a schedule that is deleted. `size_gib`: of the volume at that
    moment. `consistency`: `crash`, as after a power cut, or `filesystem`: file systems were frozen, or unmounted by a
    shutdown. `group`: common to the snapshots of an instance's disks that were taken at one moment; null: it was taken
    alone. `instance`: the id of the instance that had the disk then, if the snapshot was taken of the instance or with
    its file systems frozen. `taken_at`: null until the storage cluster has taken it. `expires_at`: when it is deleted;
    null: never."""

    id: str
    name: str
    state: str  # building, available, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    volume: Named
    schedule: Named | None
    zone: str
    size_gib: int
    consistency: str
    group: str | None
    instance: str | None
    classifications: list[str]
    taken_at: datetime | None
    expires_at: datetime | None
    created_by: str | None
    operation: Operation

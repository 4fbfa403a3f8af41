# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.attachments import Attachment
    from andromede_sdk.models.common import Condition, Error, Named
    from andromede_sdk.models.operations import Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Action(Model):
    """`problem`: with which it would be refused now."""

    name: str  # start, shutdown, power-off, reboot, reset, resize, rebuild, attach, detach
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Address(Model):
    network: Named
    ip: str
    mac: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Console(Model):
    """`url`: where a websocket opens it, once and before `expires_at`; a path of this server, or whole."""

    id: str
    kind: str  # serial, vnc
    is_read_only: bool
    url: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance(Model):
    """`state` is what is meant to be, `power_state` what its node last said, at `power_state_at`."""

    id: str
    name: str
    state: str  # building, active, stopped, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    power_state: str  # unknown, running, off, paused, crashed
    power_state_at: datetime | None
    zone: str | None
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: Named
    root_volume_type: str
    affinity_group: Named | None
    restart_policy: str  # on-failure, never
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceWithActions(Model):
    """`state` is what is meant to be, `power_state` what its node last said, at `power_state_at`. `allowed_actions`:
    what it can be made to do in the state that it is in; who may is another matter."""

    id: str
    name: str
    state: str  # building, active, stopped, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    power_state: str  # unknown, running, off, paused, crashed
    power_state_at: datetime | None
    zone: str | None
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: Named
    root_volume_type: str
    affinity_group: Named | None
    restart_policy: str  # on-failure, never
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]
    allowed_actions: list[Action]


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceWithOperation(Model):
    """`state` is what is meant to be, `power_state` what its node last said, at `power_state_at`."""

    id: str
    name: str
    state: str  # building, active, stopped, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    power_state: str  # unknown, running, off, paused, crashed
    power_state_at: datetime | None
    zone: str | None
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: Named
    root_volume_type: str
    affinity_group: Named | None
    restart_policy: str  # on-failure, never
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]
    operation: Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Migration(Model):
    """`destination`: null until one is chosen. `wished`: the only node that was to do. `total_bytes`, `moved_bytes`: of
    memory and disks. `pause_ms`: how long the guest stood still; null until it has arrived."""

    id: str
    state: str  # placing, preparing, moving, arrived, done, failed, cancelled
    source: Named
    destination: Named | None
    wished: Named | None
    operation: str
    reason: str
    total_bytes: int
    moved_bytes: int
    pause_ms: int | None
    error: Error | None
    created_at: datetime
    arrived_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class MigrationPlan(Model):
    """`node`: where it is; null while it is nowhere. `is_off`: it would move as one that is off, and stay so. `nodes`:
    those that would take it now, the best first, at most fifty. `reasons`: why it cannot be moved; then there are no
    nodes."""

    instance: Named
    project: Named
    node: Named | None
    is_off: bool
    nodes: list[Named]
    reasons: list[Error]

# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.attachments import Attachment
    from andromede_sdk.models.common import Condition, Error, IoLimits, Named, RelocationZone
    from andromede_sdk.models.operations import Operation
    from andromede_sdk.models.snapshots import Snapshot


@dataclass(frozen=True, kw_only=True, eq=False)
class Action(Model):
    """An action. `problem`: the error that the action would give now.

    `snapshot` is allowed if any disk can have snapshots; a request without `volumes` is refused if one of them cannot."""

    name: str  # start, shutdown, power-off, reboot, reset, resize, relocate, rebuild, attach, detach, attach-por
    is_allowed: bool
    problem: Error | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Address(Model):
    network: Named
    port: AddressPort
    ip: str
    mac: str


@dataclass(frozen=True, kw_only=True, eq=False)
class AddressPort(Model):
    """A port. `is_own`: it was created by itself."""

    id: str
    name: str
    is_own: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Console(Model):
    """A console ticket.

    `url`: the address of the websocket, valid once and before `expires_at`; a path of this server, or a full URL."""

    id: str
    kind: str  # serial, vnc
    is_read_only: bool
    url: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance(Model):
    """An instance.

    `state` is the desired state, `power_state` the observed one, reported by the node at `power_state_at`.
    `guest_agent`: if qemu-guest-agent in the running guest is connected. `keep_root_volume`: the root disk is a volume,
    which is kept when the instance is deleted."""

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
    guest_agent: str  # unknown, connected, disconnected
    zone: str | None
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: Named
    max_volumes: int
    root_volume_type: str
    root_limits: IoLimits
    keep_root_volume: bool
    affinity_group: Named | None
    restart_policy: str  # on-failure, never
    metadata: str  # token, open, off
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceSnapshotsWithOperation(Model):
    """Snapshots of the disks of an instance that are taken at one moment: all of them, or none."""

    group: str
    consistency: str
    snapshots: list[Snapshot]
    operation: Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceWithActions(Model):
    """An instance.

    `state` is the desired state, `power_state` the observed one, reported by the node at `power_state_at`.
    `guest_agent`: if qemu-guest-agent in the running guest is connected. `keep_root_volume`: the root disk is a volume,
    which is kept when the instance is deleted.
    `allowed_actions`: the actions possible in its state; the caller also needs permission."""

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
    guest_agent: str  # unknown, connected, disconnected
    zone: str | None
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: Named
    max_volumes: int
    root_volume_type: str
    root_limits: IoLimits
    keep_root_volume: bool
    affinity_group: Named | None
    restart_policy: str  # on-failure, never
    metadata: str  # token, open, off
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]
    allowed_actions: list[Action]


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceWithOperation(Model):
    """An instance.

    `state` is the desired state, `power_state` the observed one, reported by the node at `power_state_at`.
    `guest_agent`: if qemu-guest-agent in the running guest is connected. `keep_root_volume`: the root disk is a volume,
    which is kept when the instance is deleted."""

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
    guest_agent: str  # unknown, connected, disconnected
    zone: str | None
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    image: Named
    max_volumes: int
    root_volume_type: str
    root_limits: IoLimits
    keep_root_volume: bool
    affinity_group: Named | None
    restart_policy: str  # on-failure, never
    metadata: str  # token, open, off
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]
    operation: Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Migration(Model):
    """A migration.

    `destination`: null until one is chosen. `wished`: the requested destination. `total_bytes`, `moved_bytes`: of
    memory and disks. `pause_ms`: how long the guest was paused; null until it has arrived."""

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
    """Preview of a migration.

    `node`: the present node; null: none. `is_off`: a cold migration, after which the guest stays off. `nodes`: possible
    destinations, the best first, at most fifty. `reasons`: why it cannot be moved; then `nodes` is empty."""

    instance: Named
    project: Named
    node: Named | None
    is_off: bool
    nodes: list[Named]
    reasons: list[Error]


@dataclass(frozen=True, kw_only=True, eq=False)
class RelocationPlan(Model):
    """Preview of a relocation.

    `zone`: the present one; null: none. `zones`: all others. `copied_gib`: of disks that are sent to the other zone
    and then erased in this one; the instance stays off meanwhile. Its id, name, labels, classifications, policies,
    volumes and addresses in private networks stay. In the other zone it reaches only those on its networks that are
    there, too: no frame goes from zone to zone. `egress_networks`: its networks with an egress address in the present
    zone, which it leaves."""

    instance: Named
    zone: str | None
    copied_gib: int
    egress_networks: list[str]
    zones: list[RelocationZone]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tunnel(Model):
    """A tunnel ticket.

    `address`: of the guest in its network. `url`: the address of the websocket, valid once and before `expires_at`; a
    path of this server, or a full URL."""

    id: str
    address: str
    tcp_port: int
    url: str
    expires_at: datetime

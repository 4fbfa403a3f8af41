# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.common import Error, Named, PlatformOperation


@dataclass(frozen=True, kw_only=True, eq=False)
class Amounts(Model):
    """Amounts; capacity = (total - reserved) · ratio, rounded down."""

    total: int
    reserved: int
    ratio: float
    capacity: int
    used: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Bmc(Model):
    """A BMC. `checked_at`: time of the last check; `problem`: its error."""

    address: str
    username: str
    certificate_sha256: str
    system_id: str
    checked_at: datetime | None
    problem: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class DrainGuest(Model):
    """A guest of a drain.

    `operation`: the operation that moves, stops or starts it. `reasons`: why it did not leave, was not or would not be
    started again, or what it waits for. `starts_again`: it is off because of the drain, and is started when the node is
    back in service, unless one of the `reasons` still applies."""

    instance: Named
    project: Named
    action: str  # migrate, stop, stay, leave, wait, evacuate
    target: Named | None
    reasons: list[Error]
    state: str  # waiting, moving, stopping, left, failed, off, starting, started, moved, gone
    operation: str | None
    tries: int
    starts_again: bool
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class DrainPlan(Model):
    """A plan of a drain.

    `digest` identifies the plan in the request for the drain. `counts`: guests by action. `volumes`: number of
    unattached volumes; they stay, and cannot be used during node maintenance."""

    node: Named
    digest: str
    fallback: str  # leave, stop
    counts: dict[str, int]
    volumes: int
    guests: list[PlannedGuest]


@dataclass(frozen=True, kw_only=True, eq=False)
class EvidenceAtHand(Model):
    """A kind of evidence, and whether it can fence the node now; `error` has the reason why not, and `since` the time
    from which it can, if only time is missing."""

    kind: str  # power, lease, attestation
    counts: bool
    error: Error | None
    since: datetime | None
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fence(Model):
    """Result of fencing. `evidence` exists already, or `operation` will produce it."""

    node: Node
    evidence: FenceEvidence | None
    operation: PlatformOperation | None


@dataclass(frozen=True, kw_only=True, eq=False)
class FenceEvidence(Model):
    """Proof that the node is inactive.

    `detail`: the observation; `by`: the actor who attested or requested it; `boot`: the boot of the node that it ends."""

    id: str
    kind: str  # power, lease, attestation
    reason: str
    detail: dict[str, Any]
    boot: str
    by: str | None
    operation: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Fencing(Model):
    """Fencing state.

    `evidence`: of the last fencing; null: never fenced. `fences_within_s`: the time after the end of its node lease in
    which the node stops its guests, as last reported; null: no self-fencing. `leased_until`: the end of the last node
    lease. `storage_addresses`: those that storage clusters refuse when the node is fenced; `storage`: where they do."""

    at_hand: list[EvidenceAtHand]
    evidence: FenceEvidence | None
    fences_within_s: int | None
    leased_until: datetime | None
    storage_addresses: list[str]
    storage: list[StorageFence]


@dataclass(frozen=True, kw_only=True, eq=False)
class Inventory(Model):
    vcpus: Amounts
    memory_mib: Amounts
    disk_gib: Amounts


@dataclass(frozen=True, kw_only=True, eq=False)
class Node(Model):
    """A node.

    `state`: by its heartbeat. `duty`: the admin state, set by operators. `life`: the display state, which combines
    both. `is_cordoned`: it takes no new allocations, whatever the admin state."""

    id: str
    name: str
    zone: str
    address: str
    state: str  # enrolled, ready, unreachable
    duty: str  # in-service, cordoned, draining, maintenance, fenced, retired
    duty_reason: str
    duty_since: datetime
    life: str  # enrolled, ready, cordoned, draining, maintenance, unreachable, fenced, retired
    is_cordoned: bool
    cordon_reason: str
    last_heartbeat_at: datetime | None
    certificate_expires_at: datetime
    agent_version: str
    virt_type: str
    cpu_model: str
    traits: list[str]
    inventory: Inventory
    trust: Trust
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannedGuest(Model):
    """A guest in a plan of a drain.

    `start_obstacles`: why a stopped guest would not be started again if the node were returned now; empty: it is
    started again."""

    instance: Named
    project: Named
    action: str  # migrate, stop, stay, leave, wait, evacuate
    target: Named | None
    reasons: list[Error]
    start_obstacles: list[Error]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecoveryPlan(Model):
    """A plan of a node recovery.

    `digest` identifies the plan in the request for the recovery. `counts`: guests by action: evacuate (to another node;
    without a target no node is possible now, and the guest waits), stay (its disk is on the fenced node only, and
    returns with it) or wait (for its running operation). `volumes`: number of unattached volumes."""

    node: Named
    digest: str
    counts: dict[str, int]
    volumes: int
    guests: list[PlannedGuest]


@dataclass(frozen=True, kw_only=True, eq=False)
class StorageFence(Model):
    """A fence of the node in a storage cluster, which refuses the `addresses` until `expires_at`; it is renewed.

    `fenced_at`: null: the cluster has not answered yet. `problem`: why it does not refuse all addresses of the node:
    `no-address`, none is known; `shared-address`, another node has one too; `agent-address`, it is the storage agent's;
    `refused`, for another reason. Empty: none."""

    storage_cluster: Named
    addresses: list[str]
    fenced_at: datetime | None
    expires_at: datetime | None
    problem: str  # , no-address, shared-address, agent-address, refused


@dataclass(frozen=True, kw_only=True, eq=False)
class Trust(Model):
    """Trust documents that the node reported last, and whether libvirt asks its agent before a guest starts."""

    keyset_version: int
    charter_version: int
    deny_version: int
    facts_epoch: int
    is_clock_kept: bool
    hook_problem: str
    attested_at: datetime | None
    is_attested: bool

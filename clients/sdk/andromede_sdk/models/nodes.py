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
    """capacity = (total - reserved) · ratio, rounded down."""

    total: int
    reserved: int
    ratio: float
    capacity: int
    used: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Bmc(Model):
    """`checked_at`: when it was last asked; `problem`: what was wrong then."""

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
    """`operation`: what moves, stops or starts it. `reasons`: why it did not leave, or was not or would not be started
    again, or what it waits for. `starts_again`: it is off because of the drain, and is started when the node takes
    guests again, unless one of the `reasons` still holds."""

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
    """`digest` names the plan when the drain is asked for. `counts`: guests by action. `volumes`: so many are plugged
    into nothing; they stay, and cannot be used during maintenance."""

    node: Named
    digest: str
    fallback: str  # leave, stop
    counts: dict[str, int]
    volumes: int
    guests: list[PlannedGuest]


@dataclass(frozen=True, kw_only=True, eq=False)
class EvidenceAtHand(Model):
    """A kind of evidence, and whether the node could be fenced by it now; `error` says why not, and `since` from when
    on, where only time is missing."""

    kind: str  # power, lease, attestation
    counts: bool
    error: Error | None
    since: datetime | None
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fence(Model):
    """`evidence` is there at once, or is what `operation` is to get."""

    node: Node
    evidence: FenceEvidence | None
    operation: PlatformOperation | None


@dataclass(frozen=True, kw_only=True, eq=False)
class FenceEvidence(Model):
    """How it is known that the node does nothing any more. `detail`: what was seen; `by`: who said so, or asked for it;
    `boot`: the boot of the node that is over with it."""

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
    """`evidence`: by which it was fenced last; null: it never was. `fences_within_s`: so long after the end of its
    lease the node has stopped its guests, as it last said; null: it does not see to that by itself. `leased_until`: no
    lease that it was given lasts longer."""

    at_hand: list[EvidenceAtHand]
    evidence: FenceEvidence | None
    fences_within_s: int | None
    leased_until: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Inventory(Model):
    vcpus: Amounts
    memory_mib: Amounts
    disk_gib: Amounts


@dataclass(frozen=True, kw_only=True, eq=False)
class Node(Model):
    """`state`: whether it is heard. `duty`: what operators want of it. `life`: the one word that matters most of the
    two. `is_cordoned`: it takes nothing new, whatever the duty."""

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
    """The same with `start_obstacles`: why one that is stopped would not be started again, if the node were returned
    now; empty: it is started again."""

    instance: Named
    project: Named
    action: str  # migrate, stop, stay, leave, wait, evacuate
    target: Named | None
    reasons: list[Error]
    start_obstacles: list[Error]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecoveryPlan(Model):
    """`digest` names the plan when the recovery is asked for. `counts`: guests by action: evacuate (it is made again on
    another node; without a target no node may take it now, and it waits for one), stay (its disk is on the dead node
    alone, and comes back with it) or wait (for what works on it). `volumes`: so many are plugged into nothing."""

    node: Named
    digest: str
    counts: dict[str, int]
    volumes: int
    guests: list[PlannedGuest]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trust(Model):
    """What the node said last that it trusts, and whether libvirt asks its agent before a guest starts."""

    keyset_version: int
    charter_version: int
    deny_version: int
    facts_epoch: int
    is_clock_kept: bool
    hook_problem: str
    attested_at: datetime | None
    is_attested: bool

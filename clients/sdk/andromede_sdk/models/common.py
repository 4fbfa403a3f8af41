# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from andromede_sdk.model import Model
from andromede_sdk.waiting import PlatformWaitable

if TYPE_CHECKING:
    from andromede_sdk.models.users import User


@dataclass(frozen=True, kw_only=True, eq=False)
class Atom(Model):
    """A clause of a policy; its members depend on `op`."""

    id: str
    op: str
    attr: str | None
    value: Any
    scheme: str | None
    min_version: str | None
    level: str | None
    scope: str | None
    min_remaining_days: int | None
    roles: list[str] | None
    party_roles: list[str] | None
    only_with_technical_access: bool | None
    assertion_min: str | None
    waivable: bool | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Challenge(Model):
    """A challenge.

    `options` are for the browser's navigator.credentials.create() or .get(); bytes in them are base64url. Send the
    result together with `ceremony`."""

    ceremony: str
    options: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Clause(Model):
    """A clause that is not satisfied, and why (`code` and the observed value)."""

    level: str
    policy: str
    atom: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Compliance(Model):
    """Compliance of a resource.

    `since`: when the state began, as when a fact ended or a policy changed. `noticed_at`: when the platform detected
    it; null: before this was recorded. `fails_at`: from when the location is no longer admissible. `failing`: the
    clauses that fail then. `warned_days`: the latest warning before that, 180, 90, 30 or 7 days. `name`: of the
    resource; null: it is deleted."""

    resource_id: str
    name: str | None
    kind: str
    project: str
    zone: str
    state: str  # compliant, at-risk, drifted, remediating, exempted
    since: datetime
    noticed_at: datetime | None
    fails_at: datetime | None
    failing: list[Clause]
    warned_days: int | None
    action: str  # flag, freeze, evacuate, stop
    checked_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition(Model):
    type: str
    status: str  # true, false, unknown
    reason: str
    message: str
    changed_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ConflictingAtom(Model):
    level: str
    atom: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Contradicted(Model):
    """A policy, by its level and its owner's id, and the clauses that no zone can satisfy together."""

    level: str
    id: str
    atoms: list[ConflictingAtom]


@dataclass(frozen=True, kw_only=True, eq=False)
class CreatedBy(Model):
    user: str | None
    credential: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Deed(Model):
    """An audit entry.

    `actor` null: the platform itself, or a user of its machines; then `by` in `facts` names the Unix account and the
    command. `organization`: set if the entry is about no project."""

    verb: str
    resource: str
    project: str | None
    organization: str | None
    actor: str | None
    credential: str | None
    request_id: str
    facts: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Drifted(Model):
    """A resource whose location satisfies the present policy, but not this one."""

    resource_id: str
    kind: str
    project: str
    zone: str
    failing: list[Clause]


@dataclass(frozen=True, kw_only=True, eq=False)
class Error(Model):
    """The error that an operation ended with, in the caller's language."""

    code: str
    title: str
    detail: str
    retryable: bool
    blocking_operation: str | None
    placement_decision: str | None
    facts: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Grant(Model):
    project: Named | None
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer


@dataclass(frozen=True, kw_only=True, eq=False)
class Guest(Model):
    """An instance on a node: its owner and size. Other fields are visible to its project only."""

    id: str
    name: str
    project: Named
    organization: Named
    state: str  # building, active, stopped, error, deleted
    power_state: str  # unknown, running, off, paused, crashed
    power_state_at: datetime | None
    flavor: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldPublicAddress(Model):
    """A public address of any project, for operators.

    `released_at`: the project released it while it was suspended; its pool keeps it back until it is resumed."""

    id: str
    name: str
    state: str  # detached, pending, applied, suspended
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    reason: str  # , no-node, signing, sending, node-silent, node-problem, node-outdated
    ip: str
    family: str  # ipv4, ipv6
    pool: Named
    zone: str
    mode: str  # nat, routed
    port: Named | None
    network: Named | None
    instance: Named | None
    fixed_ip: str | None
    ptr: str
    suspended_at: datetime | None
    suspended_reason: str
    project: Named
    organization: Named
    released_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class IoLimits(Model):
    """Limits of a disk, of reads and writes together, each per second; null: no limit. 1 MB is 10^6 bytes."""

    iops: int | None
    mb_per_s: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer(Model):
    """The clauses of one policy, among those that apply together."""

    id: str
    level: str
    atoms: list[Atom]
    unsupported: bool | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Lint(Model):
    code: str
    atom: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Metrics(Model):
    """Series of metrics.

    All series have the same timestamps: from `since` on, one for each `resolution_s` seconds before `until`."""

    resolution_s: int
    since: datetime
    until: datetime
    series: list[Series]


@dataclass(frozen=True, kw_only=True, eq=False)
class Named(Model):
    """A resource: its id and its present name."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Part(Model):
    """An actor or credential: `name` is the e-mail address or the token's name, if it still exists."""

    id: str
    name: str | None


class PasskeyAnswerInput(TypedDict):
    """A response of a passkey. `credential` is the result of navigator.credentials, as its toJSON() writes it."""

    ceremony: str
    credential: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacementSimulation(Model):
    """Result of a simulated placement, which reserves nothing.

    `admitted_zones` also have free capacity; `policies` are all that were evaluated. `fits`: how many more of the same
    could be placed in each of these zones now, one after the other, if no other zone were requested; empty where no
    capacity is requested."""

    operation: str
    roles: list[str]
    is_admitted: bool
    explanation: list[str]
    admitted_zones: list[str]
    fits: dict[str, int]
    classifications: list[str]
    policies: list[Layer]
    facts_epoch: int
    valid_until: datetime | None
    document: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlatformOperation(PlatformWaitable):
    """An operation with its project and organization; null: the platform's own.

    `obstacle`: the error of its last try, while it waits for the next one."""

    id: str
    kind: str
    state: str  # pending, running, undoing, succeeded, failed, cancelled
    progress: int
    steps: list[Step]
    resources: list[str]
    resource_name: str
    created_by: CreatedBy
    request_id: str
    reason: str
    error: Error | None
    deadline: datetime
    cancellable: bool
    retry_of: str | None
    retried_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    project: Named | None
    organization: Named | None
    obstacle: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicyAction(Model):
    """An action.

    `problem`: the error that the action would give now. `until`: the end of the time in which it is possible."""

    name: str  # undo
    is_allowed: bool
    problem: Error | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicySet(Model):
    """The present policy, and the effect of the request on it: `change`; `atoms_added`, `atoms_removed`; `lint`,
    clauses without effect (`NO_EFFECT`), about copies that no operation makes yet (`NOT_ASKED`) or about measures that
    the operator declares and the platform does not enforce (`CLAIMED`); `newly_refused_zones`, where an instance or a
    volume could be created until now; `contradicted`, policies that can no longer be satisfied; `drifted`, resources
    whose location is no longer admissible; `proposal`, when it needs a second person."""

    level: str
    version: int
    atoms: list[Atom]
    inherited: list[Layer]
    created_at: datetime | None
    allowed_actions: list[PolicyAction]
    change: str  # same, tighter, looser, incomparable
    atoms_added: list[Atom]
    atoms_removed: list[Atom]
    lint: list[Lint]
    newly_refused_zones: list[str]
    contradicted: list[Contradicted]
    drifted: list[Drifted]
    proposal: Proposal | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PortAddress(Model):
    subnet: Named
    ip: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PortGroup(Model):
    """A security group of a port. `is_selected`: the group's selector alone selects the port."""

    id: str
    name: str
    is_selected: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposal(Model):
    """A proposal.

    `base_version`: the version in force when it was created; when another one comes into force, the proposal is
    superseded. `not_before`: the earliest time at which it comes into force after its approval. With a `resource_id` it
    does not change a policy, but removes from the resource's data `classifications` and entries of its `lineage`."""

    id: str
    level: str
    organization: Named | None
    project: Named | None
    classification: str | None
    resource_id: str | None
    classifications: list[str]
    lineage: list[str]
    base_version: int
    change: str  # same, tighter, looser, incomparable
    atoms: list[Atom]
    reason: str
    state: str  # proposed, approved, applied, withdrawn
    proposed_by: str
    approved_by: str | None
    not_before: datetime | None
    created_at: datetime
    updated_at: datetime


class QuotaLimitsInput(TypedDict):
    """A limit per dimension."""

    instances: NotRequired[int]
    vcpus: NotRequired[int]
    memory_mib: NotRequired[int]
    volumes: NotRequired[int]
    storage_gib: NotRequired[int]
    snapshots: NotRequired[int]
    snapshot_gib: NotRequired[int]
    snapshot_schedules: NotRequired[int]
    networks: NotRequired[int]
    ports: NotRequired[int]
    addresses: NotRequired[int]
    security_groups: NotRequired[int]
    public_addresses: NotRequired[int]
    address_sets: NotRequired[int]
    images: NotRequired[int]
    image_gib: NotRequired[int]
    state_mib: NotRequired[int]
    webhooks: NotRequired[int]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecoveryCodes(Model):
    """Recovery codes, in this response only. Each is valid once, in place of a code. Keep them apart from the phone."""

    recovery_codes: list[str] = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class RelocationZone(Model):
    """A possible zone. `reasons`: why it does not admit the instance now; empty where it does."""

    zone: str
    is_admitted: bool
    reasons: list[Error]


@dataclass(frozen=True, kw_only=True, eq=False)
class RequestRecord(Model):
    """A request record.

    `verb` is the operationId of the route; `outcome` unknown: the process ended during the request. `deeds`: the audit
    entries of the request. `is_in_evidence`: the evidence log covers the record."""

    id: str
    opened_at: datetime
    completed_at: datetime
    actor: Part | None
    credential: Part | None
    organization: str | None
    project: str | None
    address: str | None
    request_id: str
    verb: str
    method: str
    path: str
    is_dry_run: bool
    outcome: str  # succeeded, refused, failed, unknown
    status: int | None
    error_code: str
    operation: str | None
    resources: list[str]
    duration_ms: int | None
    deeds: list[Deed]
    is_in_evidence: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Series(Model):
    """A series. `points`: pairs of the beginning of an interval and its value; null: no value.

    `rule_id`: the rule of a security group that the series of a port is about; null: of none."""

    name: str
    unit: str
    points: list[list[Any]]
    rule_id: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionWithSecret(Model):
    """A new session.

    `secret` is in this response only: it is not stored. `needs_second_factor`: the session can only add or prove a
    second factor."""

    id: str
    is_current: bool
    methods: list[str]
    is_two_factor: bool
    address: str | None
    user_agent: str
    created_at: datetime
    proved_at: datetime
    last_used_at: datetime
    expires_at: datetime
    secret: str = field(repr=False)
    needs_second_factor: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class StaticRoute(Model):
    """A route of the guests, beside the default route to the gateway."""

    destination: str
    next_hop: str


class StaticRouteInput(TypedDict):
    """A route of the guests: to an IPv4 range outside the subnet, by an address of the subnet."""

    destination: str
    next_hop: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Step(Model):
    """A step.

    `message`: of its last try. `tries`: the errors of the last tries, if they failed. `progress`: of the step itself,
    in percent, if known while it waits."""

    name: str
    state: str
    attempts: int
    message: str | None
    started_at: datetime | None
    finished_at: datetime | None
    tries: list[Try] | None
    progress: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenWithSecret(Model):
    """A new token. `secret` is in this response only: it is not stored."""

    id: str
    name: str
    user: User | None
    service_account: Named | None
    project: Named | None
    role: str
    follows_owner: bool
    is_platform: bool
    verbs: list[str] | None
    kinds: list[str] | None
    projects: list[str] | None
    prefix: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_from: str | None
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Try(Model):
    """An error of a step, with its number of consecutive occurrences."""

    state: str
    message: str
    times: int
    first_at: datetime
    last_at: datetime

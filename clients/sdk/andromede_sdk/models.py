# Made from docs/reference/openapi.json by `make clients`.
"""The things that the API answers, and the ones inside bodies that are not plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from andromede_sdk.model import Model
from andromede_sdk.waiting import Waitable


@dataclass(frozen=True, kw_only=True, eq=False)
class Address(Model):
    network: Named
    ip: str
    mac: str


@dataclass(frozen=True, kw_only=True, eq=False)
class AffinityGroup(Model):
    id: str
    name: str
    state: str  # ready
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    rule: str  # affinity, anti-affinity
    is_strict: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Amounts(Model):
    """capacity = (total - reserved) · ratio, rounded down."""

    total: int
    reserved: int
    ratio: float
    capacity: int
    used: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Atom(Model):
    """One clause; which members it has depends on `op`."""

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
class Attachment(Model):
    """`is_plugged`: the guest has it."""

    id: str
    volume: Named
    size_gib: int
    is_read_only: bool
    is_plugged: bool
    generation: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class AttachmentWithOperation(Model):
    """`is_plugged`: the guest has it."""

    id: str
    volume: Named
    size_gib: int
    is_read_only: bool
    is_plugged: bool
    generation: int
    created_at: datetime
    operation: Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempt(Model):
    """`error`: empty; `status`: no 2xx; `timeout`; `unreachable`: no connection, or none that is safe; `refused`: it
    leads where nothing is sent; `unsigned`: the secret cannot be read. The answer's body is not kept."""

    at: datetime
    status_code: int | None
    duration_ms: int
    error: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Begun(Model):
    """Send the browser to `authorization_url`. Keep `binding` where only this sign-in reaches it: it is in this answer
    alone, and completes it."""

    authorization_url: str
    binding: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Broken(Model):
    """`targets`: the zones that would still be admissible to it."""

    resource_id: str
    kind: str
    project: str
    zone: str
    failing: list[dict[str, str]]
    targets: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Capacity(Model):
    """`fits`: so many more of this flavor could be placed in the zone now, one after the other. `largest`: the most
    that one instance could get there; null: nothing."""

    zone: str
    flavor: str
    fits: int
    largest: dict[str, int] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Catalogue(Model):
    """What is believed now of all times, in the form that import_catalogue takes (docs/reference/catalogue.md)."""

    schema: str
    generated_for: str
    sets: dict[str, Any]
    scheme_classes: dict[str, Any]
    parties: list[dict[str, Any]]
    regions: list[dict[str, Any]]
    zones: list[dict[str, Any]]
    statements: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Challenge(Model):
    """`options` go to the browser's navigator.credentials.create() or .get(); bytes in them are base64url. What it
    answers is sent with `ceremony`."""

    ceremony: str
    options: dict[str, Any]
    expires_at: datetime


class ChangeInput(TypedDict):
    """`value` null: it is not known."""

    subject_kind: str
    subject_id: str
    attribute: str
    value: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Classification(Model):
    """`title` and `description` in the caller's language. `organization` null: the platform's. One that is not
    supported admits no place at all. `drift_action`: what happens when a place does not satisfy it any more."""

    id: str
    organization: Named | None
    title: str
    description: str
    drift_action: str  # flag, freeze, evacuate, stop
    is_supported: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Clause(Model):
    """A clause that does not hold, and why (`code` and what was found)."""

    level: str
    policy: str
    atom: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Compliance(Model):
    """`fails_at`: from when it is not admissible any more. `failing`: the clauses, as of then. `warned_days`: the
    shortest of 180, 90, 30 and 7 days before that has begun."""

    resource_id: str
    kind: str
    project: str
    zone: str
    state: str  # compliant, at-risk, drifted, remediating, exempted
    since: datetime
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
class Credential(Model):
    """`kind`: token or session."""

    id: str
    kind: str
    name: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision(Model):
    """`explanation`: sentences in the caller's language. `document` is the decision itself, and names nodes to
    operators alone."""

    id: str
    operation: str
    resource: str
    is_admitted: bool
    classifications: list[str]
    created_at: datetime
    explanation: list[str]
    document: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Deed(Model):
    """Something that was done. `actor` null: by the platform itself."""

    verb: str
    resource: str
    project: str | None
    actor: str | None
    credential: str | None
    request_id: str
    facts: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class DeliveredEvent(Model):
    id: str
    kind: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Delivery(Model):
    """`attempts`: the last ones, the newest at the end."""

    id: str
    event: DeliveredEvent
    state: str  # pending, succeeded, failed
    attempts: list[Attempt]
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Drifted(Model):
    """A resource that may be where it is by what was in force, and may not by this policy."""

    resource_id: str
    kind: str
    project: str
    zone: str
    failing: list[Clause]


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry(Model):
    """Hashes in hex. `prev` is the leaf of the record before in its stream, and empty for the first."""

    content: str
    prev: str
    seq: int
    stream: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Error(Model):
    """The failure that an operation ended with, in the caller's language."""

    code: str
    title: str
    detail: str
    retryable: bool
    blocking_operation: str | None
    placement_decision: str | None
    facts: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Event(Model):
    """Something that has happened. `id` is the same wherever the event is told, so that it can be known again. `cursor`
    is the place behind it. What `data` has, docs/reference/events.md says for each kind."""

    id: str
    kind: str
    created_at: datetime
    cursor: str
    project: str | None
    organization: str | None
    resource: EventResource
    operation: str | None
    actor: EventActor
    request_id: str
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class EventActor(Model):
    user: str | None
    credential: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class EventResource(Model):
    kind: str
    id: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Events(Model):
    """`cursor`: where to go on, also when there are no items. `has_more`: there is more already."""

    items: list[Event]
    cursor: str
    has_more: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class ExemptedClause(Model):
    """`clause`: policy/atom, which would have refused."""

    clause: str
    approved: int
    uses: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Exemption(Model):
    """`to_sign`: per duty the bytes that you would sign (base64), if you may approve it."""

    id: str
    project: str
    resource_ids: list[str]
    operation: str
    zone: str
    waived: list[str]
    reason: str
    requested_by: str
    not_before: datetime
    expires_at: datetime
    max_uses: int
    use_count: int
    approvals: list[ExemptionApproval]
    to_sign: dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExemptionApproval(Model):
    approver: str
    duty: str  # sovereignty_officer, duty_operator
    key_id: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ExemptionReport(Model):
    """Of the exemptions that you see. `approved`: that two people signed and that held at some time of the quarter;
    `duration_s`: for how long, within it, all together. `used`: how many of them were, `uses`: how often."""

    quarter: str
    begins_at: datetime
    ends_at: datetime
    asked: int
    approved: int
    duration_s: int
    used: int
    uses: int
    clauses: list[ExemptedClause]


@dataclass(frozen=True, kw_only=True, eq=False)
class Export(Model):
    """`file` is there once the state is ready, and until `expires_at`; `sha256` (hex) and `size_bytes` are the
    file's."""

    id: str
    organization: Named
    state: str  # waiting, running, ready, failed
    size_bytes: int | None
    sha256: str
    expires_at: datetime | None
    error: Error | None
    created_at: datetime
    from_: datetime
    to: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Fact(Model):
    """A statement as it was signed, and when it was believed: from `stated_at` until `superseded_at`."""

    id: str
    subject_kind: str  # zone, party, set, scheme_class, region, node, pool
    subject_id: str
    attribute: str
    value: Any
    valid_from: datetime
    valid_to: datetime | None
    attested_at: datetime
    review_by: datetime
    assertion: str  # self_declared, third_party, certificate, measured
    evidence_sha256: str
    author: str
    key_id: str
    signature: str
    stated_at: datetime
    superseded_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class FactsStated(Model):
    """`epoch`: in which they count. `unchanged`: how many were believed already."""

    epoch: int
    stated: list[Fact]
    superseded: int
    unchanged: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Flavor(Model):
    id: str
    vcpus: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Grant(Model):
    project: Named | None
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer


class GrantInput(TypedDict):
    """`project`: its id or name; without one, everywhere in the organization."""

    project: NotRequired[str]
    role: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Health(Model):
    status: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Identity(Model):
    """Whom the provider `issuer` calls `subject` is you."""

    id: str
    issuer: str
    subject: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Image(Model):
    id: str
    name: str
    state: str  # awaiting-upload, importing, verifying, available, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    is_public: bool
    format: str  # qcow2, raw
    firmware: str  # bios, uefi
    sha256: str
    size_bytes: int | None
    virtual_size_bytes: int | None
    min_memory_mib: int
    min_disk_gib: int
    source_url: str
    classifications: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageWithOperation(Model):
    id: str
    name: str
    state: str  # awaiting-upload, importing, verifying, available, error, deleted
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    is_public: bool
    format: str  # qcow2, raw
    firmware: str  # bios, uefi
    sha256: str
    size_bytes: int | None
    virtual_size_bytes: int | None
    min_memory_mib: int
    min_disk_gib: int
    source_url: str
    classifications: list[str]
    operation: Operation | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Incident(Model):
    """Something on the node that should not be. It is left as it is; `ended_at`: since when it is not seen any more."""

    id: str
    kind: str
    name: str
    facts: dict[str, Any]
    created_at: datetime
    seen_at: datetime
    ended_at: datetime | None


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
    affinity_group: Named | None
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]


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
    affinity_group: Named | None
    classifications: list[str]
    addresses: list[Address]
    attachments: list[Attachment]
    operation: Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Interval(Model):
    """`state` proven: receipts of the node say so; claimed: a permit allows it and no receipt speaks of it. `end` null:
    still so. Empty ids: there is nothing to name."""

    role: str
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
class Inventory(Model):
    vcpus: Amounts
    memory_mib: Amounts
    disk_gib: Amounts


@dataclass(frozen=True, kw_only=True, eq=False)
class Invitation(Model):
    id: str
    organization: Named
    email: str
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer
    invited_by: User | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class InvitationWithToken(Model):
    """`token` is in this answer alone. No mail is sent: pass it on to whom you invite."""

    id: str
    organization: Named
    email: str
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer
    invited_by: User | None
    created_at: datetime
    expires_at: datetime
    token: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Jurisdiction(Model):
    """Under which law a zone stands. `statutes`: all foreign ones that reach a party of it."""

    zone: str
    territory: str | None
    parties: list[Reach]
    statutes: list[str]
    is_complete: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer(Model):
    """The clauses of one policy, among those that hold together."""

    id: str
    level: str
    atoms: list[Atom]
    unsupported: bool | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Limit(Model):
    """`available`: how much more the project can have, with what its organization has left; `bound_by`: whose limit
    that is."""

    dimension: str
    used: int
    limit: int
    available: int
    bound_by: str  # project, organization


@dataclass(frozen=True, kw_only=True, eq=False)
class Limits(Model):
    items: list[Limit]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lineage(Model):
    """Data of `source_id`, since when, and the policies that came with it."""

    id: str
    source_id: str
    classifications: list[str]
    policies: list[Layer]
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Lint(Model):
    code: str
    atom: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Lock(Model):
    ID: str
    Operation: str
    Info: str
    Who: str
    Version: str
    Created: str
    Path: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LockProblem(Model):
    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    request_id: str
    errors: list[ProblemError]
    facts: dict[str, Any] | None
    blocking_operation: str | None
    placement_decision: str | None
    ID: str
    Operation: str
    Info: str
    Who: str
    Version: str
    Created: str
    Path: str


class LostInput(TypedDict):
    zone: str
    number: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LostZones(Model):
    project: str
    zones: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Me(Model):
    """What this credential is: a user's or a service account's. `duty`: for the platform. `project`: the one that it is
    for; null: it is for all of `memberships` and `grants`."""

    user: User | None
    service_account: Named | None
    duty: str
    credential: Credential
    project: Named | None
    memberships: list[Membership]
    grants: list[Grant]
    scope: Scope


@dataclass(frozen=True, kw_only=True, eq=False)
class Member(Model):
    user: User
    organization: Named
    role: str  # owner, admin, member, viewer, billing, sovereignty_officer
    generation: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Membership(Model):
    organization: Named
    role: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Methods(Model):
    """What one can prove oneself with. `is_second_factor_demanded`: by one's duties."""

    has_password: bool = field(repr=False)
    has_totp: bool
    passkeys: int
    recovery_codes_left: int = field(repr=False)
    is_second_factor_demanded: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Named(Model):
    """Which one: its id and its present name."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedSet(Model):
    """The version of a named set that holds now. `kind`: what it is a set of, territories or certification schemes."""

    name: str
    kind: str  # set, scheme_class
    members: list[str] | None
    valid_from: datetime
    valid_to: datetime | None
    review_by: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Model):
    """It is there at once, and nodes learn of it with the first instance on it."""

    id: str
    name: str
    state: str  # ready
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    cidr: str
    gateway_ip: str
    dns_servers: list[str]
    mtu: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Node(Model):
    id: str
    name: str
    zone: str
    address: str
    state: str  # enrolled, ready, unreachable
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
class OfficerKey(Model):
    id: str
    officer: str
    public_key: str
    algorithm: str
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation(Waitable):
    """`progress` is in percent. `resources` are ids, and the first is what the operation is about."""

    id: str
    kind: str
    state: str  # pending, running, undoing, succeeded, failed, cancelled
    progress: int
    steps: list[Step]
    resources: list[str]
    created_by: CreatedBy
    request_id: str
    reason: str
    error: Error | None
    deadline: datetime
    cancellable: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Organization(Model):
    id: str
    name: str
    labels: dict[str, str]
    generation: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class OrganizationLimit(Model):
    """`used` is what all projects of the organization use, `projects` has those that the caller sees."""

    dimension: str
    used: int
    limit: int
    available: int
    projects: list[ProjectPart]


@dataclass(frozen=True, kw_only=True, eq=False)
class OrganizationLimits(Model):
    items: list[OrganizationLimit]


@dataclass(frozen=True, kw_only=True, eq=False)
class Owner(Model):
    """`officers`: the users who are sovereignty officers of the organization."""

    project: str
    organization: str
    officers: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part(Model):
    """Who or with what: `name` is the email or the token's name, if it is still there."""

    id: str
    name: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Party(Model):
    """`facts` are those that hold now; one that is null is known to be unknown. `overdue`: attributes whose review is
    late, so that they count as unknown."""

    facts: dict[str, Any]
    overdue: list[str]
    id: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Passkey(Model):
    """`is_backed_up`: its maker keeps a copy, so that other devices of yours have it."""

    id: str
    name: str
    is_backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


class PasskeyAnswerInput(TypedDict):
    """`credential` is what navigator.credentials has answered, as its toJSON() writes it."""

    ceremony: str
    credential: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class PasswordLink(Model):
    """`secret` is in this answer alone: it is not kept. Give it to the user, and to nobody else."""

    secret: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacementSimulation(Model):
    """A decision that nothing rests on. `admitted_zones` have room as well; `policies` are all that was asked."""

    operation: str
    roles: list[str]
    is_admitted: bool
    explanation: list[str]
    admitted_zones: list[str]
    classifications: list[str]
    policies: list[Layer]
    facts_epoch: int
    valid_until: datetime | None
    document: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(Model):
    """`owner`: who has to see to it, now. `notify_by`: when whose data it is must have been told. `deadline_at`: when
    all of it should be remedied."""

    id: str
    project: str
    owner: Any
    state: str  # proposed, approved, done, withdrawn
    items: list[PlanItem]
    notify_by: datetime
    deadline_at: datetime
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanItem(Model):
    """`targets`: where it could go when the plan was made; none: nowhere, or it is a cached image, which goes with the
    last disk that was cloned from it. `deadline_at`: unknown of an old plan."""

    order: int
    resource_id: str
    kind: str
    zone: str
    failing: list[Clause]
    targets: list[Target]
    deadline_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Platform(Model):
    os: str
    arch: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Policy(Model):
    """`version` 0: nothing was ever demanded. `inherited` are the policies of higher levels, which hold as well."""

    level: str
    version: int
    atoms: list[Atom]
    inherited: list[Layer]
    created_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicySet(Model):
    """The policy that is in force now, and what the request does to it: `change`; `atoms_added`, `atoms_removed`;
    `lint`, clauses without effect; `newly_refused_zones`, in which an instance or a volume could be made until now;
    `contradicted`, policies that nothing can satisfy any more; `drifted`, resources that may not be where they are any
    more; `proposal`, when it needs a second person."""

    level: str
    version: int
    atoms: list[Atom]
    inherited: list[Layer]
    created_at: datetime | None
    change: str  # same, tighter, looser, incomparable
    atoms_added: list[Atom]
    atoms_removed: list[Atom]
    lint: list[Lint]
    newly_refused_zones: list[str]
    contradicted: list[Contradicted]
    drifted: list[Drifted]
    proposal: Proposal | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem(Model):
    """What went wrong (RFC 9457), in the caller's language. `code` is for programs: it never changes. `facts` are the
    data that the detail speaks of."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    request_id: str
    errors: list[ProblemError]
    facts: dict[str, Any] | None
    blocking_operation: str | None
    placement_decision: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ProblemError(Model):
    """One of `pointer` (into the body, RFC 6901) and `parameter` (of the query) says where."""

    pointer: str | None
    parameter: str | None
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ProblemPage(Model):
    """About an error code. `detail` is the sentence, with its facts in braces; `facts` are those that come as data."""

    type: str
    code: str
    title: str
    status: int
    retryable: bool
    detail: str
    why: str
    remedy: str
    facts: list[str]
    example: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Project(Model):
    id: str
    name: str
    labels: dict[str, str]
    generation: int
    created_at: datetime
    updated_at: datetime
    organization: Named


@dataclass(frozen=True, kw_only=True, eq=False)
class ProjectPart(Model):
    project: Named
    used: int
    limit: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof(Model):
    """RFC 6962 §2.1.1: hashes in base64, from the leaf up, to the root of the checkpoint. The leaf is SHA-256(0x00 ‖
    canonical JSON of `entry`); `entry.content` is SHA-256("andromede/record/v1" line feed ‖ salt ‖ document)."""

    leaf_index: int
    leaf_hash: str
    entry: Entry
    hashes: list[str]
    checkpoint: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposal(Model):
    """`base_version`: the one that was in force when it was made; when another one comes into force, the proposal is
    overtaken. `not_before`: when it comes into force, once it is approved. With a `resource_id` it is about no policy,
    but about what the resource's data loses: `classifications` and entries of its `lineage`."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Provider(Model):
    name: str
    title: str


@dataclass(frozen=True, kw_only=True, eq=False)
class ProviderPackage(Model):
    protocols: list[str]
    os: str
    arch: str
    filename: str
    download_url: str
    shasums_url: str
    shasums_signature_url: str
    shasum: str
    signing_keys: SigningKeys


@dataclass(frozen=True, kw_only=True, eq=False)
class ProviderVersion(Model):
    version: str
    protocols: list[str]
    platforms: list[Platform]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProviderVersions(Model):
    versions: list[ProviderVersion]


@dataclass(frozen=True, kw_only=True, eq=False)
class Providers(Model):
    items: list[Provider]


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicKey(Model):
    key_id: str
    ascii_armor: str


class QuotaLimitsInput(TypedDict):
    """A limit per dimension."""

    instances: NotRequired[int]
    vcpus: NotRequired[int]
    memory_mib: NotRequired[int]
    volumes: NotRequired[int]
    storage_gib: NotRequired[int]
    networks: NotRequired[int]
    addresses: NotRequired[int]
    images: NotRequired[int]
    webhooks: NotRequired[int]


@dataclass(frozen=True, kw_only=True, eq=False)
class QuotaRequest(Model):
    """`answer` says why it was approved or refused."""

    id: str
    dimension: str
    limit: int
    reason: str
    state: str  # pending, approved, refused, withdrawn
    requested_by: str | None
    answer: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Quotas(Model):
    """The limits that were set. What is not among them has the default; the limits that apply are in `limits_get`."""

    version: int
    limits: dict[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach(Model):
    """A party of the zone: by which law it lives, and which foreign statutes reach it. null: not known."""

    party: str
    name: str
    role: str
    has_technical_access: bool
    statutory_seat: str | None
    ultimate_parent_country: str | None
    statutes: list[str] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Record(Model):
    """`document` and `salt` (base64) are null once it was erased; `leaf_index` is null until it has its place."""

    id: str
    kind: str  # decision, permit, cosignature, receipt, fact, policy_version, policy_proposal, exemption, drift,
    resource: str | None
    created_at: datetime
    document: str | None
    salt: str | None
    leaf_index: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class RecoveryCodes(Model):
    """In this answer alone. Each is good once, in place of a code. Keep them where the phone is not."""

    recovery_codes: list[str] = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Region(Model):
    id: str
    name: str
    kind: str


@dataclass(frozen=True, kw_only=True, eq=False)
class RequestRecord(Model):
    """`verb` is the operationId of the route; `outcome` unknown: whoever worked on it died. `deeds`: what was done, in
    the words of those who did it. `is_in_evidence`: the evidence log covers it."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Scope(Model):
    """null: not limited in that."""

    verbs: list[str] | None
    kinds: list[str] | None
    projects: list[str] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceAccount(Model):
    id: str
    name: str
    organization: Named
    is_disabled: bool
    grants: list[Grant]
    generation: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Services(Model):
    pass


@dataclass(frozen=True, kw_only=True, eq=False)
class Session(Model):
    """`methods`: what it was proved with. `address` and `user_agent`: from where it began. `is_current`: the one that
    asks. It ends at `expires_at`, and earlier when it is not used."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionWithSecret(Model):
    """`secret` is in this answer alone: it is not kept. `needs_second_factor`: the session is good for nothing but to
    enrol or prove one."""

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


class SignedFactInput(TypedDict):
    """`p`: the statement; `kid`: the id of the officer's key; `sig`: its signature over `andromede/fact/v1`, a line
    feed and the canonical JSON (RFC 8785) of `p`."""

    p: dict[str, Any]
    kid: str
    sig: str


@dataclass(frozen=True, kw_only=True, eq=False)
class SigningKeys(Model):
    gpg_public_keys: list[PublicKey]


@dataclass(frozen=True, kw_only=True, eq=False)
class Simulation(Model):
    """`broken`: resources whose place is admissible now and would not be. `lost_zones`: zones that a project's policies
    would not admit any more."""

    broken: list[Broken]
    lost_zones: list[LostZones]


@dataclass(frozen=True, kw_only=True, eq=False)
class SshKey(Model):
    id: str
    name: str
    state: str  # ready
    conditions: list[Condition]
    current_operation: str | None
    last_error: Error | None
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    public_key: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True, eq=False)
class State(Model):
    """`version`: the number of the newest; null: it was locked and never written."""

    id: str
    name: str
    version: int | None
    lock: Lock | None
    locked_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class StateVersion(Model):
    """`serial` is Terraform's own count. `user_id` and `credential_id`: who wrote it."""

    number: int
    serial: int
    size_bytes: int
    user_id: str | None
    credential_id: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class Step(Model):
    name: str
    state: str
    attempts: int
    message: str | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Target(Model):
    zone: str
    nodes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Token(Model):
    """`prefix` is the visible head of the secret. `role` empty: whatever its owner has. `verbs`, `kinds`, `projects`
    null: not limited in that. `project`: the one that it is good in; null: wherever its owner has a role."""

    id: str
    name: str
    user: User | None
    service_account: Named | None
    project: Named | None
    role: str
    is_platform: bool
    verbs: list[str] | None
    kinds: list[str] | None
    projects: list[str] | None
    prefix: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_from: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenWithSecret(Model):
    """`secret` is in this answer alone: it is not kept."""

    id: str
    name: str
    user: User | None
    service_account: Named | None
    project: Named | None
    role: str
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
class Totp(Model):
    """Both are in this answer alone. `secret` is in base32; `otpauth_uri` is what applications read from a QR code."""

    secret: str = field(repr=False)
    otpauth_uri: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfer(Model):
    """What leaves the zone's territory. `attribute` is the fact that says so."""

    locus: str
    attribute: str
    countries: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfers(Model):
    """What of the data of a zone lies, or can be reached, outside its territory. `unknown`: attributes that nothing is
    known of, so that nobody can say there is no transfer."""

    zone: str
    territory: str | None
    transfers: list[Transfer]
    unknown: list[str]


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


@dataclass(frozen=True, kw_only=True, eq=False)
class User(Model):
    id: str
    email: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume(Model):
    """`instance` is the one that has it, or is getting it."""

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
    image: Named | None
    classifications: list[str]
    zone: str | None
    instance: Named | None


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeType(Model):
    id: str
    description: str


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeWithOperation(Model):
    """`instance` is the one that has it, or is getting it."""

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
    image: Named | None
    classifications: list[str]
    zone: str | None
    instance: Named | None
    operation: Operation


@dataclass(frozen=True, kw_only=True, eq=False)
class Webhook(Model):
    """`previous_secret_ends_at`: until then the secret before the last rotation signs too. The condition `delivering`
    says why it gets nothing."""

    id: str
    name: str
    url: str
    kinds: list[str]
    is_enabled: bool
    conditions: list[Condition]
    previous_secret_ends_at: datetime | None = field(repr=False)
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, eq=False)
class WebhookWithSecret(Model):
    """`secret` is in this answer alone. It is what libraries of Standard Webhooks take."""

    id: str
    name: str
    url: str
    kinds: list[str]
    is_enabled: bool
    conditions: list[Condition]
    previous_secret_ends_at: datetime | None = field(repr=False)
    generation: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Zone(Model):
    """`parties`: who has a part in it, as far as that is known."""

    facts: dict[str, Any]
    overdue: list[str]
    id: str
    region: str
    status: str  # open, draining, closed
    parties: list[ZoneParty]


@dataclass(frozen=True, kw_only=True, eq=False)
class ZoneParty(Model):
    """A legal entity and its part in the zone."""

    id: str
    name: str
    role: str
    has_technical_access: bool

"""Make a decision, store it, and raise a refusal: the beginning of every claim."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

from django.db import DatabaseError, IntegrityError, transaction

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.placement import decision as core
from andromede_core.placement.capacity import fits_by_zone
from andromede_core.placement.decide import admits, decide
from andromede_core.placement.explanation import against, tenant
from andromede_core.placement.fleet import Fleet
from andromede_core.placement.redaction import restrict_to_zones
from andromede_core.placement.request import Group, ResolvedRequest, Resources
from andromede_core.policy.assessment import Assessment
from andromede_core.policy.clauses import Policy, Role
from andromede_core.policy.evaluation import failures
from andromede_core.policy.roles import ROLES_OF
from controlplane.audit.evidence_log import build_record
from controlplane.audit.models import EvidenceRecord
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.nodes.models import Node
from controlplane.placement import assessment_cache, exemptions, selectors
from controlplane.placement.assessment_cache import CacheKey, PolicySet
from controlplane.placement.effective_policies import DataSource, PolicySubject
from controlplane.placement.errors import InsufficientCapacity, NoPlace, NotAdmittedHere, PolicyUnsatisfiable
from controlplane.placement.fleet_cache import FLEET
from controlplane.placement.models import Decision, Exemption
from controlplane.placement.selectors import PoolRequirement

# STALE_POLICY and STALE_FACTS, as the triggers raise them (migrations 0004, 0006).
STALE = ("AN001", "AN002")


@dataclass(frozen=True)
class GroupRule:
    """The affinity group that an instance belongs to."""

    group_id: UUID
    rule: str
    is_strict: bool


@dataclass(frozen=True)
class PlacementRequest:
    """A placement request.

    `near`: consumers whose node it must share. `zones` empty: any. `routed_to`: zones to which addresses of the
    consumer are routed; it can be in no other. `mtu_zones`: zones whose underlay carries the packets of its networks;
    None: all. `host`: the name or id of the only node allowed; one
    more condition, which skips no other. `excluded`: ids of nodes that are not allowed, since the consumer migrates
    within its `zones`. `preferred_traits`: of the node, where one with them can take the request. `pools`: space taken
    from a pool is not taken from the node's own disk; of several that give space, the allocation takes that of the
    first one. `move`: the id that holds the allocation while the consumer migrates there. `copy_of`: the consumer that
    the data is a copy of, in its place and without an allocation of its own, such as a snapshot's volume.

    The recorded classifications and policies of the consumer's data always apply; `classifications`, clauses of its
    `own` and `sources` (whose data it is about to hold) come on top. `roles`: others than those of the operation, for
    simulations. `operation_id`: the operation of the request, perhaps in another attempt; it counts one use of an
    exemption.
    """

    operation: str
    project: Project
    consumer_id: UUID
    kind: str
    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0
    zones: tuple[str, ...] = ()
    routed_to: frozenset[str] = frozenset()
    mtu_zones: frozenset[str] | None = None
    near: tuple[UUID, ...] = ()
    group: GroupRule | None = None
    traits: frozenset[str] = frozenset()
    preferred_traits: frozenset[str] = frozenset()
    host: str | None = None
    excluded: tuple[UUID, ...] = ()
    move: UUID | None = None
    copy_of: UUID | None = None
    classifications: tuple[str, ...] = ()
    own: tuple[Policy, ...] = ()
    sources: tuple[DataSource, ...] = ()
    roles: tuple[Role, ...] = ()
    operation_id: UUID | None = None
    pools: tuple[PoolRequirement, ...] = ()

    @property
    def share(self) -> PoolRequirement | None:
        """Return the space that the allocation takes from a pool."""
        return next((requirement for requirement in self.pools if requirement.gib), None)

    @property
    def holder(self) -> UUID:
        """Return the consumer of the allocation."""
        return self.move or self.present_holder

    @property
    def present_holder(self) -> UUID:
        """Return the consumer of the allocation where the data is now."""
        return self.copy_of or self.consumer_id


@dataclass(frozen=True)
class PlacementResult:
    """A decision, its inputs, and its moment.

    `fits`: how many more of the same fit without an exemption, by zone; empty where no capacity was requested.
    `missed_traits`: preferred traits that no node has which can take the request.
    """

    decision: core.Decision
    standing: selectors.DecisionVersions
    demand: PolicySet
    at: datetime
    fits: Callable[[], Mapping[str, int]]
    exemption: Exemption | None = None
    missed_traits: frozenset[str] = frozenset()

    @property
    def valid_until(self) -> datetime | None:
        """Return when an input of the decision may change by itself."""
        ends = (self.decision.valid_until, self.exemption.expires_at if self.exemption else None)
        return min((moment for moment in ends if moment is not None), default=None)


@dataclass(frozen=True)
class PlacementInputs:
    """The resolved request with all current inputs of the decision."""

    resolved: ResolvedRequest
    fleet: Fleet
    assessment: Assessment
    demand: PolicySet
    cache_key: CacheKey
    at: datetime


def is_placeable(request: PlacementRequest) -> bool:
    """Tell if a node admits the request now without an exemption: decide_placement() without node and reasons.

    Raises:
        NoAllocation, UnknownHost, TooManyClauses.
    """
    inputs = _read_inputs(request, _resources(request), selectors.nodes_of(request.near))
    return admits(inputs.resolved, inputs.fleet, inputs.assessment)


def decide_placement(
    request: PlacementRequest,
    *,
    resources: Resources | None = None,
    near: frozenset[str] | None = None,
    attempt: int = 0,
) -> PlacementResult:
    """Decide now, outside any transaction.

    `resources`, `near` (ids of nodes): replace those of the request. Another attempt prefers others among equally good
    nodes.

    Raises:
        NoAllocation: a resource that it must be near to has no allocation.
        UnknownHost, TooManyClauses.
    """
    near = near if near is not None else selectors.nodes_of(request.near)
    resources = resources or _resources(request)
    if request.preferred_traits:
        preferring = replace(request, traits=request.traits | request.preferred_traits)
        taken = decided(preferring, _read_inputs(preferring, resources, near), attempt=attempt)
        if taken.decision.is_admitted:
            return taken
    taken = decided(request, _read_inputs(request, resources, near), attempt=attempt)
    return replace(taken, missed_traits=request.preferred_traits)


def redecide_in_place(request: PlacementRequest, node_id: UUID) -> PlacementResult:
    """Decide if the consumer may stay and work on its node.

    Capacity is not checked, and conditions that only keep new allocations away from a node or zone (cordoned, draining,
    unreachable) do not count.

    Raises:
        TooManyClauses
    """
    request = in_place(request)
    return decided(request, _read_inputs(request, Resources(), frozenset({str(node_id)}), is_there=True))


def in_place(request: PlacementRequest) -> PlacementRequest:
    """Return the request without the conditions that only keep new allocations away from a node or zone."""
    request = replace(request, zones=(), group=None, traits=frozenset(), host=None, excluded=(), pools=())
    return replace(request, routed_to=frozenset(), mtu_zones=None)


def _resources(request: PlacementRequest) -> Resources:
    return Resources(request.vcpus, request.memory_mib, request.disk_gib)


def _read_inputs(
    request: PlacementRequest, resources: Resources, near: frozenset[str], *, is_there: bool = False
) -> PlacementInputs:
    now = clock.now()
    cache_key = assessment_cache.read_versions(request.project.organization_id, request.consumer_id)
    demand = assessment_cache.policy_set(policy_subject(request), cache_key)
    resolved = resolve(request, resources, near, demand, is_there=is_there)
    assessment = assessment_cache.assessment(demand, resolved.roles, cache_key, now=now)
    return PlacementInputs(resolved, FLEET.current(), assessment, demand, cache_key, now)


def policy_subject(request: PlacementRequest) -> PolicySubject:
    return PolicySubject(request.project, request.consumer_id, request.classifications, request.own, request.sources)


def resolve(
    request: PlacementRequest, resources: Resources, near: frozenset[str], demand: PolicySet, *, is_there: bool
) -> ResolvedRequest:
    """Return the request with its policies, pools and affinity group resolved."""
    return ResolvedRequest(
        consumer=request.kind,  # type: ignore[arg-type]
        resources=resources,
        zones=request.zones or None,
        routed_to=request.routed_to,
        mtu_zones=request.mtu_zones,
        traits=request.traits,
        groups=_groups(request),
        near=near,
        host=selectors.host_named(request.host) if request.host is not None else None,
        excluded_nodes=frozenset(map(str, request.excluded)),
        policies=demand.policies,
        roles=request.roles or ROLES_OF[request.operation],
        classifications=demand.classifications,
        is_there=is_there,
        shares=selectors.resolve_pools(request.pools),
    )


def decided(request: PlacementRequest, inputs: PlacementInputs, *, attempt: int = 0) -> PlacementResult:
    """Decide by these inputs; an exemption counts where nothing else admits the request."""
    seed = seed_of(request, attempt)
    resolved, fleet, assessment = inputs.resolved, inputs.fleet, inputs.assessment
    demand, standing, now = inputs.demand, inputs.cache_key.standing, inputs.at
    decision = decide(resolved, fleet, assessment, seed=seed)
    if not decision.is_admitted:
        for exemption in _exemptions(request, demand, now):
            waiving = assessment.waiving(demand.policies, exemption.zone, exemption.waived)
            waived = decide(resolved, fleet, waiving, seed=seed)
            if waived.is_admitted:
                return PlacementResult(waived, standing, demand, now, partial(_fits, inputs), exemption)
    return PlacementResult(decision, standing, demand, now, partial(_fits, inputs))


def seed_of(request: PlacementRequest, attempt: int = 0) -> int:
    return (request.consumer_id.int + attempt) % 2**32


def _fits(inputs: PlacementInputs) -> Mapping[str, int]:
    if not any(inputs.resolved.resources):
        return {}
    return fits_by_zone(inputs.resolved, inputs.fleet, inputs.assessment)


def _exemptions(request: PlacementRequest, demand: PolicySet, now: datetime) -> list[Exemption]:
    """Return the exemptions for any zone: one that helps in no possible zone admits nothing."""
    action = exemptions.ExemptedAction(
        request.consumer_id, request.operation, demand.classifications, request.operation_id
    )
    return exemptions.in_force(action, now)


def _groups(request: PlacementRequest) -> tuple[Group, ...]:
    if request.group is None:
        return ()
    nodes = selectors.group_nodes(request.group.group_id, but=request.consumer_id)
    return (Group(rule=request.group.rule, is_hard=request.group.is_strict, nodes=nodes),)  # type: ignore[arg-type]


def is_stale_error(error: DatabaseError) -> bool:
    """Tell if an allocation was refused because inputs of its decision, or the node's capacity, have changed since.

    Another decision may succeed.
    """
    return isinstance(error, IntegrityError) or getattr(error.__cause__, "sqlstate", None) in STALE


@transaction.atomic
def store_decision(request: PlacementRequest, taken: PlacementResult) -> Decision:
    """Store the decision with all its inputs, and as evidence."""
    decision, evidence = rows(request, taken)
    record_exemption_use(request, taken, decision)
    _insert(taken, decision, evidence)
    return decision


@transaction.atomic
def _insert(taken: PlacementResult, decision: Decision, evidence: EvidenceRecord) -> None:
    taken.demand.keep()
    decision.save(force_insert=True)
    evidence.save(force_insert=True)


def record_exemption_use(request: PlacementRequest, taken: PlacementResult, decision: Decision) -> None:
    """Count the use of the exemption that a decision rests on; in the transaction that writes the decision."""
    if taken.exemption is not None:
        exemptions.record_use(taken.exemption, decision_id=decision.pk, operation_id=request.operation_id)


def rows(request: PlacementRequest, taken: PlacementResult) -> tuple[Decision, EvidenceRecord]:
    """Return the rows to store beside the document of its policies; not written yet."""
    decision, standing = taken.decision, taken.standing
    row = Decision(
        operation=request.operation,
        project=request.project,
        consumer_id=request.consumer_id,
        is_admitted=decision.is_admitted,
        roles=list(decision.request.roles),
        facts_epoch=standing.facts_epoch,
        platform_version=standing.platform_version,
        organization_version=standing.organization_version,
        policies_id=taken.demand.digest,
        classifications=list(taken.demand.classifications),
        admitted_zones=list(decision.admitted_zones),
        valid_until=taken.valid_until,
        document=core.as_document(decision),
    )
    evidence = build_record(
        "decision",
        _evidence(row, taken),
        organization_id=request.project.organization_id,
        project_id=request.project.pk,
        resource_id=request.consumer_id,
    )
    return row, evidence


def _evidence(row: Decision, taken: PlacementResult) -> dict[str, object]:
    """Return the evidence from which the decision can be recomputed: docs/explanation/evidence.md."""
    return {
        "decision": str(row.pk),
        "operation": row.operation,
        "resource": str(row.consumer_id),
        "roles": row.roles,
        "at": as_rfc3339(taken.at),
        "admit": row.is_admitted,
        "verdict": taken.decision.verdict,
        "facts_epoch": row.facts_epoch,
        "platform_version": row.platform_version,
        "organization_version": row.organization_version,
        "classifications": row.classifications,
        "policy_digest": taken.demand.digest,
        "policies": taken.demand.layers,
        "reference_zone": None,
        "exemption": exemptions.as_core(taken.exemption).payload() if taken.exemption else None,
        "zones": {zone.zone: failures(zone.results) for zone in taken.decision.zones},
        "admitted_zones": row.admitted_zones,
        "valid_until": as_rfc3339(taken.decision.valid_until) if taken.decision.valid_until else None,
    }


def raise_refusal(request: PlacementRequest, taken: PlacementResult, *, here: str = "") -> NoReturn:
    """Store the refusal and raise its error.

    It stays stored when the refused request is rolled back. `here`: the zone in which the consumer is to stay.

    Raises:
        PolicyUnsatisfiable: no zone that it could be in is admitted.
        NotAdmittedHere: the same, where the zone `here` fails clauses.
        InsufficientCapacity: some nodes may take it, and none of them has free capacity.
        NoPlace: a zone is admitted, and its nodes are refused for another reason than capacity.
    """
    decision, evidence = rows(request, taken)
    document = _explained(request, decision.document)
    kind = _refusal(request, taken.decision)
    clauses = _failing_in(here, taken.decision) if kind is PolicyUnsatisfiable else []
    explain = partial(against, document, here) if clauses else partial(tenant, document)
    facts = {
        "explanation": " ".join(explain(language="en")),
        "explanation_fr": " ".join(explain(language="fr")),
        "placement_decision": str(decision.pk),
    }
    error = NotAdmittedHere(zone=here, clauses=", ".join(clauses), **facts) if clauses else kind(**facts)
    error.on_persist = partial(_insert, taken, decision, evidence)
    error.keep()
    raise error


def _explained(request: PlacementRequest, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the decision for its explanation: of a consumer that migrates, only the zones that it asks for."""
    if not request.excluded:
        return document
    return restrict_to_zones(document, request.zones, away_from=[str(node) for node in request.excluded])


def refusal_of(request: PlacementRequest, taken: PlacementResult) -> Mapping[str, object]:
    """Return the refusal as the document of the error that `raise_refusal` raises. Nothing is stored."""
    document = _explained(request, core.as_document(taken.decision))
    facts = {"explanation": " ".join(tenant(document)), "explanation_fr": " ".join(tenant(document, "fr"))}
    return _refusal(request, taken.decision)(**facts).as_document()


def _failing_in(zone_id: str, decision: core.Decision) -> list[str]:
    """Return the clauses that the zone fails, as level/clause."""
    results = (result for zone in decision.zones if zone.zone == zone_id for result in zone.results)
    return list(dict.fromkeys(f"{each.ref.level}/{each.ref.clause}" for each in results if each.result != "T"))


def _refusal(
    request: PlacementRequest, decision: core.Decision
) -> type[InsufficientCapacity | NoPlace | PolicyUnsatisfiable]:
    if decision.verdict == "no_capacity":
        return InsufficientCapacity
    return NoPlace if _is_place_admitted(request, decision) else PolicyUnsatisfiable


def _is_place_admitted(request: PlacementRequest, decision: core.Decision) -> bool:
    """Tell if a possible zone is admitted by all policies and has nodes whose charter allows the data."""
    in_question = _zones_in_question(request, decision)
    zones = [zone for zone in decision.zones if zone.zone in in_question]
    return any(
        all(result.result == "T" for result in zone.results) and not (zone.nodes and zone.kept_out == zone.nodes)
        for zone in zones
    )


def _zones_in_question(request: PlacementRequest, decision: core.Decision) -> set[str]:
    """Return the possible zones: the requested ones, those of the resources it must be near to, or the host's."""
    zones = {zone.zone for zone in decision.zones}
    if request.zones:
        zones &= set(request.zones)
    if request.routed_to:
        zones &= request.routed_to
    nodes = decision.request.near if decision.request.host is None else {decision.request.host}
    if nodes:
        zones &= set(Node.objects.filter(pk__in=nodes).values_list("zone_id", flat=True))
    return zones

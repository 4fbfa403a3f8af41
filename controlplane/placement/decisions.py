"""Take a decision, keep it, and tell a refusal: what every claim of a place begins with."""

from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from controlplane.catalog import selectors as catalog
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.nodes.models import Node
from controlplane.placement import selectors
from controlplane.placement.core import decision as core
from controlplane.placement.core.canonical import digest
from controlplane.placement.core.decide import decide
from controlplane.placement.core.explain import tenant
from controlplane.placement.core.policy_document import as_document
from controlplane.placement.core.request import Group, Request, Resources
from controlplane.placement.core.roles import ROLES_OF
from controlplane.placement.errors import InsufficientCapacity, PolicyUnsatisfiable
from controlplane.placement.models import Decision, PolicyDocument


@dataclass(frozen=True)
class GroupRule:
    """The affinity group that an instance belongs to."""

    group_id: UUID
    rule: str
    is_strict: bool


@dataclass(frozen=True)
class Ask:
    """What is asked of placement. `near`: consumers whose node it must share. `zones` empty: any."""

    operation: str
    project: Project
    consumer_id: UUID
    kind: str
    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0
    zones: tuple[str, ...] = ()
    near: tuple[UUID, ...] = ()
    group: GroupRule | None = None
    traits: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Taken:
    """A decision, and what it rests on."""

    decision: core.Decision
    standing: selectors.Standing


def take(ask: Ask, *, resources: Resources | None = None, near: frozenset[str] | None = None) -> Taken:
    """Decide now, outside any transaction. `resources`, `near`: instead of what the ask says."""
    now = clock.now()
    standing = selectors.standing(ask.project)
    fleet, world = selectors.snapshot(), catalog.world()
    groups: tuple[Group, ...] = ()
    if ask.group is not None:
        nodes = selectors.group_nodes(ask.group.group_id, but=ask.consumer_id)
        groups = (Group(rule=ask.group.rule, is_hard=ask.group.is_strict, nodes=nodes),)  # type: ignore[arg-type]
    policies = selectors.policies(ask.project)
    request = Request(
        consumer=ask.kind,  # type: ignore[arg-type]
        resources=resources or Resources(ask.vcpus, ask.memory_mib, ask.disk_gib),
        zones=ask.zones or None,
        traits=ask.traits,
        groups=groups,
        near=near if near is not None else selectors.nodes_of(ask.near),
        policies=policies,
        roles=ROLES_OF[ask.operation],
    )
    return Taken(decide(request, fleet, world, now=now, seed=ask.consumer_id.int % 2**32), standing)


def store(ask: Ask, taken: Taken) -> Decision:
    """Keep the decision with all that it rests on; inside the caller's transaction, or on its own."""
    decision, standing = taken.decision, taken.standing
    document = [as_document(policy) for policy in decision.request.policies]
    policies, _ = PolicyDocument.objects.get_or_create(digest=digest(document), defaults={"document": document})
    boundaries = [zone.valid_until for zone in decision.zones if zone.valid_until is not None]
    return Decision.objects.create(
        operation=ask.operation,
        project=ask.project,
        consumer_id=ask.consumer_id,
        is_admitted=decision.is_admitted,
        roles=list(decision.request.roles),
        facts_epoch=standing.facts_epoch,
        platform_version=standing.platform_version,
        organization_version=standing.organization_version,
        policies=policies,
        admitted_zones=[zone.zone for zone in decision.zones if zone.admitted],
        valid_until=min(boundaries, default=None),
        document=core.as_document(decision),
    )


def refuse(ask: Ask, taken: Taken) -> NoReturn:
    """Store the refusal and tell it.

    Raises:
        PolicyUnsatisfiable: no zone that it could be in is admitted.
        InsufficientCapacity: a zone is, and has no room.
    """
    decision = taken.decision
    stored = store(ask, taken)
    lines = {language: " ".join(tenant(stored.document, language)) for language in ("en", "fr")}
    in_question = _zones_in_question(ask, decision)
    is_zone_admitted = any(
        all(result.result == "T" for result in zone.results) for zone in decision.zones if zone.zone in in_question
    )
    error = InsufficientCapacity if is_zone_admitted else PolicyUnsatisfiable
    raise error(explanation=lines["en"], explanation_fr=lines["fr"], placement_decision=str(stored.pk))


def _zones_in_question(ask: Ask, decision: core.Decision) -> set[str]:
    """Where it could be at all: in the zones that were asked for, beside what it must be near to."""
    zones = {zone.zone for zone in decision.zones}
    if ask.zones:
        zones &= set(ask.zones)
    if decision.request.near:
        zones &= set(Node.objects.filter(pk__in=decision.request.near).values_list("zone_id", flat=True))
    return zones

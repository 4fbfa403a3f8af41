"""The one door to the nodes: check and claim places, release them, and make the grants that agents ask for.

A decision is taken outside any transaction. The write that follows is guarded: the node must still be ready and open
for new work, the affinity group must still allow it, and the database refuses an allocation that does not fit. When
the world has moved, the decision is taken again.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Least

from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import Organization, Project
from controlplane.kernel.db import refusing
from controlplane.kernel.errors import StateConflict
from controlplane.nodes.agent_client import Grant
from controlplane.nodes.models import Node
from controlplane.placement import selectors
from controlplane.placement.core import decision as core
from controlplane.placement.core.decide import decide
from controlplane.placement.core.explain import tenant
from controlplane.placement.core.policy import PolicyError, parse, unsatisfiable
from controlplane.placement.core.request import Group, Request, Resources
from controlplane.placement.errors import (
    FleetChanged,
    InsufficientCapacity,
    NoAllocation,
    PolicyEmpty,
    PolicyInvalid,
    PolicyUnsatisfiable,
    ZoneUnknown,
)
from controlplane.placement.models import Allocation, Decision, PolicyVersion


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


def check(ask: Ask) -> None:
    """Would it be admitted now? Takes nothing. A refusal is stored, and its decision's id goes with the error.

    Raises:
        ZoneUnknown, PolicyUnsatisfiable, InsufficientCapacity.
        NoAllocation: what it must be near to has no place itself.
    """
    if unknown := selectors.unknown_zones(ask.zones):
        raise ZoneUnknown(field="zones", name=unknown[0])
    decision = _decide(ask)
    if not decision.is_admitted:
        _refuse(ask, decision)


def check_growth(ask: Ask) -> None:
    """Would its own node let the consumer have these amounts now? Takes nothing.

    Raises:
        NoAllocation, PolicyUnsatisfiable, InsufficientCapacity.
    """
    _growth(ask)


def claim(ask: Ask) -> Allocation:
    """The consumer's place: the one it has, or the best that can be had now.

    Raises:
        PolicyUnsatisfiable, InsufficientCapacity: with the stored decision.
        NoAllocation: what it must be near to has no place itself.
        FleetChanged: worth another try.
    """
    for _ in range(settings.PLACEMENT_CLAIM_ATTEMPTS):
        existing = Allocation.objects.filter(consumer_id=ask.consumer_id).select_related("node").first()
        if existing is not None:
            return existing
        decision = _decide(ask)
        if not decision.is_admitted:
            _refuse(ask, decision)
        for node_id in decision.candidates[:3]:
            if (allocation := _write(ask, decision, UUID(node_id))) is not None:
                return allocation
    raise FleetChanged()


def grow(ask: Ask) -> None:
    """Give the consumer's allocation at least these amounts, on its own node.

    Raises:
        NoAllocation, PolicyUnsatisfiable, InsufficientCapacity.
        FleetChanged: worth another try.
    """
    more, decision = _growth(ask)
    if decision is None:
        return
    amounts = {name: F(name) + amount for name, amount in more._asdict().items()}
    try:
        with transaction.atomic():
            own = Allocation.objects.filter(consumer_id=ask.consumer_id)
            own.update(decision=_store(ask, decision), **amounts)
    except IntegrityError as exc:
        raise FleetChanged() from exc


def _growth(ask: Ask) -> tuple[Resources, core.Decision | None]:
    """What is missing to these amounts, and the decision that admits it; none is needed when nothing is missing."""
    allocation = _allocation(ask.consumer_id)
    wanted = Resources(ask.vcpus, ask.memory_mib, ask.disk_gib)
    present = Resources(allocation.vcpus, allocation.memory_mib, allocation.disk_gib)
    more = Resources(*(max(0, new - old) for new, old in zip(wanted, present, strict=True)))
    if not any(more):
        return more, None
    decision = _decide(ask, resources=more, near=frozenset({str(allocation.node_id)}))
    if not decision.is_admitted:
        _refuse(ask, decision)
    return more, decision


def shrink(consumer_id: UUID, **amounts: int) -> None:
    """Leave the consumer's allocation these amounts and no more; what needs no room needs no decision, so it cannot
    fail. Inside the caller's transaction."""
    Allocation.objects.filter(consumer_id=consumer_id).update(
        **{name: Least(F(name), amount) for name, amount in amounts.items()}
    )


def release(consumer_id: UUID) -> None:
    """The consumer has no place any more; releasing again changes nothing. Inside the caller's transaction."""
    Allocation.objects.filter(consumer_id=consumer_id).delete()


def grant(consumer_id: UUID) -> Grant:
    """What an agent wants to see before it takes data or work for this consumer.

    Raises:
        NoAllocation: the consumer has no place.
    """
    allocation = _allocation(consumer_id)
    return Grant(node=allocation.node, decision_id=allocation.decision_id, allocation_id=allocation.pk)


def _allocation(consumer_id: UUID) -> Allocation:
    allocation = Allocation.objects.filter(consumer_id=consumer_id).select_related("node").first()
    if allocation is None:
        raise NoAllocation()
    return allocation


def _decide(ask: Ask, *, resources: Resources | None = None, near: frozenset[str] | None = None) -> core.Decision:
    fleet, zones = selectors.snapshot()
    groups: tuple[Group, ...] = ()
    if ask.group is not None:
        nodes = selectors.group_nodes(ask.group.group_id, but=ask.consumer_id)
        groups = (Group(rule=ask.group.rule, is_hard=ask.group.is_strict, nodes=nodes),)  # type: ignore[arg-type]
    request = Request(
        consumer=ask.kind,  # type: ignore[arg-type]
        resources=resources or Resources(ask.vcpus, ask.memory_mib, ask.disk_gib),
        zones=ask.zones or None,
        traits=ask.traits,
        groups=groups,
        near=near if near is not None else selectors.nodes_of(ask.near),
        policies=selectors.policies(ask.project),
    )
    return decide(request, fleet, zones, seed=ask.consumer_id.int % 2**32)


def _write(ask: Ask, decision: core.Decision, node_id: UUID) -> Allocation | None:
    """The guarded write; None when the node or the group is no longer as the decision saw it."""
    try:
        with transaction.atomic():
            node = Node.objects.select_for_update(no_key=True).get(pk=node_id)
            if node.state != "ready" or node.is_cordoned or not _group_allows(ask, node_id):
                return None
            return Allocation.objects.create(
                consumer_id=ask.consumer_id,
                kind=ask.kind,
                project=ask.project,
                node=node,
                decision=_store(ask, decision),
                group_id=ask.group.group_id if ask.group else None,
                vcpus=ask.vcpus,
                memory_mib=ask.memory_mib,
                disk_gib=ask.disk_gib,
            )
    except IntegrityError:
        return None


def _group_allows(ask: Ask, node_id: UUID) -> bool:
    """Under the group's lock, so that two members cannot claim at the same time without seeing one another."""
    if ask.group is None or not ask.group.is_strict:
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"group:{ask.group.group_id}"])
    nodes = selectors.group_nodes(ask.group.group_id, but=ask.consumer_id)
    if ask.group.rule == "affinity":
        return not nodes or str(node_id) in nodes
    return str(node_id) not in nodes


def _store(ask: Ask, decision: core.Decision) -> Decision:
    return Decision.objects.create(
        operation=ask.operation,
        project=ask.project,
        consumer_id=ask.consumer_id,
        is_admitted=decision.is_admitted,
        document=core.as_document(decision),
    )


def _refuse(ask: Ask, decision: core.Decision) -> None:
    stored = _store(ask, decision)
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


@transaction.atomic(durable=True)
def policy_set(
    actor: Actor,
    *,
    atoms: list[dict[str, object]],
    organization: Organization | None = None,
    project: Project | None = None,
) -> PolicyVersion:
    """Replace the policy of an organization (operators) or a project. What runs already stays where it is.

    Raises:
        PolicyInvalid: an atom does not type-check; names it.
        PolicyEmpty: together with the levels above it admits nothing.
    """
    actor.may_write()
    level = "project" if project else "organization"
    try:
        policy = parse({"id": "new", "level": level, "atoms": atoms})
    except PolicyError as exc:
        raise PolicyInvalid(field=exc.field.strip("/"), reason=exc.reason) from exc
    above = tuple(p for p in selectors.policies(project) if p.level != "project") if project else ()
    if conflict := unsatisfiable((*above, policy)):
        raise PolicyEmpty(field="atoms", atoms=", ".join(ref.atom for ref in conflict))
    head = selectors.policy_head(
        organization_id=organization.pk if organization else None, project_id=project.pk if project else None
    )
    version = head.version + 1 if head else 1
    with refusing("placement_policy_version_once", StateConflict(machine="policy")):
        saved = PolicyVersion.objects.create(
            organization=organization, project=project, version=version, atoms=atoms, user_id=actor.user_id
        )
    record(actor, "policy.set", saved.pk, project_id=project.pk if project else None, version=version)
    return saved

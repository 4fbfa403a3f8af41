"""Impact simulation: resources that other facts, or another time, would affect. Nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from andromede_core.documents.messages import Message, message_of
from andromede_core.documents.parsing import Malformed
from andromede_core.facts.attributes import ABOUT, CERTIFICATIONS
from andromede_core.facts.catalogue import value_of
from andromede_core.facts.world import Fact, Horizon, Subject, World, Zone, at
from andromede_core.policy.assessment import admitting
from andromede_core.policy.clauses import Policy
from andromede_core.policy.evaluation import Evaluation, evaluate
from andromede_core.policy.roles import ROLES_OF
from controlplane.compliance.errors import WhatIfInvalid
from controlplane.identity.models import Project
from controlplane.placement import effective_policies
from controlplane.placement.drift_clauses import STANDING_OPERATION
from controlplane.placement.models import Allocation
from controlplane.placement.selectors import current_allocations


@dataclass(frozen=True)
class Change:
    """An assumption: an attribute of a zone or a party has this value (None: unknown)."""

    subject_kind: str
    subject_id: str
    attribute: str
    value: object


@dataclass(frozen=True)
class AffectedResource:
    """A resource whose location would not be admissible, or a zone that it would lose.

    `targets`: zones that would still be admissible, regardless of free capacity.
    """

    allocation: Allocation
    evaluation: Evaluation
    targets: tuple[str, ...]


def without_certificate(world: World, zone_id: str, number: str, *, now: datetime) -> Change:
    """Return the zone's certificates with this one withdrawn.

    Raises:
        WhatIfInvalid: there is no such zone, or it has no such certificate.
    """
    zone = world.zones.get(zone_id)
    fact = at(zone.timeline(CERTIFICATIONS), Horizon(now)) if zone else None
    members = fact.value if fact is not None and isinstance(fact.value, list) else []
    if not any(certificate["number"] == number for certificate in members):
        raise WhatIfInvalid(
            field="certificate",
            reason=Message("zone {zone_id!r} holds no certificate {number!r} then.", zone_id=zone_id, number=number),
        )
    withdrawn = {"status": "withdrawn", "status_since": now.isoformat()}
    certificates = [each | withdrawn if each["number"] == number else each for each in members]
    return Change("zone", zone_id, CERTIFICATIONS, certificates)


def with_changes(world: World, changes: Sequence[Change], *, now: datetime) -> World:
    """Return the fact history as if the changes had always applied.

    Raises:
        WhatIfInvalid: a change names an unknown subject, or an invalid value of its attribute.
    """
    for change in changes:
        world = _supposed(world, change, now)
    return world


def _supposed(world: World, change: Change, now: datetime) -> World:
    subjects: Mapping[str, Subject] = {"zone": world.zones, "party": world.parties}.get(change.subject_kind, {})
    subject = subjects.get(change.subject_id)
    if subject is None:
        raise WhatIfInvalid(
            field="changes",
            reason=Message(
                "there is no {subject_kind} {subject_id!r}.",
                subject_kind=change.subject_kind,
                subject_id=change.subject_id,
            ),
        )
    if change.attribute not in ABOUT[change.subject_kind]:
        raise WhatIfInvalid(
            field="changes",
            reason=Message(
                "a {subject_kind} has no attribute {attribute!r}.",
                subject_kind=change.subject_kind,
                attribute=change.attribute,
            ),
        )
    try:
        value = value_of(change.subject_kind, change.attribute, change.value, "changes")
    except Malformed as exc:
        raise WhatIfInvalid(field="changes", reason=message_of(exc)) from exc
    always = Fact(value, datetime.min.replace(tzinfo=now.tzinfo), assertion="measured")
    other = replace(subject, facts={**subject.facts, change.attribute: (always,)})
    if isinstance(other, Zone):
        return replace(world, zones={**world.zones, other.id: other})
    return replace(world, parties={**world.parties, other.id: other})


def affected_resources(
    projects: Sequence[Project], before: World, after: World, *, now: datetime, then: datetime
) -> list[AffectedResource]:
    """Return the resources whose location is admissible now, and would not be after the change."""
    allocations = list(
        current_allocations().filter(project__in=projects).select_related("node", "project").order_by("pk")
    )
    policies = effective_policies.for_resources([allocation.consumer_id for allocation in allocations])

    @cache  # many resources have the same policies in the same zone
    def breaks(layers: tuple[Policy, ...], zone: str, kind: str) -> tuple[Evaluation, tuple[str, ...]] | None:
        roles = ROLES_OF[STANDING_OPERATION[kind]]
        if not evaluate(layers, before.zones.get(zone), before, now=now, roles=roles).admits:
            return None
        evaluation = evaluate(layers, after.zones.get(zone), after, now=then, roles=roles)
        return None if evaluation.admits else (evaluation, _open(layers, after, then, roles))

    with_policies = [row for row in allocations if row.consumer_id in policies]
    judged = ((row, breaks(policies[row.consumer_id], row.node.zone_id, row.kind)) for row in with_policies)
    return [AffectedResource(row, *broken) for row, broken in judged if broken is not None]


def _open(policies: Sequence[Policy], world: World, now: datetime, roles: Sequence[str]) -> tuple[str, ...]:
    """Return the open zones that the policies admit."""
    return tuple(zone.id for zone in admitting(policies, world, now=now, roles=roles) if zone.status == "open")


def lost_zones(project: Project, before: World, after: World, *, now: datetime, then: datetime) -> tuple[str, ...]:
    """Return the zones that the project's own policies admit now and would not after the change."""
    policies = effective_policies.for_project(project)
    roles = ROLES_OF["instance.create"]
    left = set(_open(policies, after, then, roles))
    return tuple(zone for zone in _open(policies, before, now, roles) if zone not in left)

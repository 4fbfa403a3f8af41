"""Impact of a policy change: zones newly refused, policies contradicted, and resources that would drift.

Nothing is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db.models import Q, QuerySet

from andromede_core.facts.world import World
from andromede_core.policy.assessment import admitting
from andromede_core.policy.clauses import MAX_CLAUSES_EFFECTIVE, ClauseRef, Policy
from andromede_core.policy.evaluation import Evaluation, evaluate
from andromede_core.policy.order import Sets, unsatisfiable
from andromede_core.policy.roles import ROLES_OF
from controlplane.placement import effective_policies
from controlplane.placement.drift_clauses import STANDING_OPERATION
from controlplane.placement.effective_policies import InForce
from controlplane.placement.errors import PolicyOverflows
from controlplane.placement.models import Allocation, Binding, PolicyVersion
from controlplane.placement.policy_owners import PolicyOwner, owner_of
from controlplane.placement.selectors import current_allocations

PROPOSED = "proposed"  # the id of a layer that is not in force, among those that are
MAKING = ("instance.create", "volume.create")


@dataclass(frozen=True)
class Contradiction:
    """The owner's policy, and the clauses that no zone can satisfy together."""

    owner: PolicyOwner
    clauses: tuple[ClauseRef, ...]


@dataclass(frozen=True)
class Drifting:
    """A resource that is admitted where it is now, and would not be any more."""

    allocation: Allocation
    evaluation: Evaluation


def makeable(policies: Sequence[Policy], world: World, operation: str, *, now: datetime) -> set[str]:
    """Return the zones that admit the operation's resources. Clauses about other roles do not apply."""
    return {zone.id for zone in admitting(policies, world, now=now, roles=ROLES_OF[operation])}


def newly_refused(before: Sequence[Policy], after: Sequence[Policy], world: World, *, now: datetime) -> tuple[str, ...]:
    """Return the zones in which instances and volumes could be created, and could not any more."""
    lost: set[str] = set()
    for operation in MAKING:
        lost |= makeable(before, world, operation, now=now) - makeable(after, world, operation, now=now)
    return tuple(sorted(lost))


def contradicted(owner: PolicyOwner, policy: Policy, sets: Sets) -> tuple[Contradiction, ...]:
    """Return the policies, this one or lower ones, that no zone could satisfy together with those above them."""
    newest = PolicyVersion.objects.filter(_below(owner)).order_by(*effective_policies.OWNER, "-version")
    rows = newest.distinct(*effective_policies.OWNER).select_related(
        "organization", "project__organization", "classification__organization"
    )
    owners = [owner, *(owner_of(row) for row in rows)]
    in_force = {
        **effective_policies.layers_in_force(Q(level__in=("platform", "organization")) | _below(owner)),
        _key(owner): policy,
    }
    contradictions = [Contradiction(each, unsatisfiable(_chain(each, in_force), sets)) for each in owners]
    # Contradictions above it are reported with the policies above.
    return tuple(
        each for each in contradictions if any(ref.policy == in_force[_key(each.owner)].id for ref in each.clauses)
    )


def _below(owner: PolicyOwner) -> Q:
    """Return the policies that always hold together with the owner's, and never without."""
    if owner.level == "platform":
        return Q(level__in=("organization", "project", "classification"))
    if owner.level == "organization":
        mine = owner.organization
        return Q(project__organization=mine) | Q(level="classification", classification__organization=mine)
    return Q(pk__in=())


def _chain(owner: PolicyOwner, in_force: InForce) -> tuple[Policy, ...]:
    """Return the owner's policy with those above it."""
    ruler = owner.ruler.pk if owner.ruler is not None else None
    keys = dict.fromkeys([("platform", None), ("organization", ruler), _key(owner)])
    return tuple(in_force[key] for key in keys if key in in_force)


def _key(owner: PolicyOwner) -> tuple[str, UUID | str | None]:
    return owner.level, owner.key


def drifting(owner: PolicyOwner, policy: Policy, world: World, *, now: datetime) -> tuple[Drifting, ...]:
    """Return the resources that would drift.

    Raises:
        PolicyOverflows: a resource that can be evaluated now would have too many clauses.
    """
    rows = list(_placed_under(owner).select_related("node", "project").order_by("pk"))
    ids = [row.consumer_id for row in rows]
    before = effective_policies.for_resources(ids)
    after = effective_policies.for_resources(ids, supposing={_key(owner): policy})
    if overflowing := [pk for pk in ids if pk in before and pk not in after]:
        name, count = str(overflowing[0]), len(overflowing)
        raise PolicyOverflows(field="atoms", count=count, name=name, limit=MAX_CLAUSES_EFFECTIVE)

    @cache  # many resources have the same policies in the same zone
    def found(layers: tuple[Policy, ...], zone: str, kind: str) -> Evaluation:
        return evaluate(layers, world.zones.get(zone), world, now=now, roles=ROLES_OF[STANDING_OPERATION[kind]])

    def places(policies: dict[UUID, tuple[Policy, ...]]) -> list[tuple[Allocation, Evaluation]]:
        return [
            (row, found(policies[row.consumer_id], row.node.zone_id, row.kind))
            for row in rows
            if row.consumer_id in policies
        ]

    admitted = {row.pk for row, evaluation in places(before) if evaluation.admits}
    return tuple(
        Drifting(row, evaluation) for row, evaluation in places(after) if row.pk in admitted and not evaluation.admits
    )


def _placed_under(owner: PolicyOwner) -> QuerySet[Allocation]:
    if owner.classification is not None:
        named = Binding.objects.filter(classifications__contains=[owner.classification.pk])
        return current_allocations().filter(consumer_id__in=named.values("pk"))
    if owner.project is not None:
        return current_allocations().filter(project=owner.project)
    if owner.organization is not None:
        return current_allocations().filter(project__organization=owner.organization)
    return current_allocations()

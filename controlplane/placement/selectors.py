"""What a decision rests on, read from the database and turned into plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from andromede_core.placement.request import ResolvedPoolRequirement
from controlplane.catalog.models import Zone
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.identity.selectors import projects
from controlplane.kernel.db import by_id, by_ref
from controlplane.nodes.models import Node, Pool, pool_trait
from controlplane.placement.errors import DecisionNotFound, ExemptionNotFound, NoAllocation, UnknownHost
from controlplane.placement.models import (
    Allocation,
    Binding,
    Decision,
    Exemption,
    PolicyProposal,
)


@dataclass(frozen=True, slots=True)
class PoolRequirement:
    """A pool that the node must have. `zone`: that zone's, since the data is there; None: any zone's of this name.
    `gib`: how much of it is to be taken."""

    name: str
    gib: int = 0
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionVersions:
    """What a decision rests on, as numbers that the database compares when something is written on its strength."""

    facts_epoch: int
    platform_version: int
    organization_version: int


def nodes_of(consumer_ids: Iterable[UUID]) -> frozenset[str]:
    """The nodes on which these consumers are.

    Raises:
        NoAllocation: one of them has no place.
    """
    wanted = set(consumer_ids)
    if not wanted:
        return frozenset()
    rows = dict(Allocation.objects.filter(consumer_id__in=wanted).values_list("consumer_id", "node_id"))
    if wanted - rows.keys():
        raise NoAllocation()
    return frozenset(str(node_id) for node_id in rows.values())


def resolve_pools(wishes: Sequence[PoolRequirement]) -> tuple[ResolvedPoolRequirement, ...]:
    """What is left of these pools, as it is now."""
    names = {wish.name for wish in wishes}
    rows = list(Pool.objects.filter(name__in=names).order_by("zone_id")) if names else []
    return tuple(
        ResolvedPoolRequirement(
            wish.name,
            pool_trait(wish.name),
            wish.gib,
            tuple(
                (row.zone_id, max(0, row.capacity_gib - row.used_gib))
                for row in rows
                if row.name == wish.name and wish.zone in (None, row.zone_id)
            ),
        )
        for wish in wishes
    )


def host_named(ref: str) -> str:
    """The id of the node with this name or id.

    Raises:
        UnknownHost
    """
    found = by_ref(Node.objects.only("pk"), ref)
    if found is None:
        raise UnknownHost(field="host", name=ref)
    return str(found.pk)


def group_nodes(group_id: UUID, *, but: UUID) -> frozenset[str]:
    """The nodes on which the members of an affinity group are, and to which they are on their way, `but` not
    counted. What has its place on a fenced node runs nowhere, and keeps nobody near or away."""
    members = Allocation.objects.filter(group_id=group_id).exclude(consumer_id=but).exclude(moving_id=but)
    members = members.exclude(node__duty="fenced")
    return frozenset(str(node_id) for node_id in members.values_list("node_id", flat=True))


def current_allocations() -> QuerySet[Allocation]:
    """Where everything is. What is on its way somewhere is where it was."""
    return Allocation.objects.filter(moving_id=None)


def classifications_of(resource_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """What the resources' data is classified as; one that is missing is public."""
    return dict(Binding.objects.filter(pk__in=list(resource_ids)).values_list("pk", "classifications"))


def proposals(actor: Actor) -> QuerySet[PolicyProposal]:
    """Those about the actor's organization and project; its officers see those about every project of it."""
    rows = PolicyProposal.objects.select_related(
        "organization", "project__organization", "classification__organization"
    )
    if actor.sees_all:
        return rows
    mine = Q(project__in=projects(actor)) | Q(project__organization__in=actor.ruled_ids)
    own = Q(organization__in=actor.organization_ids) | Q(classification__organization__in=actor.organization_ids)
    return rows.filter(mine | own)


def decisions(actor: Actor, project: Project) -> QuerySet[Decision]:
    return Decision.objects.filter(project=project).select_related("policies")


def latest_decision(actor: Actor, project: Project, consumer_id: UUID) -> Decision:
    found = decisions(actor, project).filter(consumer_id=consumer_id).order_by("-created_at").first()
    if found is None:
        raise DecisionNotFound(name=str(consumer_id))
    return found


def unknown_zones(zone_ids: Sequence[str]) -> list[str]:
    if not zone_ids:
        return []
    known = set(Zone.objects.filter(pk__in=zone_ids).values_list("pk", flat=True))
    return [zone_id for zone_id in zone_ids if zone_id not in known]


def decision_seen(actor: Actor, ref: str) -> Decision:
    """By id, of any project that the actor sees.

    Raises:
        DecisionNotFound
    """
    rows = Decision.objects.filter(project__in=projects(actor)).select_related("project", "policies")
    decision = by_id(rows, ref)
    if decision is None:
        raise DecisionNotFound(name=ref)
    return decision


def exemptions(actor: Actor) -> QuerySet[Exemption]:
    """Of the projects that the actor sees; an officer sees those of every project of the organization, since any of its
    officers may be asked to approve one."""
    mine = Q(project__in=projects(actor)) | Q(project__organization__in=actor.ruled_ids)
    return Exemption.objects.filter(mine).select_related("project")


def exemption_of(actor: Actor, project: Project, ref: str) -> Exemption:
    """Of this project.

    Raises:
        ExemptionNotFound
    """
    exemption = by_id(exemptions(actor).filter(project=project), ref)
    if exemption is None:
        raise ExemptionNotFound(name=ref)
    return exemption


def exemption_get(actor: Actor, ref: str) -> Exemption:
    exemption = by_id(exemptions(actor), ref)
    if exemption is None:
        raise ExemptionNotFound(name=ref)
    return exemption

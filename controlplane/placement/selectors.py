"""Inputs of decisions, read from the database as plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
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
    """A pool that the node must have.

    `zone`: that zone's, since the data is there; None: any zone's of this name. `gib`: the space to take.
    """

    name: str
    gib: int = 0
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionVersions:
    """Versions of a decision's inputs, which the database compares when a write rests on the decision."""

    facts_epoch: int
    platform_version: int
    organization_version: int


LOCKED_VERSIONS = """
SELECT epoch.value, platform.version, organization.version
FROM catalog_factsepoch AS epoch, placement_policyhead AS platform, identity_project AS project
    JOIN placement_policyhead AS organization ON organization.organization_id = project.organization_id
WHERE epoch.id = 1 AND platform.organization_id IS NULL AND project.id = %s
FOR SHARE OF epoch, platform, organization
"""


def lock_versions(project_id: UUID) -> DecisionVersions:
    """Return the present versions, which stay until the end of the caller's transaction.

    For a decision on which no allocation rests: for others the database compares and locks them.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCKED_VERSIONS, [project_id])
        return DecisionVersions(*cursor.fetchone())


def nodes_of(consumer_ids: Iterable[UUID]) -> frozenset[str]:
    """Return the nodes of these consumers.

    Raises:
        NoAllocation: one of them has no allocation.
    """
    ids = set(consumer_ids)
    if not ids:
        return frozenset()
    rows = dict(Allocation.objects.filter(consumer_id__in=ids).values_list("consumer_id", "node_id"))
    if ids - rows.keys():
        raise NoAllocation()
    return frozenset(str(node_id) for node_id in rows.values())


def resolve_pools(requirements: Sequence[PoolRequirement]) -> tuple[ResolvedPoolRequirement, ...]:
    """Return the current free space of these pools."""
    names = {requirement.name for requirement in requirements}
    rows = list(Pool.objects.filter(name__in=names).order_by("zone_id")) if names else []
    return tuple(_resolved(requirement, rows) for requirement in requirements)


def _resolved(requirement: PoolRequirement, rows: Sequence[Pool]) -> ResolvedPoolRequirement:
    pools = [row for row in rows if row.name == requirement.name and requirement.zone in (None, row.zone_id)]
    return ResolvedPoolRequirement(
        requirement.name,
        pool_trait(requirement.name),
        requirement.gib,
        tuple((pool.zone_id, max(0, pool.capacity_gib - pool.used_gib)) for pool in pools),
        frozenset(pool.zone_id for pool in pools if pool.is_nearly_full),
    )


def host_named(ref: str) -> str:
    """Return the id of the node with this name or id.

    Raises:
        UnknownHost
    """
    node = by_ref(Node.objects.only("pk"), ref)
    if node is None:
        raise UnknownHost(field="host", name=ref)
    return str(node.pk)


def group_nodes(group_id: UUID, *, but: UUID) -> frozenset[str]:
    """Return the nodes of an affinity group's members, including migration destinations, `but` not counted.

    Members on a fenced node run nowhere, and do not count.
    """
    members = Allocation.objects.filter(group_id=group_id).exclude(consumer_id=but).exclude(moving_id=but)
    members = members.exclude(node__admin_state="fenced")
    return frozenset(str(node_id) for node_id in members.values_list("node_id", flat=True))


def current_allocations() -> QuerySet[Allocation]:
    """Return the locations of all consumers. A migrating one counts at its source."""
    return Allocation.objects.filter(moving_id=None)


def classifications_of(resource_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Return the classifications of the resources' data; a resource without a record is public."""
    return dict(Binding.objects.filter(pk__in=list(resource_ids)).values_list("pk", "classifications"))


def proposals(actor: Actor) -> QuerySet[PolicyProposal]:
    """Return the proposals about the actor's organization and project; its officers see those of all its projects."""
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
    decision = decisions(actor, project).filter(consumer_id=consumer_id).order_by("-created_at").first()
    if decision is None:
        raise DecisionNotFound(name=str(consumer_id))
    return decision


def unknown_zones(zone_ids: Sequence[str]) -> list[str]:
    if not zone_ids:
        return []
    existing = set(Zone.objects.filter(pk__in=zone_ids).values_list("pk", flat=True))
    return [zone_id for zone_id in zone_ids if zone_id not in existing]


def visible_decision(actor: Actor, ref: str) -> Decision:
    """Return the decision by id, of any project that the actor sees.

    Raises:
        DecisionNotFound
    """
    rows = Decision.objects.filter(project__in=projects(actor)).select_related("project", "policies")
    decision = by_id(rows, ref)
    if decision is None:
        raise DecisionNotFound(name=ref)
    return decision


def exemptions(actor: Actor) -> QuerySet[Exemption]:
    """Return the exemptions of the projects that the actor sees.

    An officer sees those of all projects of the organization, since any of its officers may approve one.
    """
    mine = Q(project__in=projects(actor)) | Q(project__organization__in=actor.ruled_ids)
    return Exemption.objects.filter(mine).select_related("project")


def exemption_of(actor: Actor, project: Project, ref: str) -> Exemption:
    """Return an exemption of this project.

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

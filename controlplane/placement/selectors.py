"""What a decision rests on, read from the database and turned into plain values."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.catalog.models import Zone
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.nodes.models import Inventory
from controlplane.placement.core.facts import ZoneFacts
from controlplane.placement.core.fleet import Fleet, NodeRow
from controlplane.placement.core.policy import Policy, parse
from controlplane.placement.core.request import Resources
from controlplane.placement.errors import DecisionNotFound, NoAllocation
from controlplane.placement.models import Allocation, Decision, PolicyVersion

NODE_COLUMNS = (
    "node_id",
    "node__name",
    "node__zone_id",
    "vcpus_capacity",
    "memory_mib_capacity",
    "disk_gib_capacity",
    "vcpus_used",
    "memory_mib_used",
    "disk_gib_used",
    "node__state",
    "node__is_cordoned",
    "generation",
    "node__traits",
)


def snapshot() -> tuple[Fleet, tuple[ZoneFacts, ...]]:
    """The fleet and the zones as they are now."""
    rows = [
        NodeRow(
            id=str(row[0]),
            name=row[1],
            zone=row[2],
            capacity=Resources(*(max(0, amount) for amount in row[3:6])),
            used=Resources(*row[6:9]),
            is_ready=row[9] == "ready",
            is_cordoned=row[10],
            generation=row[11],
            traits=frozenset(row[12]),
        )
        for row in Inventory.objects.values_list(*NODE_COLUMNS)
    ]
    zones = tuple(ZoneFacts(id=zone.pk, status=zone.status) for zone in Zone.objects.only("pk", "status"))  # type: ignore[arg-type]
    return Fleet.from_rows(rows), zones


def policies(project: Project) -> tuple[Policy, ...]:
    """The policies in force for a project: its organization's, then its own."""
    heads = (
        ("organization", policy_head(organization_id=project.organization_id)),
        ("project", policy_head(project_id=project.pk)),
    )
    return tuple(
        parse({"id": str(head.pk), "level": level, "atoms": head.atoms}) for level, head in heads if head is not None
    )


def policy_head(*, organization_id: UUID | None = None, project_id: UUID | None = None) -> PolicyVersion | None:
    """The version in force, or None when nothing was ever demanded."""
    owner = Q(organization=organization_id) if organization_id else Q(project=project_id)
    return PolicyVersion.objects.filter(owner).order_by("-version").first()


def nodes_of(consumer_ids: Iterable[UUID]) -> frozenset[str]:
    """The nodes on which these consumers are.

    Raises:
        NoAllocation: one of them has no place.
    """
    wanted = set(consumer_ids)
    rows = dict(Allocation.objects.filter(consumer_id__in=wanted).values_list("consumer_id", "node_id"))
    if wanted - rows.keys():
        raise NoAllocation()
    return frozenset(str(node_id) for node_id in rows.values())


def group_nodes(group_id: UUID, *, but: UUID) -> frozenset[str]:
    """The nodes on which the members of an affinity group are, `but` not counted."""
    members = Allocation.objects.filter(group_id=group_id).exclude(consumer_id=but)
    return frozenset(str(node_id) for node_id in members.values_list("node_id", flat=True))


def decisions(actor: Actor, project: Project) -> QuerySet[Decision]:
    return Decision.objects.filter(project=project)


def latest_decision(actor: Actor, project: Project, consumer_id: UUID) -> Decision:
    found = decisions(actor, project).filter(consumer_id=consumer_id).order_by("-created_at").first()
    if found is None:
        raise DecisionNotFound(name=str(consumer_id))
    return found


def unknown_zones(zone_ids: Sequence[str]) -> list[str]:
    known = set(Zone.objects.filter(pk__in=zone_ids).values_list("pk", flat=True))
    return [zone_id for zone_id in zone_ids if zone_id not in known]

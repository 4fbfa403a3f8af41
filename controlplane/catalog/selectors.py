"""Catalogue queries: an actor's images, and the public parts."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from andromede_core.documents.signed import Signed
from andromede_core.facts import statements
from andromede_core.facts.catalogue import NAMED_SETS, STATUSES
from andromede_core.facts.statements import Statement
from andromede_core.facts.world import World, ZoneStatus
from controlplane.catalog.errors import (
    FlavorNotFound,
    ImageNotFound,
    ImageNotReady,
    PartyNotFound,
    ZoneNotFound,
)
from controlplane.catalog.models import Fact, Flavor, Image, OfficerKey, Party, Region, Zone
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.prepared_queries import Prepared, PreparedByRef


def images(actor: Actor, project: Project | None) -> QuerySet[Image]:
    """Return the project's images and the public ones; without a project the public ones alone."""
    return _images(project)


def _images(project: Any) -> QuerySet[Image]:
    return Image.objects.filter(Q(project=project) | Q(project__isnull=True)).exclude(state="deleted")


IMAGE = PreparedByRef(lambda project: _images(project).order_by(F("project").asc(nulls_last=True)), ImageNotFound)


def image_get(actor: Actor, project: Project | None, ref: str) -> Image:
    """Return an image by id or name; the project's own image comes before a public one of the same name."""
    return IMAGE.get(ref, project.pk if project is not None else None)


def usable_image(actor: Actor, project: Project, ref: str) -> Image:
    """Return an image that a disk can be created from.

    Raises:
        ImageNotFound, ImageNotReady: `field` is "image".
    """
    try:
        image = image_get(actor, project, ref)
    except ImageNotFound as exc:
        raise ImageNotFound(field="image", name=ref) from exc
    if image.state != "available":
        raise ImageNotReady(field="image", name=image.name, state=image.state)
    return image


def regions() -> QuerySet[Region]:
    return Region.objects.order_by("pk")


def zones() -> QuerySet[Zone]:
    return Zone.objects.select_related("region").order_by("pk")


def zone_get(ref: str) -> Zone:
    zone = zones().filter(pk=ref).first()
    if zone is None:
        raise ZoneNotFound(name=ref)
    return zone


def parties() -> QuerySet[Party]:
    return Party.objects.order_by("pk")


def party_get(ref: str) -> Party:
    party = parties().filter(pk=ref).first()
    if party is None:
        raise PartyNotFound(name=ref)
    return party


def facts(actor: Actor) -> QuerySet[Fact]:
    """Return all facts ever stated. Tenants do not see facts about single nodes."""
    rows = Fact.objects.all()
    return rows if actor.sees_all else rows.exclude(subject_kind="node")


def facts_in_force(known_at: datetime | None = None) -> Q:
    """Filter facts: counted at that moment, or now."""
    if known_at is None:
        return Q(superseded_at__isnull=True)
    return Q(created_at__lte=known_at) & (Q(superseded_at__isnull=True) | Q(superseded_at__gt=known_at))


def valid_at(at: datetime) -> Q:
    """Filter facts: valid in the world at that moment."""
    return Q(valid_from__lte=at) & (Q(valid_to__isnull=True) | Q(valid_to__gt=at))


def facts_of(
    kind: str, subject_ids: Collection[str], *, at: datetime, known_at: datetime | None = None
) -> dict[str, dict[str, Fact]]:
    """Return subject id → attribute → the fact valid at `at`, among those that counted at `known_at` (now), due for
    review or not.

    An attribute without facts is missing; one that is declared as unknown has the value None.
    """
    rows = Fact.objects.filter(
        facts_in_force(known_at), valid_at(at), subject_kind=kind, subject_id__in=subject_ids
    ).order_by("attribute")
    facts: dict[str, dict[str, Fact]] = {subject_id: {} for subject_id in subject_ids}
    for fact in rows:
        facts[fact.subject_id][fact.attribute] = fact
    return facts


def named_sets(*, at: datetime) -> QuerySet[Fact]:
    """Return the valid version of every named set and scheme class, annotated with its `name`."""
    rows = Fact.objects.filter(facts_in_force(), valid_at(at), subject_kind__in=NAMED_SETS)
    return rows.annotate(name=F("subject_id"))


def officer_keys() -> QuerySet[OfficerKey]:
    return OfficerKey.objects.order_by("pk")


def flavors() -> QuerySet[Flavor]:
    """Return the flavors, smallest first."""
    return Flavor.objects.order_by("vcpus", "memory_mib", "disk_gib", "pk")


FLAVOR = Prepared(lambda ref: Flavor.objects.filter(pk=ref))


def flavor_get(ref: str) -> Flavor:
    flavor = FLAVOR.first(ref)
    if flavor is None:
        raise FlavorNotFound(field="flavor", name=ref)
    return flavor


def world(*, known_at: datetime | None = None) -> World:
    """Return the history of all facts that counted at `known_at` (default: now), to evaluate policies at any time.

    Zones have their present status.
    """
    facts = Fact.objects.filter(facts_in_force(known_at))
    status_names: dict[str, ZoneStatus] = {status: status for status in STATUSES}
    statuses = {zone: status_names[status] for zone, status in Zone.objects.order_by("pk").values_list("pk", "status")}
    return statements.world((statement_of(fact) for fact in facts), statuses)


def signed_facts() -> list[Signed]:
    """Return all present facts as signed: by subject, attribute and time."""
    rows = Fact.objects.filter(facts_in_force())
    return [signed_of(fact) for fact in rows.order_by("subject_kind", "subject_id", "attribute", "valid_from")]


def statement_of(fact: Fact) -> Statement:
    """Return the statement that the officer signed."""
    return Statement(**{name: getattr(fact, name) for name in statements.FIELDS})


def signed_of(fact: Fact) -> Signed:
    return Signed(statement_of(fact).payload(), fact.key_id, bytes(fact.signature))

"""What an actor sees of the catalogue: its images, and what everybody sees."""

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
    VolumeTypeNotFound,
    ZoneNotFound,
)
from controlplane.catalog.models import LOCAL, Fact, Flavor, Image, OfficerKey, Party, Region, VolumeType, Zone
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.prepared_queries import Prepared, PreparedByRef


def images(actor: Actor, project: Project | None) -> QuerySet[Image]:
    """The project's images and the public ones; without a project the public ones alone."""
    return _images(project)


def _images(project: Any) -> QuerySet[Image]:
    return Image.objects.filter(Q(project=project) | Q(project__isnull=True)).exclude(state="deleted")


IMAGE = PreparedByRef(lambda project: _images(project).order_by(F("project").asc(nulls_last=True)), ImageNotFound)


def image_get(actor: Actor, project: Project | None, ref: str) -> Image:
    """By id or name; the project's own image comes before a public one of the same name."""
    return IMAGE.get(ref, project.pk if project is not None else None)


def usable_image(actor: Actor, project: Project, ref: str) -> Image:
    """An image that a disk can be made from.

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
    """All that was ever stated. What is known of single machines is not for tenants."""
    found = Fact.objects.all()
    return found if actor.sees_all else found.exclude(subject_kind="node")


def facts_in_force(believed_at: datetime | None = None) -> Q:
    """Of facts: believed at that moment, or now."""
    if believed_at is None:
        return Q(superseded_at__isnull=True)
    return Q(created_at__lte=believed_at) & (Q(superseded_at__isnull=True) | Q(superseded_at__gt=believed_at))


def valid_at(at: datetime) -> Q:
    """Of facts: true in the world at that moment, if they are right."""
    return Q(valid_from__lte=at) & (Q(valid_to__isnull=True) | Q(valid_to__gt=at))


def facts_of(
    kind: str, subject_ids: Collection[str], *, at: datetime, believed_at: datetime | None = None
) -> dict[str, dict[str, Fact]]:
    """subject id → attribute → what was believed at `believed_at` (now) to hold at `at`, due for review or not.

    An attribute that nothing is said of is missing; one that is known to be unknown has the value None.
    """
    found = Fact.objects.filter(
        facts_in_force(believed_at), valid_at(at), subject_kind=kind, subject_id__in=subject_ids
    ).order_by("attribute")
    facts: dict[str, dict[str, Fact]] = {subject_id: {} for subject_id in subject_ids}
    for fact in found:
        facts[fact.subject_id][fact.attribute] = fact
    return facts


def named_sets(*, at: datetime) -> QuerySet[Fact]:
    """Of every named set and scheme class the version that holds; annotated with its `name`."""
    found = Fact.objects.filter(facts_in_force(), valid_at(at), subject_kind__in=NAMED_SETS)
    return found.annotate(name=F("subject_id"))


def officer_keys() -> QuerySet[OfficerKey]:
    return OfficerKey.objects.order_by("pk")


def flavors() -> QuerySet[Flavor]:
    """Smallest first."""
    return Flavor.objects.order_by("vcpus", "memory_mib", "disk_gib", "pk")


FLAVOR = Prepared(lambda ref: Flavor.objects.filter(pk=ref))


def flavor_get(ref: str) -> Flavor:
    flavor = FLAVOR.first(ref)
    if flavor is None:
        raise FlavorNotFound(field="flavor", name=ref)
    return flavor


def volume_types() -> QuerySet[VolumeType]:
    return VolumeType.objects.order_by("pk")


def volume_type_get(ref: str, *, field: str = "volume_type") -> VolumeType:
    volume_type = volume_types().filter(pk=ref).first()
    if volume_type is None:
        raise VolumeTypeNotFound(field=field, name=ref)
    return volume_type


def root_volume_type(ref: str) -> VolumeType | None:
    """Of an instance's root disk; None: on its node alone, which no type has to stand for."""
    return None if ref == LOCAL else volume_type_get(ref, field="root_volume_type")


def world(*, believed_at: datetime | None = None) -> World:
    """All that is known, as of `believed_at` (default: as it is believed now): the facts of all times, to evaluate
    policies against at any. Zones are open, draining or closed as they are now."""
    facts = Fact.objects.filter(facts_in_force(believed_at))
    known: dict[str, ZoneStatus] = {status: status for status in STATUSES}
    statuses = {zone: known[status] for zone, status in Zone.objects.order_by("pk").values_list("pk", "status")}
    return statements.world((statement_of(fact) for fact in facts), statuses)


def signed_facts() -> list[Signed]:
    """All that is believed now, as it was signed: by subject, attribute and time."""
    found = Fact.objects.filter(facts_in_force())
    return [signed_of(fact) for fact in found.order_by("subject_kind", "subject_id", "attribute", "valid_from")]


def statement_of(fact: Fact) -> Statement:
    """What the officer signed."""
    return Statement(**{name: getattr(fact, name) for name in statements.FIELDS})


def signed_of(fact: Fact) -> Signed:
    return Signed(statement_of(fact).payload(), fact.key_id, bytes(fact.signature))

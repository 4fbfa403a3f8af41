"""What an actor sees of the catalogue: its images, and what everybody sees."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import F, Q, QuerySet

from controlplane.catalog.errors import (
    FlavorNotFound,
    ImageNotFound,
    ImageNotReady,
    VolumeTypeNotFound,
    ZoneNotFound,
)
from controlplane.catalog.models import Fact, Flavor, Image, Region, VolumeType, Zone
from controlplane.identity.actor import Actor
from controlplane.identity.models import Project
from controlplane.kernel.names import as_uuid
from controlplane.placement.core import statements
from controlplane.placement.core.facts import World
from controlplane.placement.core.statements import Statement


def images(actor: Actor, project: Project | None) -> QuerySet[Image]:
    """The project's images and the public ones; without a project the public ones alone."""
    mine = Q(project=project) if project is not None else Q()
    return Image.objects.filter(mine | Q(project__isnull=True)).exclude(state="deleted")


def image_get(actor: Actor, project: Project | None, ref: str) -> Image:
    """By id or name; the project's own image comes before a public one of the same name."""
    as_id = as_uuid(ref)
    found = images(actor, project).filter(Q(pk=as_id) if as_id else Q(name=ref))
    image = found.order_by(F("project").asc(nulls_last=True)).first()
    if image is None:
        raise ImageNotFound(name=ref)
    return image


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


def facts_at(kind: str, subject_ids: Collection[str], *, moment: datetime) -> dict[str, dict[str, object]]:
    """subject id → attribute → value, as we now believe that it is, was or will be at `moment`.

    An attribute that nothing is said of is missing; one that is known to be unknown is None.
    """
    facts = Fact.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=moment),
        subject_kind=kind,
        subject_id__in=subject_ids,
        valid_from__lte=moment,
        superseded_at__isnull=True,
    )
    values: dict[str, dict[str, object]] = {subject_id: {} for subject_id in subject_ids}
    for subject_id, attribute, value in facts.values_list("subject_id", "attribute", "value"):
        values[subject_id][attribute] = value
    return values


def flavors() -> QuerySet[Flavor]:
    """Smallest first."""
    return Flavor.objects.order_by("vcpus", "memory_mib", "disk_gib", "pk")


def flavor_get(ref: str) -> Flavor:
    flavor = flavors().filter(pk=ref).first()
    if flavor is None:
        raise FlavorNotFound(field="flavor", name=ref)
    return flavor


def volume_types() -> QuerySet[VolumeType]:
    return VolumeType.objects.order_by("pk")


def volume_type_get(ref: str) -> VolumeType:
    volume_type = volume_types().filter(pk=ref).first()
    if volume_type is None:
        raise VolumeTypeNotFound(field="volume_type", name=ref)
    return volume_type


def world(*, believed_at: datetime | None = None) -> World:
    """All that is known, as of `believed_at` (default: as it is believed now): the facts of all times, to evaluate
    policies against at any."""
    facts = Fact.objects.filter(superseded_at__isnull=True)
    if believed_at is not None:
        facts = Fact.objects.filter(
            Q(superseded_at__isnull=True) | Q(superseded_at__gt=believed_at), created_at__lte=believed_at
        )
    statuses = dict(Zone.objects.order_by("pk").values_list("pk", "status"))
    return statements.world((statement_of(fact) for fact in facts), statuses)


def statement_of(fact: Fact) -> Statement:
    """What the officer signed."""
    return Statement(**{name: getattr(fact, name) for name in statements.FIELDS})

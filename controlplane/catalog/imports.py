"""Take the catalogue and the offers from files. Each import is one transaction; a second one changes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from controlplane.catalog.models import Fact, Flavor, Party, Region, VolumeType, Zone
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.placement.core.catalogue import Catalogue, Statement, parse
from controlplane.placement.core.reading import as_choice, as_count, as_list, as_object, as_slug, as_text

OFFERS_SCHEMA = "andromede.offers/1"


@dataclass(frozen=True)
class CatalogueImport:
    """What an import found and what it changed. `superseded`: facts that are not believed any more."""

    regions: int
    parties: int
    zones: int
    stated: int
    superseded: int
    unchanged: int


@dataclass(frozen=True)
class OffersImport:
    flavors: int
    volume_types: int
    changed: int


@transaction.atomic(durable=True)
def catalogue_import(actor: Actor, document: object) -> CatalogueImport:
    """Make the catalogue what the decoded JSON file says. What the file does not name stays as it is.

    Of a zone, party or set in the file, the file states all facts from its valid_from on: an attribute that it leaves
    out is not believed any more. No fact is changed: one that differs is superseded by another.

    Raises:
        CatalogueInvalid: nothing was imported; `reason` names the place.
    """
    actor.may_operate()
    catalogue = parse(document)
    _wait_for_other_imports()
    _write_rows(catalogue)
    stated, superseded, unchanged = _write_facts(catalogue.statements)
    return CatalogueImport(
        regions=len(catalogue.regions),
        parties=len(catalogue.party_names),
        zones=len(catalogue.zones),
        stated=stated,
        superseded=superseded,
        unchanged=unchanged,
    )


def _wait_for_other_imports() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('catalogue import', 0))")


def _write_rows(catalogue: Catalogue) -> None:
    for region in catalogue.regions:
        Region.objects.update_or_create(pk=region.id, defaults={"name": region.name, "kind": region.kind})
    for party_id, name in catalogue.party_names.items():
        Party.objects.update_or_create(pk=party_id, defaults={"name": name})
    for zone in catalogue.zones:
        Zone.objects.update_or_create(pk=zone.id, defaults={"region_id": zone.region, "status": zone.status})


def _write_facts(subjects: Iterable[Statement]) -> tuple[int, int, int]:
    """How many facts were stated, superseded and left as they were."""
    now = clock.now()
    believed: dict[tuple[str, str], dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
    for fact in Fact.objects.filter(superseded_at__isnull=True):
        believed[fact.subject_kind, fact.subject_id][fact.attribute].append(fact)
    ended: list[Fact] = []
    new: list[Fact] = []
    unchanged = 0
    for subject in subjects:
        known = believed[subject.kind, subject.id]
        for attribute in sorted(subject.values.keys() | known.keys()):
            later = [fact for fact in known[attribute] if fact.valid_to is None or fact.valid_to > subject.valid_from]
            if _says_the_same(subject, attribute, later):
                unchanged += len(later)
                continue
            ended += later
            new += _instead(subject, attribute, later, now=now)
    Fact.objects.filter(pk__in=[fact.pk for fact in ended]).update(superseded_at=now, updated_at=now)
    Fact.objects.bulk_create(new)
    return len(new), len(ended), unchanged


def _says_the_same(subject: Statement, attribute: str, later: list[Fact]) -> bool:
    if attribute not in subject.values:
        return not later
    return (
        len(later) == 1
        and later[0].value == subject.values[attribute]
        and later[0].valid_from <= subject.valid_from
        and later[0].valid_to == subject.valid_to
    )


def _instead(subject: Statement, attribute: str, later: list[Fact], *, now: datetime) -> list[Fact]:
    """What is believed in place of `later`: up to the subject's valid_from the same as before, then what it states."""
    before = [
        _fact(subject, attribute, fact.value, (fact.valid_from, subject.valid_from), now=now)
        for fact in later
        if fact.valid_from < subject.valid_from
    ]
    if attribute not in subject.values:
        return before
    period = (subject.valid_from, subject.valid_to)
    return [*before, _fact(subject, attribute, subject.values[attribute], period, now=now)]


def _fact(
    subject: Statement, attribute: str, value: object, period: tuple[datetime, datetime | None], *, now: datetime
) -> Fact:
    return Fact(
        subject_kind=subject.kind,
        subject_id=subject.id,
        attribute=attribute,
        value=value,
        valid_from=period[0],
        valid_to=period[1],
        created_at=now,
    )


@transaction.atomic(durable=True)
def offers_import(actor: Actor, document: object) -> OffersImport:
    """Make flavors and volume types what the decoded JSON file says. What it does not name stays.

    Instances keep the sizes they were made with when their flavor changes.

    Raises:
        CatalogueInvalid: nothing was imported; `reason` names the place.
    """
    actor.may_operate()
    body = as_object(document, "file", required=("schema", "flavors", "volume_types"), optional=("comment",))
    as_choice(body["schema"], "schema", among=(OFFERS_SCHEMA,))
    flavors = [_flavor(item, f"flavors[{n}]") for n, item in enumerate(as_list(body["flavors"], "flavors"))]
    types = [
        _volume_type(item, f"volume_types[{n}]") for n, item in enumerate(as_list(body["volume_types"], "volume_types"))
    ]
    rows: list[Flavor | VolumeType] = [*flavors, *types]
    changed = sum(map(_is_changed, rows))
    for row in rows:
        row.save()
    return OffersImport(flavors=len(flavors), volume_types=len(types), changed=changed)


def _flavor(item: object, at: str) -> Flavor:
    body = as_object(item, at, required=("id", "vcpus", "memory_mib", "disk_gib"))
    return Flavor(
        pk=as_slug(body["id"], f"{at}.id"),
        vcpus=as_count(body["vcpus"], f"{at}.vcpus", minimum=1, maximum=1024),
        memory_mib=as_count(body["memory_mib"], f"{at}.memory_mib", minimum=64, maximum=64 * 2**20),
        disk_gib=as_count(body["disk_gib"], f"{at}.disk_gib", minimum=1, maximum=2**20),
    )


def _volume_type(item: object, at: str) -> VolumeType:
    body: Mapping[str, object] = as_object(item, at, required=("id", "description"))
    return VolumeType(
        pk=as_choice(body["id"], f"{at}.id", among=("local",)),
        description=as_text(body["description"], f"{at}.description"),
    )


def _is_changed(row: Flavor | VolumeType) -> bool:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return not type(row)._default_manager.filter(**values).exists()

"""Import of the catalogue and the offers from files. Each import is one transaction; a second one changes nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from andromede_core.documents.messages import Message, message_of
from andromede_core.documents.parsing import (
    Malformed,
    as_choice,
    as_count,
    as_list,
    as_object,
    as_slug,
    as_text,
    refuse,
)
from andromede_core.facts import catalogue as core
from andromede_core.facts.catalogue import Catalogue, review_days
from andromede_core.facts.statements import Statement
from andromede_core.facts.world import shifted
from controlplane.catalog import epochs, facts
from controlplane.catalog.bitemporal import (
    FOR_EVER,
    Period,
    Subject,
    overlap,
    period,
    subject,
    uncovered,
    with_remainders,
)
from controlplane.catalog.errors import CatalogueInvalid
from controlplane.catalog.models import (
    DEFAULT_MAX_VOLUMES,
    LOCAL,
    Fact,
    Flavor,
    OfficerKey,
    Party,
    Region,
    VolumeType,
    Zone,
)
from controlplane.catalog.selectors import facts_in_force, statement_of
from controlplane.catalog.signing import REVIEW_DAYS
from controlplane.catalog.signing_keys import Officer
from controlplane.identity.actor import Actor
from controlplane.kernel import clock

OFFERS_SCHEMA = "andromede.offers/1"
MOST_VOLUMES = 24  # as many as nodes can plug in
# A fact whose review is nearer than this is stated again. Longer than a fortnight's holiday of the only officer.
RENEWED_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class CatalogueImport:
    """Findings and changes of an import. `superseded`: facts that do not count any more."""

    regions: int
    parties: int
    zones: int
    stated: int
    superseded: int
    unchanged: int
    epoch: int


@dataclass(frozen=True)
class OffersImport:
    flavors: int
    volume_types: int
    changed: int


@dataclass(frozen=True)
class Signing:
    """Parameters of the signature.

    `attested_at`: when the officer has verified the file's statements; None: the time in the file, or now. `restate`:
    state everything again, whether it differs or not.
    """

    officer: Officer
    attested_at: datetime | None = None
    restate: bool = False


@transaction.atomic(durable=True)
def catalogue_import(actor: Actor, document: object, signing: Signing) -> CatalogueImport:
    """Make the catalogue equal to the decoded JSON file, each statement signed by the officer.

    Subjects that the file does not name do not change.

    For a zone, party or set in the file, the file states all facts from its valid_from on: a missing attribute is
    stated as unknown. A present statement is repeated only when its review is near or its key was revoked.

    Raises:
        CatalogueInvalid: nothing was imported; `reason` names the location in the file.
        RoleNeeded, and the errors of facts_state()
    """
    actor.may_operate()
    with _naming_the_place():
        catalogue = core.parse(document)
        if signing.attested_at is None and catalogue.stated_at and catalogue.stated_at > clock.now() + facts.CLOCK_SKEW:
            reason = Message("is in the future; the file must have been checked before its import")
            refuse("generated_for", reason)
    facts.lock_statements()
    is_zone_changed = _write_rows(catalogue)
    comparison = _compared(catalogue, signing)
    done = facts.state(actor, [signing.officer.signed(statement) for statement in comparison.statements()])
    epoch = epochs.advance() if is_zone_changed and not done.stated else done.epoch
    return CatalogueImport(
        regions=len(catalogue.regions),
        parties=len(catalogue.party_names),
        zones=len(catalogue.zones),
        stated=len(done.stated),
        superseded=done.superseded,
        unchanged=comparison.unchanged,
        epoch=epoch,
    )


def _write_rows(catalogue: Catalogue) -> bool:
    """Write the rows; returns True if a zone is new or has another status, so that decisions may differ."""
    for region in catalogue.regions:
        Region.objects.update_or_create(pk=region.id, defaults={"name": region.name, "kind": region.kind})
    for party_id, name in catalogue.party_names.items():
        Party.objects.update_or_create(pk=party_id, defaults={"name": name})
    before = dict(Zone.objects.values_list("pk", "status"))
    for zone in catalogue.zones:
        Zone.objects.update_or_create(pk=zone.id, defaults={"region_id": zone.region, "status": zone.status})
    return any(before.get(zone.id) != zone.status for zone in catalogue.zones)


@dataclass(frozen=True)
class ImportedStatement:
    """A statement in the file. `is_review_given`: the file itself has the review date."""

    statement: Statement
    is_review_given: bool = False


@dataclass
class Comparison:
    """Comparison of the file with the present statements, attribute by attribute."""

    signing: Signing
    attested_at: datetime
    now: datetime
    revoked: Collection[str]
    new: list[Statement] = field(default_factory=list)
    known: list[Fact] = field(default_factory=list)
    unchanged: int = 0

    def add(
        self, about: Subject, imported: Sequence[ImportedStatement], current: Sequence[Fact], *, since: datetime
    ) -> None:
        """Add an attribute. `since`: from when on the file has all statements about the attribute."""
        self.known += current
        for each in imported:
            if not self.signing.restate and any(self._is_same(each, fact) for fact in current):
                self.unchanged += 1
            else:
                self.new.append(each.statement)
        for gap in uncovered((since, FOR_EVER), [period(each.statement) for each in imported]):
            if any(self._is_unsaid(fact, gap) for fact in current):
                self.new.append(self.statement(about, None, gap))

    def _is_same(self, imported: ImportedStatement, fact: Fact) -> bool:
        """Return True if the statement adds nothing: a later beginning of the same value is no change."""
        statement = imported.statement
        is_same = (fact.value, fact.valid_to, fact.assertion, fact.evidence_sha256) == (
            statement.value,
            statement.valid_to,
            statement.assertion,
            statement.evidence_sha256,
        )
        is_fresh = (
            fact.review_by == statement.review_by
            if imported.is_review_given
            else fact.review_by > self.now + RENEWED_BEFORE or period(statement)[1] <= self.now
        )
        return is_same and is_fresh and fact.valid_from <= statement.valid_from and fact.key_id not in self.revoked

    def _is_unsaid(self, fact: Fact, gap: Period) -> bool:
        return fact.value is not None and overlap(period(statement_of(fact)), gap)

    def statement(self, about: Subject, value: object, when: Period, source: core.Statement | None = None) -> Statement:
        kind, name, attribute = about
        usual = shifted(self.attested_at, timedelta(days=review_days(kind, attribute) or REVIEW_DAYS))
        return Statement(
            subject_kind=kind,
            subject_id=name,
            attribute=attribute,
            value=value,
            valid_from=when[0],
            valid_to=None if when[1] == FOR_EVER else when[1],
            attested_at=self.attested_at,
            review_by=(source.review_by if source else None) or usual,
            assertion=source.assertion if source else "self_declared",
            evidence_sha256=source.evidence_sha256 if source else "",
            author=self.signing.officer.name,
        )

    def statements(self) -> list[Statement]:
        """Return the statements to sign."""
        return with_remainders(self.new, map(statement_of, self.known))


def _compared(catalogue: Catalogue, signing: Signing) -> Comparison:
    now = clock.now()
    revoked = set(OfficerKey.objects.exclude(revoked_at=None).values_list("key_id", flat=True))
    comparison = Comparison(signing, signing.attested_at or catalogue.stated_at or now, now, revoked)
    imported: dict[Subject, list[ImportedStatement]] = defaultdict(list)
    for about, each in _imported_statements(catalogue, comparison):
        imported[about].append(each)
    entries = _entries(catalogue)
    current_facts: dict[Subject, list[Fact]] = defaultdict(list)
    for fact in Fact.objects.filter(facts_in_force()).order_by("valid_from"):
        current_facts[subject(statement_of(fact))].append(fact)
    left_out = {about for about in current_facts if about[:2] in entries} - imported.keys()
    for about in sorted(imported.keys() | left_out):
        starts = [each.statement.valid_from for each in imported[about]] or [entries[about[:2]]]
        comparison.add(about, imported[about], current_facts[about], since=min(starts))
    return comparison


def _imported_statements(catalogue: Catalogue, comparison: Comparison) -> Iterator[tuple[Subject, ImportedStatement]]:
    for each in catalogue.statements:
        for attribute, value in each.values.items():
            about = (each.kind, each.id, attribute)
            when = (each.valid_from, each.valid_to or FOR_EVER)
            statement = comparison.statement(about, value, when, each)
            yield about, ImportedStatement(statement, each.review_by is not None)


def _entries(catalogue: Catalogue) -> Mapping[tuple[str, str], datetime]:
    """Return kind and id of the subjects with an entry of their own, and the beginning of each entry, which precedes
    single statements about the subject.
    """
    starts: dict[tuple[str, str], datetime] = {}
    for each in catalogue.statements:
        if each.kind in ("zone", "party", *core.NAMED_SETS):
            starts.setdefault((each.kind, each.id), each.valid_from)
    return starts


@contextmanager
def _naming_the_place() -> Iterator[None]:
    try:
        yield
    except Malformed as exc:
        raise CatalogueInvalid(reason=message_of(exc)) from exc


@transaction.atomic(durable=True)
def offers_import(actor: Actor, document: object) -> OffersImport:
    """Make flavors and volume types equal to the decoded JSON file. Those that the file does not name stay, and so do
    volume types that the API has created or changed.

    Instances keep their sizes when their flavor changes.

    Raises:
        CatalogueInvalid: nothing was imported; `reason` names the location in the file.
    """
    actor.may_operate()
    with _naming_the_place():
        flavors, types = _offers(document)
    of_api = set(VolumeType.objects.filter(is_imported=False).values_list("pk", flat=True))
    rows: list[Flavor | VolumeType] = [*flavors, *(each for each in types if each.pk not in of_api)]
    changed = sum(map(_is_changed, rows))
    for row in rows:
        row.save()
    return OffersImport(flavors=len(flavors), volume_types=len(types), changed=changed)


def _offers(document: object) -> tuple[list[Flavor], list[VolumeType]]:
    body = as_object(document, "file", required=("schema", "flavors", "volume_types"), optional=("comment",))
    as_choice(body["schema"], "schema", among=(OFFERS_SCHEMA,))
    flavors = [_flavor(item, f"flavors[{n}]") for n, item in enumerate(as_list(body["flavors"], "flavors"))]
    types = [
        _volume_type(item, f"volume_types[{n}]") for n, item in enumerate(as_list(body["volume_types"], "volume_types"))
    ]
    return flavors, types


def _flavor(item: object, at: str) -> Flavor:
    body: Mapping[str, object] = as_object(
        item, at, required=("id", "vcpus", "memory_mib", "disk_gib"), optional=("max_volumes",)
    )
    max_volumes = body.get("max_volumes", DEFAULT_MAX_VOLUMES)
    return Flavor(
        pk=as_slug(body["id"], f"{at}.id"),
        vcpus=as_count(body["vcpus"], f"{at}.vcpus", minimum=1, maximum=1024),
        memory_mib=as_count(body["memory_mib"], f"{at}.memory_mib", minimum=64, maximum=64 * 2**20),
        disk_gib=as_count(body["disk_gib"], f"{at}.disk_gib", minimum=0, maximum=2**20),
        max_volumes=as_count(max_volumes, f"{at}.max_volumes", minimum=0, maximum=MOST_VOLUMES),
    )


def _volume_type(item: object, at: str) -> VolumeType:
    """Return the volume type: `local` is on the node's own disk, any other one in the pool that it names."""
    body: Mapping[str, object] = as_object(item, at, required=("id", "description"), optional=("pool",))
    name = as_slug(body["id"], f"{at}.id")
    is_local = name == LOCAL
    if is_local == ("pool" in body):
        problem = (
            Message("local is on a node's own disk") if is_local else Message("is missing: only local is in no pool")
        )
        refuse(f"{at}.pool", problem)
    return VolumeType(
        pk=name,
        description=as_text(body["description"], f"{at}.description"),
        pool=as_slug(body["pool"], f"{at}.pool") if "pool" in body else "",
        is_imported=True,
    )


def _is_changed(row: Flavor | VolumeType) -> bool:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return not type(row)._default_manager.filter(**values).exists()

"""The catalogue file (andromede.sovereignty.catalogue/1): named sets, parties, regions, zones and their statements.

Pure, standard library only.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from andromede_core.documents.messages import Message
from andromede_core.documents.parsing import (
    as_bool,
    as_choice,
    as_instant,
    as_list,
    as_object,
    as_slug,
    as_text,
    refuse,
)
from andromede_core.facts.attributes import (
    ABOUT,
    CERTIFICATIONS,
    CERTIFIED_NAME,
    CERTIFIED_NAME_WANTS,
    DIGEST,
    PARTIES,
    PARTY,
    PARTY_ROLES,
    SCHEMES,
    SET_MEMBERS,
    SET_NAME,
    TERRITORIES,
    ZONE,
    Attribute,
    correction,
)
from andromede_core.facts.world import ASSERTIONS, Assertion, Fact, Subject, Timeline, World, Zone, ZoneStatus, shifted

SCHEMA = "andromede.sovereignty.catalogue/1"
NAMED_SETS = ("set", "scheme_class")
STATUSES: tuple[ZoneStatus, ...] = ("open", "draining", "closed")
ABOUT_THE_STATEMENT = ("valid_from", "valid_to", "review_by", "assertion", "evidence_sha256")
ZONE_OWN = ("id", "region", "status", *ABOUT_THE_STATEMENT, PARTIES, CERTIFICATIONS)


@dataclass(frozen=True)
class Statement:
    """A statement of the file about one zone, party, set or the like.

    It has each attribute's value (None: declared unknown) in [valid_from, valid_to), and its review date (None: the
    usual period of the attribute). `evidence_sha256`: of the document that it rests on, hex or empty.
    """

    kind: str
    id: str
    valid_from: datetime
    valid_to: datetime | None
    values: Mapping[str, object]
    review_by: datetime | None = None
    assertion: Assertion = "self_declared"
    evidence_sha256: str = ""

    def facts(self) -> dict[str, Fact]:
        return {name: self._fact(name, value) for name, value in self.values.items()}

    def _fact(self, attribute: str, value: object) -> Fact:
        usual = review_days(self.kind, attribute)
        review_by = shifted(self.valid_from, timedelta(days=usual)) if usual and not self.review_by else self.review_by
        return Fact(value, self.valid_from, self.valid_to, review_by, self.assertion)


def review_days(kind: str, attribute: str) -> int | None:
    """Return the days until a statement of the attribute has to be renewed, or None."""
    about = ABOUT[kind].get(attribute)
    return about.review_days if about is not None else None


@dataclass(frozen=True)
class ZoneEntry:
    id: str
    region: str
    status: ZoneStatus


@dataclass(frozen=True)
class RegionEntry:
    id: str
    name: str
    kind: str


@dataclass(frozen=True)
class Catalogue:
    """The content of the file. `stated_at`: when the file was made, if it has that."""

    regions: tuple[RegionEntry, ...]
    party_names: Mapping[str, str]
    zones: tuple[ZoneEntry, ...]
    statements: tuple[Statement, ...]
    stated_at: datetime | None

    def world(self) -> World:
        """Return the facts of the file, to evaluate policies against; zones in the order of the file."""
        facts: dict[str, dict[str, dict[str, list[Fact]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        for statement in self.statements:
            for attribute, fact in statement.facts().items():
                facts[statement.kind][statement.id][attribute].append(fact)
        return World(
            zones={
                zone.id: Zone(zone.id, _parse_statements(facts["zone"][zone.id]), zone.status) for zone in self.zones
            },
            parties={party: Subject(party, _parse_statements(facts["party"][party])) for party in self.party_names},
            sets=_members(facts["set"]),
            scheme_classes=_members(facts["scheme_class"]),
        )


def _parse_statements(facts: Mapping[str, list[Fact]]) -> dict[str, Timeline]:
    return {name: tuple(sorted(timeline, key=lambda fact: fact.valid_from)) for name, timeline in facts.items()}


def _members(by_name: Mapping[str, Mapping[str, list[Fact]]]) -> dict[str, Timeline]:
    return {name: _parse_statements(facts)[SET_MEMBERS] for name, facts in by_name.items()}


def parse(document: object) -> Catalogue:
    """Parse a decoded catalogue file.

    Raises:
        Malformed: at a place such as zones[3].certifications[0].valid_to.
    """
    body = as_object(
        document,
        "file",
        required=("schema", "sets", "parties", "regions", "zones"),
        optional=("$comment", "comment", "generated_for", "scheme_classes", "statements"),
    )
    as_choice(body["schema"], "schema", among=(SCHEMA,))
    stated_at = as_instant(body["generated_for"], "generated_for") if body.get("generated_for") is not None else None
    sets = list(_sets("set", "sets", body["sets"]))
    classes = list(_sets("scheme_class", "scheme_classes", body.get("scheme_classes", {})))
    parties = [_party(value, at) for value, at in _entries(body, "parties")]
    regions = [_region(value, at) for value, at in _entries(body, "regions")]
    zones = [_zone(value, at) for value, at in _entries(body, "zones")]
    names = {statement.id: name for statement, name in parties}
    ids_by_kind = {
        "region": {each.id for each in regions},
        "party": set(names),
        "zone": {entry.id for _, entry in zones},
    }
    of_entries = [*sets, *classes, *(each for each, _ in parties), *(each for several, _ in zones for each in several)]
    further = _further(body.get("statements", []), of_entries, ids_by_kind)
    _check_references(zones, ids_by_kind)
    return Catalogue(
        regions=tuple(regions),
        party_names=names,
        zones=tuple(entry for _, entry in zones),
        statements=(*of_entries, *further),
        stated_at=stated_at,
    )


def _entries(body: Mapping[str, object], key: str) -> list[tuple[dict[str, object], str]]:
    """Return the objects of a list with their places; each has an id, and no id is repeated."""
    entries = []
    seen: set[str] = set()
    for n, value in enumerate(as_list(body[key], key)):
        at = f"{key}[{n}]"
        entry = as_object(value, at, required=("id",), optional=None)
        entry_id = as_slug(entry["id"], f"{at}.id")
        if entry_id in seen:
            refuse(f"{at}.id", Message("{entry_id!r} is in the file twice", entry_id=entry_id))
        seen.add(entry_id)
        entries.append((entry, at))
    return entries


def _check_references(
    zones: Iterable[tuple[Sequence[Statement], ZoneEntry]], ids_by_kind: Mapping[str, Collection[str]]
) -> None:
    for n, (statements, zone) in enumerate(zones):
        if zone.region not in ids_by_kind["region"]:
            refuse(f"zones[{n}].region", Message("there is no region {region!r} in the file", region=zone.region))
        for statement in statements:
            _check_parties(statement.values, f"zones[{n}].parties", ids_by_kind)


def _check_parties(values: Mapping[str, object], at: str, ids_by_kind: Mapping[str, Collection[str]]) -> None:
    for party in parties_of(values.get(PARTIES)):
        if party not in ids_by_kind["party"]:
            refuse(at, Message("there is no party {party!r} in the file", party=party))


def parties_of(parts: object) -> list[str]:
    """Return the parties that a zone's `parties` name."""
    return [str(part["party"]) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _sets(kind: str, key: str, value: object) -> Iterable[Statement]:
    """Parse the sets: each name with one version, or a list of them. Sets hold no sets, so no set can hold itself."""
    for name, raw in as_object(value, key, optional=None).items():
        at = f"{key}.{name}"
        if not SET_NAME.fullmatch(name):
            refuse(at, Message("a set's name is @ and letters or digits"))
        versions = raw if isinstance(raw, list) else [raw]
        if not versions:
            refuse(at, Message("must have a version"))
        statements = [_set_version(kind, name, version, at) for version in versions]
        _refuse_overlaps([(statement, at) for statement in statements])
        yield from statements


def _set_version(kind: str, name: str, value: object, at: str) -> Statement:
    body = as_object(value, at, required=("valid_from", "values"), optional=ABOUT_THE_STATEMENT)
    attribute = TERRITORIES if kind == "set" else SCHEMES
    return _statement(kind, name, body, at, {SET_MEMBERS: checked(body["values"], f"{at}.values", attribute)})


def _refuse_overlaps(placed: Sequence[tuple[Statement, str]]) -> None:
    """Reject overlapping periods.

    The error names the place of the later one; an entry without periods, which may come first, has none.
    """
    ordered = sorted(placed, key=lambda each: each[0].valid_from)
    for (earlier, earlier_at), (later, at) in pairwise(ordered):
        if earlier.valid_to is None or earlier.valid_to > later.valid_from:
            refuse(at or earlier_at, Message("two versions hold at the same time"))


def _statement(kind: str, name: str, body: Mapping[str, object], at: str, values: dict[str, object]) -> Statement:
    valid_from, valid_to = _interval(body, at)
    review_by = as_instant(body["review_by"], f"{at}.review_by") if body.get("review_by") is not None else None
    assertion = as_choice(body.get("assertion", ASSERTIONS[0]), f"{at}.assertion", among=ASSERTIONS)
    evidence = as_digest(body.get("evidence_sha256", ""), f"{at}.evidence_sha256")
    literal: Assertion = ASSERTIONS[ASSERTIONS.index(assertion)]
    return Statement(kind, name, valid_from, valid_to, values, review_by, literal, evidence)


def _further(
    value: object, others: Sequence[Statement], ids_by_kind: Mapping[str, Collection[str]]
) -> Sequence[Statement]:
    """Parse single statements, which entries cannot express: another period for one attribute, or other subjects."""
    further = list(_single(value, ids_by_kind))
    placed = [(other, "") for other in others] + [(each, f"statements[{n}]") for n, each in enumerate(further)]
    about: dict[tuple[str, str, str], list[tuple[Statement, str]]] = defaultdict(list)
    for each, at in placed:
        for attribute in each.values:
            about[each.kind, each.id, attribute].append((each, at))
    for several in about.values():
        _refuse_overlaps(several)
    return further


def _single(value: object, ids_by_kind: Mapping[str, Collection[str]]) -> Iterator[Statement]:
    for n, item in enumerate(as_list(value, "statements")):
        at = f"statements[{n}]"
        body = as_object(
            item,
            at,
            required=("subject_kind", "subject_id", "attribute", "value", "valid_from"),
            optional=ABOUT_THE_STATEMENT,
        )
        kind, subject = as_subject(body, at)
        if kind in ids_by_kind and subject not in ids_by_kind[kind]:
            refuse(
                f"{at}.subject_id", Message("there is no {kind} {subject!r} in the file", kind=kind, subject=subject)
            )
        attribute = as_text(body["attribute"], f"{at}.attribute", limit=64)
        values = {attribute: value_of(kind, attribute, body["value"], at)}
        _check_parties(values, f"{at}.value", ids_by_kind)
        yield _statement(kind, subject, body, at, values)


def _party(body: dict[str, object], at: str) -> tuple[Statement, str]:
    as_object(body, at, required=("id", "name", "as_of"), optional=None)
    own = ("id", "name", "as_of", *ABOUT_THE_STATEMENT)
    values = {
        name: checked(value, f"{at}.{key}", PARTY.get(name))
        for key, value in body.items()
        if key not in own
        for name in (f"party.{key}",)
    }
    as_instant(body["as_of"], f"{at}.as_of")
    statement = _statement("party", str(body["id"]), body | {"valid_from": body["as_of"]}, at, values)
    return statement, as_text(body["name"], f"{at}.name")


def _region(body: dict[str, object], at: str) -> RegionEntry:
    as_object(body, at, required=("id", "name"), optional=("kind",))
    kind = as_text(body["kind"], f"{at}.kind", limit=40) if "kind" in body else ""
    return RegionEntry(str(body["id"]), as_text(body["name"], f"{at}.name", limit=120), kind)


def _zone(body: dict[str, object], at: str) -> tuple[list[Statement], ZoneEntry]:
    as_object(body, at, required=("id", "region", "valid_from", "status"), optional=None)
    values: dict[str, object] = {}
    for name, value in _flat(body):
        if name in values:
            refuse(f"{at}.{name}", Message("is stated twice"))
        values[name] = checked(value, f"{at}.{name}", ZONE.get(name))
    if PARTIES in body:
        values[PARTIES] = value_of("zone", PARTIES, body[PARTIES], at, name=PARTIES)
    status = as_choice(body["status"], f"{at}.status", among=STATUSES)
    entry = ZoneEntry(
        id=str(body["id"]),
        region=as_slug(body["region"], f"{at}.region"),
        status=STATUSES[STATUSES.index(status)],
    )
    statements = [_statement("zone", entry.id, body, at, values)]
    if CERTIFICATIONS in body:
        certified = {CERTIFICATIONS: value_of("zone", CERTIFICATIONS, body[CERTIFICATIONS], at, name=CERTIFICATIONS)}
        assertion = assertion_of(certified[CERTIFICATIONS], statements[0].assertion)
        statements.append(_statement("zone", entry.id, {**body, "assertion": assertion}, at, certified))
    return statements, entry


def assertion_of(certificates: object, stated: str) -> str:
    """Return the assurance of an entry's certificates.

    It is the entry's own, but at least `certificate` where each certificate names its document.
    """
    is_evidenced = isinstance(certificates, list) and all(each.get("evidence_sha256") for each in certificates)
    return max(stated, "certificate", key=ASSERTIONS.index) if certificates and is_evidenced else stated


def _flat(body: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    """Flatten nested attributes: {"keys": {"custody": …}} is the attribute keys.custody."""
    for key, value in body.items():
        if key in ZONE_OWN:
            continue
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", nested) for inner, nested in value.items())
        else:
            yield key, value


def read_parties(value: object, at: str) -> list[object]:
    """Parse and check the parties of a zone: each party once per role, and one of them its operator."""
    parts = [_part(item, f"{at}[{n}]") for n, item in enumerate(as_list(value, at))]
    seen: set[tuple[object, object]] = set()
    for n, part in enumerate(parts):
        if (part["party"], part["role"]) in seen:
            refuse(
                f"{at}[{n}]", Message("{party!r} is {role} of the zone twice", party=part["party"], role=part["role"])
            )
        seen.add((part["party"], part["role"]))
    if not any(role == "operator" for _, role in seen):
        refuse(at, Message("an operator is missing"))
    return [*sorted(parts, key=lambda part: (str(part["role"]), str(part["party"])))]


def _part(item: object, at: str) -> dict[str, object]:
    body = as_object(item, at, required=("role", "party", "technical_access"))
    as_slug(body["party"], f"{at}.party")
    as_choice(body["role"], f"{at}.role", among=PARTY_ROLES)
    as_bool(body["technical_access"], f"{at}.technical_access")
    return body


def read_certifications(value: object, at: str) -> list[object]:
    """Parse and check the certificates of a zone: each number of a scheme once, and no end before the start."""
    certificates = as_list(value, at)
    seen: set[tuple[object, object]] = set()
    for n, item in enumerate(certificates):
        body = _certificate(item, f"{at}[{n}]")
        if (body["scheme"], body["number"]) in seen:
            refuse(
                f"{at}[{n}]", Message("{scheme} {number} is listed twice", scheme=body["scheme"], number=body["number"])
            )
        seen.add((body["scheme"], body["number"]))
    return certificates


def _certificate(item: object, at: str) -> dict[str, object]:
    body = as_object(
        item,
        at,
        required=("scheme", "number", "issuer", "scope", "valid_from", "valid_to", "status", "status_since"),
        optional=("version", "level", "conditions", "evidence_sha256"),
    )
    for key in ("number", "issuer"):
        as_text(body[key], f"{at}.{key}")
    for key in ("version", "conditions"):
        if body.get(key) is not None:
            as_text(body[key], f"{at}.{key}")
    _certified_name(body["scheme"], f"{at}.scheme")
    if body.get("level") is not None:
        _certified_name(body["level"], f"{at}.level")
    if body.get("evidence_sha256") is not None:
        as_digest(body["evidence_sha256"], f"{at}.evidence_sha256")
    for n, scope in enumerate(as_list(body["scope"], f"{at}.scope")):
        as_slug(scope, f"{at}.scope[{n}]")
    as_choice(body["status"], f"{at}.status", among=("valid", "suspended", "withdrawn"))
    as_instant(body["status_since"], f"{at}.status_since")
    _interval(body, at)
    return body


def _certified_name(value: object, at: str) -> None:
    """Return the scheme's name as policies write it."""
    if not isinstance(value, str) or not CERTIFIED_NAME.fullmatch(value):
        refuse(at, Message("must be {wants}", wants=CERTIFIED_NAME_WANTS))


# The attributes of a zone whose entries are objects of their own.
LISTS: Mapping[str, Callable[[object, str], list[object]]] = {
    PARTIES: read_parties,
    CERTIFICATIONS: read_certifications,
}


def _interval(body: Mapping[str, object], at: str) -> tuple[datetime, datetime | None]:
    start = as_instant(body["valid_from"], f"{at}.valid_from")
    end = as_instant(body["valid_to"], f"{at}.valid_to") if body.get("valid_to") is not None else None
    if end is not None and end <= start:
        refuse(f"{at}.valid_to", Message("must be after valid_from"))
    return start, end


def as_subject(body: Mapping[str, object], at: str) -> tuple[str, str]:
    """Return the kind and the id of a statement's subject."""
    kind = as_choice(body["subject_kind"], f"{at}.subject_kind", among=tuple(ABOUT))
    if kind not in NAMED_SETS:
        return kind, as_slug(body["subject_id"], f"{at}.subject_id")
    name = body["subject_id"]
    if not isinstance(name, str) or not SET_NAME.fullmatch(name):
        refuse(f"{at}.subject_id", Message("a set's name is @ and letters or digits"))
    return kind, name


def as_digest(value: object, at: str) -> str:
    if not isinstance(value, str) or (value and not DIGEST.fullmatch(value)):
        refuse(at, Message("must be a SHA-256 digest in lower-case hex, or empty"))
    return value


def value_of(kind: str, attribute: str, value: object, at: str, *, name: str = "value") -> object:
    """Return a value that the subject's attribute accepts; `name`: where it stands at `at`."""
    if attribute not in ABOUT[kind]:
        refuse(f"{at}.attribute", Message("a {kind} has no attribute {attribute!r}", kind=kind, attribute=attribute))
    if value is not None and attribute in LISTS:
        return LISTS[attribute](value, f"{at}.{name}")
    return checked(value, f"{at}.{name}", ABOUT[kind][attribute]) if value is not None else None


def checked(value: object, at: str, attribute: Attribute | None) -> object:
    """Return the value if the attribute accepts it; null is accepted too."""
    if attribute is None:
        refuse(at, Message("there is no such attribute"))
    if value is not None and not attribute.accepts(value):
        refuse(
            at,
            Message(
                "must be {wants}, or null when it is not known{hint}",
                wants=attribute.wants,
                hint=correction(attribute, value),
            ),
        )
    return value

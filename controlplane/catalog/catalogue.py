"""The catalogue file (andromede.sovereignty.catalogue/1) as values: named sets, parties, regions, zones; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from controlplane.catalog.attributes import CERTIFICATIONS, PARTY, SET_MEMBERS, TERRITORIES, ZONE, Kind
from controlplane.catalog.reading import (
    as_bool,
    as_choice,
    as_instant,
    as_list,
    as_object,
    as_slug,
    as_text,
    refuse,
)

SCHEMA = "andromede.sovereignty.catalogue/1"
PARTY_ROLES = (
    "operator",
    "dc_landlord",
    "remote_support",
    "software_licensing",
    "network_carrier",
    "key_custodian",
    "backup_operator",
)
ZONE_OWN = ("id", "region", "valid_from", "valid_to", "status", "parties", CERTIFICATIONS)


@dataclass(frozen=True)
class Subject:
    """What the file says of one zone, party or set: each attribute's value (None: known to be unknown) in
    [valid_from, valid_to)."""

    kind: str
    id: str
    valid_from: datetime
    valid_to: datetime | None
    values: Mapping[str, object]


@dataclass(frozen=True)
class PartyIn:
    """The part of a party in a zone."""

    party: str
    role: str
    has_technical_access: bool


@dataclass(frozen=True)
class ZoneEntry:
    id: str
    region: str
    status: str
    parties: frozenset[PartyIn]


@dataclass(frozen=True)
class RegionEntry:
    id: str
    name: str
    kind: str


@dataclass(frozen=True)
class Catalogue:
    regions: tuple[RegionEntry, ...]
    party_names: Mapping[str, str]
    zones: tuple[ZoneEntry, ...]
    subjects: tuple[Subject, ...]


def parse(document: object) -> Catalogue:
    """
    Raises:
        CatalogueInvalid: `reason` begins with the place, such as zones[3].certifications[0].valid_to.
    """
    body = as_object(
        document,
        "file",
        required=("schema", "sets", "parties", "regions", "zones"),
        optional=("comment", "generated_for"),
    )
    as_choice(body["schema"], "schema", among=(SCHEMA,))
    sets = [_set(name, value) for name, value in as_object(body["sets"], "sets", optional=None).items()]
    parties = [_party(value, at) for value, at in _entries(body, "parties")]
    regions = [_region(value, at) for value, at in _entries(body, "regions")]
    zones = [_zone(value, at) for value, at in _entries(body, "zones")]
    names = {subject.id: name for subject, name in parties}
    _check_references(zones, regions={region.id for region in regions}, parties=names.keys())
    return Catalogue(
        regions=tuple(regions),
        party_names=names,
        zones=tuple(entry for _, entry in zones),
        subjects=(*sets, *(subject for subject, _ in parties), *(subject for subject, _ in zones)),
    )


def _entries(body: Mapping[str, object], key: str) -> list[tuple[dict[str, object], str]]:
    """The objects of a list with their places; each has an id, and none twice."""
    entries = []
    seen: set[str] = set()
    for n, value in enumerate(as_list(body[key], key)):
        at = f"{key}[{n}]"
        entry = as_object(value, at, required=("id",), optional=None)
        entry_id = as_slug(entry["id"], f"{at}.id")
        if entry_id in seen:
            refuse(f"{at}.id", f"{entry_id!r} stands twice in the file")
        seen.add(entry_id)
        entries.append((entry, at))
    return entries


def _check_references(zones: Iterable[tuple[Subject, ZoneEntry]], *, regions: set[str], parties: Iterable[str]) -> None:
    known = set(parties)
    for n, (_, zone) in enumerate(zones):
        if zone.region not in regions:
            refuse(f"zones[{n}].region", f"there is no region {zone.region!r} in the file")
        for part in zone.parties:
            if part.party not in known:
                refuse(f"zones[{n}].parties", f"there is no party {part.party!r} in the file")


def _set(name: str, value: object) -> Subject:
    at = f"sets.{name}"
    if not name.startswith("@") or not 2 <= len(name) <= 63 or not name[1:].isalnum():
        refuse(at, "a set's name is @ and letters or digits")
    body = as_object(value, at, required=("valid_from", "values"), optional=("valid_to",))
    members = _checked(body["values"], f"{at}.values", TERRITORIES)
    valid_from, valid_to = _interval(body, at)
    return Subject("set", name, valid_from, valid_to, {SET_MEMBERS: members})


def _party(body: dict[str, object], at: str) -> tuple[Subject, str]:
    as_object(body, at, required=("id", "name", "as_of"), optional=None)
    values = {
        name: _checked(value, f"{at}.{key}", PARTY.get(name))
        for key, value in body.items()
        if key not in ("id", "name", "as_of")
        for name in (f"party.{key}",)
    }
    subject = Subject("party", str(body["id"]), as_instant(body["as_of"], f"{at}.as_of"), None, values)
    return subject, as_text(body["name"], f"{at}.name")


def _region(body: dict[str, object], at: str) -> RegionEntry:
    as_object(body, at, required=("id", "name"), optional=("kind",))
    kind = as_text(body["kind"], f"{at}.kind", limit=40) if "kind" in body else ""
    return RegionEntry(str(body["id"]), as_text(body["name"], f"{at}.name", limit=120), kind)


def _zone(body: dict[str, object], at: str) -> tuple[Subject, ZoneEntry]:
    as_object(body, at, required=("id", "region", "valid_from", "status", "parties"), optional=None)
    valid_from, valid_to = _interval(body, at)
    values = {name: _checked(value, f"{at}.{name}", ZONE.get(name)) for name, value in _flat(body)}
    if CERTIFICATIONS in body:
        values[CERTIFICATIONS] = _certifications(body[CERTIFICATIONS], f"{at}.{CERTIFICATIONS}")
    entry = ZoneEntry(
        id=str(body["id"]),
        region=as_slug(body["region"], f"{at}.region"),
        status=as_choice(body["status"], f"{at}.status", among=("open", "draining", "closed")),
        parties=_zone_parties(body["parties"], f"{at}.parties"),
    )
    return Subject("zone", entry.id, valid_from, valid_to, values), entry


def _flat(body: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    """{"keys": {"custody": …}} is the attribute keys.custody."""
    for key, value in body.items():
        if key in ZONE_OWN:
            continue
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}".lower(), nested) for inner, nested in value.items())
        else:
            yield key, value


def _zone_parties(value: object, at: str) -> frozenset[PartyIn]:
    parts: dict[tuple[str, str], PartyIn] = {}
    for n, item in enumerate(as_list(value, at)):
        here = f"{at}[{n}]"
        body = as_object(item, here, required=("role", "party", "technical_access"))
        part = PartyIn(
            party=as_slug(body["party"], f"{here}.party"),
            role=as_choice(body["role"], f"{here}.role", among=PARTY_ROLES),
            has_technical_access=as_bool(body["technical_access"], f"{here}.technical_access"),
        )
        if (part.party, part.role) in parts:
            refuse(here, f"{part.party!r} is {part.role} of the zone twice")
        parts[part.party, part.role] = part
    return frozenset(parts.values())


def _certifications(value: object, at: str) -> list[object]:
    certificates = as_list(value, at)
    for n, item in enumerate(certificates):
        _check_certificate(item, f"{at}[{n}]")
    return certificates


def _check_certificate(item: object, at: str) -> None:
    body = as_object(
        item,
        at,
        required=("scheme", "number", "issuer", "scope", "valid_from", "valid_to", "status", "status_since"),
        optional=("version", "level", "conditions", "evidence_sha256"),
    )
    for key in ("scheme", "number", "issuer"):
        as_text(body[key], f"{at}.{key}")
    for key in ("version", "level", "conditions", "evidence_sha256"):
        if body.get(key) is not None:
            as_text(body[key], f"{at}.{key}")
    for n, scope in enumerate(as_list(body["scope"], f"{at}.scope")):
        as_slug(scope, f"{at}.scope[{n}]")
    as_choice(body["status"], f"{at}.status", among=("valid", "suspended", "withdrawn"))
    as_instant(body["status_since"], f"{at}.status_since")
    _interval(body, at)


def _interval(body: Mapping[str, object], at: str) -> tuple[datetime, datetime | None]:
    start = as_instant(body["valid_from"], f"{at}.valid_from")
    end = as_instant(body["valid_to"], f"{at}.valid_to") if body.get("valid_to") is not None else None
    if end is not None and end <= start:
        refuse(f"{at}.valid_to", "must be after valid_from")
    return start, end


def _checked(value: object, at: str, kind: Kind | None) -> object:
    if kind is None:
        refuse(at, "there is no such attribute")
    if value is not None and not kind.accepts(value):
        refuse(at, f"must be {kind.wants}, or null when it is not known")
    return value

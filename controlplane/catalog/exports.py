"""Export of the catalogue as a file for catalogue_import(), which then changes nothing."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.facts.attributes import CERTIFICATIONS
from andromede_core.facts.catalogue import NAMED_SETS, SCHEMA, assertion_of
from controlplane.catalog import selectors
from controlplane.catalog.models import Fact, Party, Region, Zone

# Members that an entry has once for all of its attributes.
Terms = tuple[datetime, datetime | None, datetime, str, str]
Facts = Mapping[tuple[str, str], Sequence[Fact]]


def catalogue_export(*, now: datetime) -> dict[str, object]:
    """Return all present statements with their history.

    An entry has the facts that share its dates and its provenance; the other facts of the subject are in `statements`.
    Signatures are in selectors.signed_facts().
    """
    in_force: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in Fact.objects.filter(selectors.facts_in_force()).order_by(
        "subject_kind", "subject_id", "attribute", "valid_from"
    ):
        in_force[fact.subject_kind, fact.subject_id].append(fact)
    statements: list[Fact] = []
    document: dict[str, object] = {
        "schema": SCHEMA,
        "generated_for": as_rfc3339(now),
        "sets": _sets("set", in_force),
        "scheme_classes": _sets("scheme_class", in_force),
        "parties": [_party(party, in_force, statements, now=now) for party in selectors.parties()],
        "regions": [_region(region) for region in selectors.regions()],
        "zones": [_zone(zone, in_force, statements, now=now) for zone in selectors.zones()],
    }
    for (kind, _), facts in in_force.items():
        if kind not in ("zone", "party", *NAMED_SETS):
            statements += facts
    return document | {"statements": [_statement(fact) for fact in statements]}


def _sets(kind: str, in_force: Facts) -> dict[str, object]:
    sets: dict[str, object] = {}
    for (about, name), facts in in_force.items():
        if about == kind:
            sets[name] = [_dated(_terms(fact)) | {"values": fact.value} for fact in facts]
    return sets


def _region(region: Region) -> dict[str, object]:
    kind: dict[str, object] = {"kind": region.kind} if region.kind else {}
    return {"id": region.pk, "name": region.name} | kind


def _party(party: Party, in_force: Facts, statements: list[Fact], *, now: datetime) -> dict[str, object]:
    terms, own = _parted(in_force.get(("party", party.pk), ()), statements, now=now)
    dates = _dated(terms) if terms else {"valid_from": as_rfc3339(now)}
    as_of = dates.pop("valid_from")
    values = {fact.attribute.removeprefix("party."): fact.value for fact in own}
    return {"id": party.pk, "name": party.name, "as_of": as_of, **dates, **values}


def _zone(zone: Zone, in_force: Facts, statements: list[Fact], *, now: datetime) -> dict[str, object]:
    terms, own = _parted(in_force.get(("zone", zone.pk), ()), statements, now=now)
    dates = _dated(terms) if terms else {"valid_from": as_rfc3339(now)}
    entry: dict[str, object] = {"id": zone.pk, "region": zone.region_id, "status": zone.status, **dates}
    for fact in own:
        _put(entry, fact)
    return entry


def _put(entry: dict[str, object], fact: Fact) -> None:
    """Put a value into the entry: keys.custody becomes {"keys": {"custody": …}}."""
    group, _, name = fact.attribute.partition(".")
    if not name:
        entry[group] = fact.value
        return
    inner = entry.setdefault(group, {})
    assert isinstance(inner, dict)
    inner[name] = fact.value


def _parted(facts: Sequence[Fact], statements: list[Fact], *, now: datetime) -> tuple[Terms | None, list[Fact]]:
    """Return the terms that most of the present facts share, and the facts with these terms; the others go to
    `statements`.
    """
    present = [_terms(fact) for fact in facts if fact.holds_at(now)]
    if not present:
        statements += facts
        return None, []
    (terms, _), *_ = Counter(present).most_common(1)
    own = [fact for fact in facts if _read_with(terms, fact) == _terms(fact)]
    statements += [fact for fact in facts if fact not in own]
    return terms, own


def _terms(fact: Fact) -> Terms:
    return fact.valid_from, fact.valid_to, fact.review_by, fact.assertion, fact.evidence_sha256


def _read_with(terms: Terms, fact: Fact) -> Terms:
    """Return the terms that an import would read for this fact in the entry."""
    valid_from, valid_to, review_by, assertion, evidence = terms
    if fact.attribute == CERTIFICATIONS:
        assertion = assertion_of(fact.value, assertion)
    return valid_from, valid_to, review_by, assertion, evidence


def _dated(terms: Terms) -> dict[str, object]:
    valid_from, valid_to, review_by, assertion, evidence = terms
    return {
        "valid_from": as_rfc3339(valid_from),
        "valid_to": as_rfc3339(valid_to) if valid_to else None,
        "review_by": as_rfc3339(review_by),
        "assertion": assertion,
        "evidence_sha256": evidence,
    }


def _statement(fact: Fact) -> dict[str, object]:
    about = {name: getattr(fact, name) for name in ("subject_kind", "subject_id", "attribute", "value")}
    return about | _dated(_terms(fact))

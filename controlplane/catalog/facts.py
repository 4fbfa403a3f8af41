"""Recording of facts: signed statements of officers come into force and supersede earlier ones.

A statement ends only by a signature. A statement that overlaps another supersedes it whole, so the same request has to
state the remaining parts again (bitemporal.with_remainders() makes these statements). A fact that has become wrong
without a known new value is stated as null.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from andromede_core.documents.canonical import dumps
from andromede_core.documents.messages import Message, message_of
from andromede_core.documents.parsing import Malformed, as_rfc3339
from andromede_core.documents.signed import BadDocument, Signed, Verify
from andromede_core.facts import statements
from andromede_core.facts.attributes import PARTIES
from andromede_core.facts.catalogue import parties_of
from andromede_core.facts.statements import KIND, Statement
from controlplane.audit import evidence_log
from controlplane.audit.models import Kind
from controlplane.audit.services import record
from controlplane.catalog import epochs, officer_keys, selectors, set_changes, signing_keys
from controlplane.catalog.bitemporal import (
    FOR_EVER,
    Period,
    Subject,
    first_overlap,
    overlap,
    period,
    subject,
    uncovered,
)
from controlplane.catalog.errors import (
    FactAuthorMismatch,
    FactMalformed,
    FactNotSigned,
    FactRefused,
    FactsLeaveGap,
    FactsOverlap,
    FactSubjectNotFound,
    OfficerKeyNotFound,
)
from controlplane.catalog.models import Fact, OfficerKey, Party, Region, Zone
from controlplane.identity.actor import Actor
from controlplane.kernel import clock

CLOCK_SKEW = timedelta(minutes=5)  # maximum lead of an officer's clock
SIZE_MAX_BYTES = 32 * 1024  # of one statement; the longest list of certificates seen has 4 KiB
FACTS_MAX = 5000  # of one request; a whole catalogue has some hundreds
REVIEW_PAST = Message("its review date has passed, so its value would be unknown at once.")
REVIEW_BEFORE_ATTESTED = Message("its review date is not after its attestation date.")
ATTESTED_LATER = Message("its attestation date is in the future.")
TOO_LONG = Message("it is larger than a statement may be.")
MEASURED, THIRD_PARTY = "measured", "third_party"
NOBODY_MEASURES = Message("it claims to be measured, and no measuring key is known here.")
ONE_OFFICER = Message(
    "a third party's statement needs the digest of its document (evidence_sha256) and the signatures of two officers."
)
# Attributes of nodes and pools that no decision reads; a fact about them would mislead.
NOT_READ = ("node.dedicated_to", "pool.replica_zones")
NOTHING_READS_IT = Message("no decision reads this attribute yet.")


@dataclass(frozen=True)
class FactsStated:
    """Result. `epoch`: the facts epoch from which they count. Present statements of the same key are `unchanged`."""

    epoch: int
    stated: tuple[Fact, ...] = ()
    superseded: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class Entry:
    """A signed statement, and its index in the request. `agreed`: the same statement, signed by other officers."""

    signed: Signed
    statement: Statement
    at: str
    agreed: tuple[Signed, ...] = ()


@transaction.atomic
def facts_state(actor: Actor, documents: Sequence[Signed]) -> FactsStated:
    """Record signed statements, all or none. Repeated statements change nothing and begin no epoch.

    Raises:
        RoleNeeded
        FactMalformed, FactRefused, FactSubjectNotFound: of one statement, by itself.
        OfficerKeyNotFound, OfficerKeyNotInForce, FactNotSigned, FactAuthorMismatch: its signature does not count.
        FactsOverlap: two of them are about the same moment.
        FactsLeaveGap: part of what is superseded would be lost.
        SetAgreementNeeded, SetWidenedTooSoon: it adds members to a named set.
    """
    return state(actor, documents)


def state(actor: Actor, documents: Sequence[Signed]) -> FactsStated:
    """Record statements in the caller's transaction, which holds the lock of lock_statements() until its end."""
    actor.may_operate()
    entries = _checked(documents, now=clock.now())
    lock_statements()
    current = _facts_in_force({entry.statement.subject_id for entry in entries})
    changes = Changes()
    for about, group in _grouped(entries).items():
        changes.add(group, current.get(about, ()))
    for entry, _ in changes.new:
        _check_assertion(entry)
    _need_agreement(changes, current)
    if not changes.new:
        return FactsStated(epochs.current(), unchanged=changes.unchanged)
    return _write(actor, changes)


def lock_statements() -> None:
    """Lock the statements until the end of the transaction: one transaction at a time compares the present with the new
    ones.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('facts', 0))")


def _need_agreement(changes: "Changes", current: Mapping[Subject, Collection[Fact]]) -> None:
    now = clock.now()
    for entry, _ in changes.new:
        current_statements = [selectors.statement_of(fact) for fact in current.get(subject(entry.statement), ())]
        signers = [each.key_id for each in (entry.signed, *entry.agreed)]
        set_changes.require_agreement(entry.statement, current_statements, signers, now=now, field=entry.at)


class Changes:
    """New statements, superseded ones, and the number of known ones."""

    def __init__(self) -> None:
        self.new: list[tuple[Entry, list[Fact]]] = []
        self.unchanged = 0

    @property
    def ended(self) -> dict[UUID, Fact]:
        return {fact.pk: fact for _, facts in self.new for fact in facts}

    def add(self, group: Sequence[Entry], current_facts: Collection[Fact]) -> None:
        """Add all statements about one attribute of one subject."""
        _refuse_overlap(group)
        current = [(fact, selectors.statement_of(fact)) for fact in current_facts]
        new = [entry for entry in group if not any(_is_same(entry, fact, statement) for fact, statement in current)]
        self.unchanged += len(group) - len(new)
        for _, statement in current:
            if any(overlap(period(statement), period(entry.statement)) for entry in new):
                _refuse_gap(statement, new)
        for entry in new:
            ends = [fact for fact, statement in current if overlap(period(statement), period(entry.statement))]
            self.new.append((entry, ends))


def _is_same(entry: Entry, fact: Fact, statement: Statement) -> bool:
    return fact.key_id == entry.signed.key_id and statement == entry.statement


def _refuse_overlap(group: Sequence[Entry]) -> None:
    twice = first_overlap(period(entry.statement) for entry in group)
    if twice is not None:
        last = max(group, key=lambda entry: entry.statement.valid_from)
        raise FactsOverlap(field=last.at, **_named(last.statement), **_spoken(twice))


def _refuse_gap(statement: Statement, new: Sequence[Entry]) -> None:
    for gap in uncovered(period(statement), [period(entry.statement) for entry in new]):
        raise FactsLeaveGap(field=new[0].at, **_named(statement), **_spoken(gap))


def _named(statement: Statement) -> dict[str, object]:
    return {"attribute": statement.attribute, "subject": f"{statement.subject_kind} {statement.subject_id}"}


def _spoken(when: Period) -> dict[str, object]:
    return {"begins": as_rfc3339(when[0]), "ends": as_rfc3339(when[1]) if when[1] != FOR_EVER else "∞"}


def _grouped(entries: Iterable[Entry]) -> Mapping[Subject, list[Entry]]:
    grouped: dict[Subject, list[Entry]] = defaultdict(list)
    for entry in entries:
        grouped[subject(entry.statement)].append(entry)
    return grouped


def _facts_in_force(subject_ids: Collection[str]) -> Mapping[Subject, list[Fact]]:
    facts_by_subject: dict[Subject, list[Fact]] = defaultdict(list)
    for fact in Fact.objects.filter(superseded_at=None, subject_id__in=subject_ids):
        facts_by_subject[fact.subject_kind, fact.subject_id, fact.attribute].append(fact)
    return facts_by_subject


def _checked(documents: Sequence[Signed], *, now: datetime) -> list[Entry]:
    if len(documents) > FACTS_MAX:
        raise FactMalformed(
            field="facts", place="facts", reason=Message("has more than {limit} statements", limit=FACTS_MAX)
        )
    keys = {key.key_id: key for key in OfficerKey.objects.filter(key_id__in={each.key_id for each in documents})}
    verifiers = {key_id: signing_keys.verifier(key.public_key) for key_id, key in keys.items()}
    entries: list[Entry] = []
    indexes: dict[bytes, int] = {}
    for n, document in enumerate(documents):
        at = f"facts/{n}"
        key = keys.get(document.key_id)
        if key is None:
            raise OfficerKeyNotFound(field=f"{at}/kid", name=document.key_id[:64])
        officer_keys.require_in_force(key, now=now, field=f"{at}/kid")
        statement = _read(document, at)
        _check_signature(document, statement, key, verifiers[key.key_id], at)
        index = indexes.setdefault(dumps(document.payload), len(entries))
        if index < len(entries) and entries[index].signed.key_id != document.key_id:
            entries[index] = replace(entries[index], agreed=(*entries[index].agreed, document))
            continue
        _check_author(statement, key, at)
        _check_dates(statement, at, now=now)
        entries.append(Entry(document, statement, at))
    _check_subjects(entries)
    return entries


def _read(document: Signed, at: str) -> Statement:
    """Parse a signed statement and require its canonical form, so that all readers see the same."""
    try:
        statement = statements.parse(document.payload, f"{at}/p")
        if len(dumps(document.payload)) > SIZE_MAX_BYTES:
            raise FactRefused(field=f"{at}/p/value", **_named(statement), reason=TOO_LONG)
        for name, value in statement.payload().items():
            if dumps(document.payload[name]) != dumps(value):
                raise Malformed(
                    f"{at}/p.{name}", Message("must be written as {value}", value=dumps(value).decode()[:200])
                )
    except Malformed as exc:
        raise FactMalformed(field=_pointer(exc.place), place=_place(exc.place), reason=exc.problem) from exc
    except ValueError as exc:
        raise FactMalformed(
            field=f"{at}/p/value", place="value", reason=Message("is not acceptable: {error}", error=message_of(exc))
        ) from exc
    return statement


def _pointer(place: str) -> str:
    """Convert a path: facts/0/p.value[2].valid_to → facts/0/p/value/2/valid_to"""
    return place.replace("[", "/").replace("]", "").replace(".", "/")


def _place(place: str) -> str:
    """Convert a path: facts/0/p.value[2].valid_to → value[2].valid_to"""
    return place.partition("/p.")[2] or Message("it")


def _check_signature(document: Signed, statement: Statement, key: OfficerKey, verify: Verify, at: str) -> None:
    try:
        document.check(KIND, verify)
    except BadDocument as exc:
        raise FactNotSigned(field=f"{at}/sig", key_id=key.key_id, **_named(statement)) from exc


def _check_author(statement: Statement, key: OfficerKey, at: str) -> None:
    if statement.author != key.officer:
        raise FactAuthorMismatch(
            field=f"{at}/p/author", key_id=key.key_id, officer=key.officer, author=statement.author
        )


def _check_dates(statement: Statement, at: str, *, now: datetime) -> None:
    """Check the dates. A statement that ended in the past is not reviewed any more: its review date may be past too."""
    is_over = statement.valid_to is not None and statement.valid_to <= now
    if statement.attested_at > now + CLOCK_SKEW:
        raise FactRefused(field=f"{at}/p/attested_at", **_named(statement), reason=ATTESTED_LATER)
    if statement.review_by <= statement.attested_at:
        raise FactRefused(field=f"{at}/p/review_by", **_named(statement), reason=REVIEW_BEFORE_ATTESTED)
    if statement.review_by <= now and not is_over:
        raise FactRefused(field=f"{at}/p/review_by", **_named(statement), reason=REVIEW_PAST)


def _check_assertion(entry: Entry) -> None:
    """Reject assurances without support: no key measures yet, and one officer is no third party."""
    statement, field = entry.statement, f"{entry.at}/p/assertion"
    if statement.attribute in NOT_READ:
        raise FactRefused(field=f"{entry.at}/p/attribute", **_named(statement), reason=NOTHING_READS_IT)
    if statement.assertion == MEASURED:
        raise FactRefused(field=field, **_named(statement), reason=NOBODY_MEASURES)
    if statement.assertion == THIRD_PARTY and not (entry.agreed and statement.evidence_sha256):
        raise FactRefused(field=field, **_named(statement), reason=ONE_OFFICER)


def _check_subjects(entries: Sequence[Entry]) -> None:
    """Check that the subjects exist. Nodes and pools are not known here: facts about them may precede them."""
    existing = {
        "zone": set(Zone.objects.values_list("pk", flat=True)),
        "party": set(Party.objects.values_list("pk", flat=True)),
        "region": set(Region.objects.values_list("pk", flat=True)),
    }
    for entry in entries:
        kind, name = entry.statement.subject_kind, entry.statement.subject_id
        if kind in existing and name not in existing[kind]:
            raise FactSubjectNotFound(field=f"{entry.at}/p/subject_id", kind=kind, name=name)
        if entry.statement.attribute == PARTIES:
            for party in parties_of(entry.statement.value):
                if party not in existing["party"]:
                    raise FactSubjectNotFound(field=f"{entry.at}/p/value", kind="party", name=party)


def _write(actor: Actor, changes: Changes) -> FactsStated:
    epoch = epochs.advance()
    ended = changes.ended
    # A clock that was set back must not make a statement end before it began.
    now = max([clock.now(), *(fact.created_at + timedelta(microseconds=1) for fact in ended.values())])
    Fact.objects.filter(pk__in=list(ended)).update(superseded_at=now, updated_at=now)
    rows = [_row(entry, now) for entry, _ in changes.new]
    Fact.objects.bulk_create(rows)
    for row, (entry, ends) in zip(rows, changes.new, strict=True):
        evidence_log.append(
            Kind.FACT,
            {
                "event": "stated",
                "fact": str(row.pk),
                "epoch": epoch,
                "signed": entry.signed.envelope(),
                **({"agreed": [each.envelope() for each in entry.agreed]} if entry.agreed else {}),
                "supersedes": sorted(str(fact.pk) for fact in ends),
            },
        )
    _record(actor, rows, epoch)
    return FactsStated(epoch, tuple(rows), len(ended), changes.unchanged)


def _row(entry: Entry, now: datetime) -> Fact:
    statement = {name: getattr(entry.statement, name) for name in statements.FIELDS}
    return Fact(
        **statement, created_at=now, updated_at=now, key_id=entry.signed.key_id, signature=entry.signed.signature
    )


def _record(actor: Actor, rows: Sequence[Fact], epoch: int) -> None:
    """Audit the author of the statements, per signing key; their contents are in the facts and in the evidence of the
    epoch.
    """
    for key in OfficerKey.objects.filter(key_id__in={row.key_id for row in rows}):
        count = sum(row.key_id == key.key_id for row in rows)
        record(actor, "facts.state", key.pk, key_id=key.key_id, facts=count, epoch=epoch)

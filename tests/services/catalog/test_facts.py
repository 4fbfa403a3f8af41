"""Facts: validity, refusals, and the facts of each moment."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import IntegrityError, connection, transaction

from andromede_core.documents.canonical import dumps, loads
from andromede_core.documents.signed import Signed
from andromede_core.documents.signed import sign as sign_document
from andromede_core.facts.statements import Statement
from andromede_core.facts.world import Horizon, at
from controlplane.audit.models import AuditEntry, EvidenceRecord
from controlplane.catalog import epochs, selectors, signing_keys
from controlplane.catalog.errors import (
    FactAuthorMismatch,
    FactMalformed,
    FactNotSigned,
    FactRefused,
    FactsLeaveGap,
    FactsOverlap,
    FactSubjectNotFound,
    OfficerKeyInvalid,
    OfficerKeyNotFound,
    OfficerKeyNotInForce,
    OfficerKeyTaken,
)
from controlplane.catalog.facts import FACTS_MAX, facts_state
from controlplane.catalog.models import Fact, OfficerKey, Party
from controlplane.catalog.officer_keys import NewOfficerKey, officer_key_register, officer_key_revoke
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from tests.facts import ADA, LONG_AGO, officer, private_key, state, state_of, statement
from tests.world import make_zone

pytestmark = pytest.mark.django_db

MARCH, JUNE, SEPTEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 6, 9))
TENANT = Actor(None, None, None, "owner")


@pytest.fixture(autouse=True)
def _zone(db: None) -> None:
    make_zone("fr-idf-1")
    Party.objects.create(pk="acme", name="ACME SAS")


def custody(value: object = "provider_hsm", **more: Any) -> Statement:
    return statement("zone", "fr-idf-1", "keys.custody", value, **more)


def signed(*statements: Statement, by: signing_keys.Officer | None = None) -> list[Signed]:
    by = by or officer()
    return [by.signed(each) for each in statements]


def altered(document: Signed, **changes: object) -> Signed:
    return Signed({**document.payload, **changes}, document.key_id, document.signature)


def misread(field: str, value: object) -> Signed:
    """Signed well, whatever it says."""
    by = officer()
    return sign_document("fact", {**custody().payload(), field: value}, key_id=by.key_id, key=by.sign)


def value_at(when: datetime, *, known_at: datetime | None = None) -> object:
    fact = selectors.facts_of("zone", ["fr-idf-1"], at=when, known_at=known_at)["fr-idf-1"].get("keys.custody")
    return fact.value if fact else "nothing said"


def evidence_of(fact: Fact) -> Any:
    records = [loads((record.document or "").encode()) for record in EvidenceRecord.objects.filter(kind="fact")]
    documents: list[Any] = [each["document"] for each in records if isinstance(each, dict)]
    return next(document for document in documents if document["fact"] == str(fact.pk))


def test_stated_fact_is_current_audited_and_in_evidence() -> None:
    before = epochs.current()
    statement = custody(assertion="certificate", evidence_sha256="ab" * 32)

    done = facts_state(SYSTEM, signed(statement))

    (fact,) = done.stated
    assert selectors.statement_of(fact) == statement
    assert (done.epoch, done.superseded, done.unchanged) == (before + 1, 0, 0)
    assert epochs.current() == before + 1
    audit = AuditEntry.objects.get(verb="facts.state")
    assert audit.facts == {"key_id": officer().key_id, "facts": 1, "epoch": done.epoch}
    assert evidence_of(fact) == {
        "event": "stated",
        "fact": str(fact.pk),
        "epoch": done.epoch,
        "signed": signed(statement)[0].envelope(),
        "supersedes": [],
    }


def test_fact_signature_stays_verifiable() -> None:
    state([custody()])
    (document,) = selectors.signed_facts()
    document.check("fact", signing_keys.verifier(OfficerKey.objects.get().public_key))


def test_repeated_statement_changes_nothing() -> None:
    documents = signed(custody())
    first = facts_state(SYSTEM, documents)

    repeated = facts_state(SYSTEM, documents)

    assert (repeated.stated, repeated.superseded, repeated.unchanged, repeated.epoch) == ((), 0, 1, first.epoch)
    assert Fact.objects.count() == EvidenceRecord.objects.filter(kind="fact").count() == 1


def test_correction_supersedes_the_old_fact() -> None:
    first = facts_state(SYSTEM, signed(custody()))
    between = clock.now()

    second = facts_state(SYSTEM, signed(custody("customer_byok")))

    assert (second.superseded, second.epoch) == (1, first.epoch + 1)
    assert value_at(MARCH) == "customer_byok"
    assert value_at(MARCH, known_at=between) == "provider_hsm"
    assert value_at(MARCH, known_at=between - timedelta(days=1)) == "nothing said"
    (old, new) = Fact.objects.order_by("created_at")
    assert old.superseded_at == new.created_at
    assert evidence_of(new)["supersedes"] == [str(old.pk)]
    now, then = selectors.world(), selectors.world(known_at=between)
    assert [each.value for each in now.zones["fr-idf-1"].timeline("keys.custody")] == ["customer_byok"]
    assert [each.value for each in then.zones["fr-idf-1"].timeline("keys.custody")] == ["provider_hsm"]


def test_valid_time_and_transaction_time_are_independent() -> None:
    """Until March it was software; that was stated late, and at first wrongly."""
    state([custody("none", valid_from=LONG_AGO)])
    before = clock.now()
    state(
        [custody("provider_software", valid_from=LONG_AGO, valid_to=MARCH), custody("provider_hsm", valid_from=MARCH)]
    )
    assert (value_at(MARCH - timedelta(days=1)), value_at(MARCH)) == ("provider_software", "provider_hsm")
    assert value_at(MARCH, known_at=before) == value_at(LONG_AGO, known_at=before) == "none"


def test_change_from_a_date_keeps_the_earlier_value() -> None:
    facts_state(SYSTEM, signed(custody()))
    state([custody("customer_byok", valid_from=JUNE)])
    assert (value_at(MARCH), value_at(JUNE), value_at(SEPTEMBER)) == ("provider_hsm", "customer_byok", "customer_byok")
    remainder = Fact.objects.get(superseded_at=None, valid_to=JUNE)
    assert (remainder.value, remainder.valid_from, remainder.author) == ("provider_hsm", LONG_AGO, ADA)


def test_change_for_a_period_keeps_the_values_around_it() -> None:
    facts_state(SYSTEM, signed(custody()))
    done = state([custody("none", valid_from=MARCH, valid_to=JUNE)], by=officer("Grace"))
    assert (len(done.stated), done.superseded) == (3, 1)
    assert [value_at(when) for when in (LONG_AGO, MARCH, JUNE)] == ["provider_hsm", "none", "provider_hsm"]
    assert set(Fact.objects.filter(superseded_at=None).values_list("author", flat=True)) == {"Grace"}


@pytest.mark.parametrize(
    ("new", "gap"),
    [
        ({"valid_from": JUNE}, ("2020-01-01T00:00:00Z", "2026-06-01T00:00:00Z")),
        ({"valid_to": JUNE}, ("2026-06-01T00:00:00Z", "∞")),
        ({"valid_from": MARCH, "valid_to": JUNE}, ("2020-01-01T00:00:00Z", "2026-03-01T00:00:00Z")),
    ],
)
def test_statement_that_leaves_a_gap_is_refused(new: Any, gap: tuple[str, str]) -> None:
    first = facts_state(SYSTEM, signed(custody()))
    with pytest.raises(FactsLeaveGap) as refusal:
        facts_state(SYSTEM, signed(custody("none", **new)))
    assert (refusal.value.facts["begins"], refusal.value.facts["ends"]) == gap
    assert refusal.value.field == "facts/0"
    assert (Fact.objects.count(), epochs.current()) == (1, first.epoch)


def test_adjacent_statements_do_not_supersede() -> None:
    facts_state(SYSTEM, signed(custody("none", valid_to=MARCH)))
    done = facts_state(SYSTEM, signed(custody("provider_hsm", valid_from=MARCH)))
    assert done.superseded == 0


def test_unknown_value_is_stated_as_null() -> None:
    state([custody(None)])
    (fact,) = selectors.world().zones["fr-idf-1"].timeline("keys.custody")
    assert fact.value is None


def test_fact_past_its_review_date_is_unknown() -> None:
    soon = clock.now() + timedelta(days=10)
    state([custody(review_by=soon)])
    timeline = selectors.world().zones["fr-idf-1"].timeline("keys.custody")
    assert at(timeline, Horizon(soon)) is None
    assert at(timeline, Horizon(soon - timedelta(seconds=1))) is not None
    assert Fact.objects.get().is_due(soon)


def test_ended_fact_with_a_past_review_date_is_accepted() -> None:
    past = clock.now() - timedelta(days=1)
    ended = custody(valid_to=past, attested_at=past - timedelta(days=400), review_by=past)
    assert len(facts_state(SYSTEM, signed(ended)).stated) == 1


def _refused(expected: type[Exception], field: str, *documents: Signed) -> None:
    before = epochs.current()
    with pytest.raises(expected) as refusal:
        facts_state(SYSTEM, documents)
    assert refusal.value.field == field  # type: ignore[attr-defined]
    assert (Fact.objects.count(), epochs.current()) == (0, before)


CERTIFICATE = {
    "scheme": "HDS",
    "number": "1",
    "issuer": "x",
    "scope": ["iaas"],
    "valid_from": "2026-01-01T00:00:00Z",
    "valid_to": "2025-01-01T00:00:00Z",
    "status": "valid",
    "status_since": "2026-01-01T00:00:00Z",
}
PART = {"role": "operator", "party": "acme", "technical_access": True}


@pytest.mark.parametrize(
    ("kind", "subject", "attribute", "value", "field"),
    [
        ("zone", "fr-idf-1", "keys.colour", "blue", "attribute"),
        ("zone", "fr-idf-1", "party.statutory_seat", "FR", "attribute"),
        ("zone", "fr-idf-1", "keys.custody", "excellent", "value"),
        ("zone", "fr-idf-1", "keys.custody", ["provider_hsm"], "value"),
        ("zone", "fr-idf-1", "network_class", 3, "value"),
        ("zone", "fr-idf-1", "network_class", True, "value"),
        ("zone", "fr-idf-1", "network_class", 10**30, "value"),
        ("zone", "fr-idf-1", "location.lat", 1e300, "value"),
        ("zone", "fr-idf-1", "location.lat", 1e-9, "value"),
        ("zone", "fr-idf-1", "location.territory", "FRA", "value"),
        ("zone", "fr-idf-1", "location.urban_area", "x" * 201, "value"),
        ("zone", "fr-idf-1", "location.urban_area", "Paris\u202e", "value"),
        ("zone", "fr-idf-1", "logs.countries", ["FR", "FR"], "value"),
        ("zone", "fr-idf-1", "logs.countries", [], "value"),
        ("zone", "fr-idf-1", "certifications", [CERTIFICATE], "value/0/valid_to"),
        ("zone", "fr-idf-1", "certifications", [{"scheme": "HDS"}], "value/0"),
        ("zone", "fr-idf-1", "parties", [PART, PART], "value/1"),
        ("zone", "fr-idf-1", "parties", [PART | {"role": "dc_landlord"}], "value"),
        ("zone", "fr-idf-1", "parties", [PART | {"party": "ACME !"}], "value/0/party"),
        ("party", "acme", "party.non_eu_max_single_pct", "24", "value"),
        ("party", "acme", "party.non_eu_max_single_pct", 24.0, "value"),
        ("set", "@EU", "members", ["FR", "@EEA"], "value"),
        ("set", "@EU", "members", ["@EU"], "value"),
        ("scheme_class", "@HEALTH", "members", ["HDS", "@HEALTH"], "value"),
        ("set", "EU", "members", ["FR"], "subject_id"),
        ("zone", "Fr Idf 1", "keys.custody", None, "subject_id"),
    ],
)
def test_invalid_value_is_refused_with_its_field(
    kind: str, subject: str, attribute: str, value: object, field: str
) -> None:
    by = officer()
    payload = statement(kind, subject, attribute, None).payload() | {"value": value}
    document = Signed(payload, by.key_id, b"\0" * 64)
    _refused(FactMalformed, f"facts/0/p/{field}", document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject_kind", "planet"),
        ("subject_kind", 5),
        ("attribute", None),
        ("attribute", "a" * 65),
        ("valid_from", "2026-01-01"),
        ("valid_from", "0001-01-01T00:00:00+14:00"),
        ("valid_from", "2026-01-01T00:00:00+00:00"),
        ("valid_from", "2026-01-01T00:00:00.000000000Z"),
        ("valid_to", "2019-01-01T00:00:00Z"),
        ("valid_to", "2020-01-01T00:00:00Z"),
        ("review_by", "tomorrow"),
        ("review_by", 10**400),
        ("attested_at", None),
        ("assertion", "hearsay"),
        ("evidence_sha256", "AB" * 32),
        ("evidence_sha256", None),
        ("author", ""),
        ("author", ["Ada"]),
    ],
)
def test_non_canonical_statement_is_refused(field: str, value: object) -> None:
    by = officer()
    _refused(FactMalformed, f"facts/0/p/{field}", Signed({**custody().payload(), field: value}, by.key_id, b"\0" * 64))


def test_statement_with_missing_or_extra_fields_is_refused() -> None:
    (document,) = signed(custody())
    _refused(FactMalformed, "facts/0/p", altered(document, colour="blue"))
    less = {name: value for name, value in document.payload.items() if name != "review_by"}
    _refused(FactMalformed, "facts/0/p", Signed(less, document.key_id, document.signature))


def test_unsorted_list_is_refused() -> None:
    landlord = PART | {"role": "dc_landlord"}
    document = altered(signed(statement("zone", "fr-idf-1", "parties", [PART]))[0], value=[PART, landlord])
    _refused(FactMalformed, "facts/0/p/value", document)


def test_oversized_statement_is_refused() -> None:
    many = [CERTIFICATE | {"valid_to": "2028-01-01T00:00:00Z", "number": str(n)} for n in range(400)]
    _refused(FactRefused, "facts/0/p/value", *signed(statement("zone", "fr-idf-1", "certifications", many)))


def test_oversized_request_is_refused() -> None:
    _refused(FactMalformed, "facts", *[*signed(custody()) * (FACTS_MAX + 1)])


def test_statement_about_an_unknown_subject_is_refused() -> None:
    _refused(FactSubjectNotFound, "facts/0/p/subject_id", *signed(statement("zone", "mars", "keys.custody", "none")))
    _refused(FactSubjectNotFound, "facts/0/p/subject_id", *signed(statement("party", "x", "party.non_eu_veto", True)))
    parts = [PART, PART | {"party": "nobody", "role": "dc_landlord"}]
    parts.sort(key=lambda part: str(part["role"]))
    _refused(FactSubjectNotFound, "facts/0/p/value", *signed(statement("zone", "fr-idf-1", "parties", parts)))


def test_statement_about_a_future_node_is_accepted() -> None:
    assert len(state_of("node", "node-1", {"node.tpm_ek_sha256": "ab" * 32}).stated) == 1


@pytest.mark.parametrize(
    ("kind", "about", "value"),
    [("pool", "pool.replica_zones", ["fr-idf-1"]), ("node", "node.dedicated_to", "an-organization")],
)
def test_unused_attribute_is_refused(kind: str, about: str, value: object) -> None:
    _refused(FactRefused, "facts/0/p/attribute", *signed(statement(kind, "gold", about, value)))


def test_third_party_assertion_needs_a_second_officer() -> None:
    paper = {"evidence_sha256": "ab" * 32}
    _refused(FactRefused, "facts/0/p/assertion", *signed(custody(assertion="measured", **paper)))
    _refused(FactRefused, "facts/0/p/assertion", *signed(custody(assertion="third_party", **paper)))
    statement = custody(assertion="third_party", **paper)
    (document,) = signed(statement)
    assert facts_state(SYSTEM, [document, officer("Bob").agreed(document)]).stated[0].assertion == "third_party"


def test_impossible_dates_are_refused() -> None:
    now = clock.now()
    later, before = now + timedelta(hours=1), now - timedelta(hours=1)
    _refused(FactRefused, "facts/0/p/review_by", *signed(custody(attested_at=before, review_by=now)))
    _refused(FactRefused, "facts/0/p/review_by", *signed(custody(attested_at=now, review_by=now)))
    _refused(FactRefused, "facts/0/p/attested_at", *signed(custody(attested_at=later)))


def test_overlapping_statements_are_refused() -> None:
    _refused(FactsOverlap, "facts/0", *signed(custody(), custody()))
    _refused(FactsOverlap, "facts/1", *signed(custody(valid_to=JUNE), custody("none", valid_from=MARCH)))


def test_one_invalid_statement_refuses_the_whole_request() -> None:
    documents = signed(custody(), statement("zone", "mars", "keys.custody", "none"))
    _refused(FactSubjectNotFound, "facts/1/p/subject_id", *documents)


def test_altered_statement_is_refused() -> None:
    (document,) = signed(custody())
    _refused(FactNotSigned, "facts/0/sig", altered(document, value="customer_hyok"))
    _refused(FactNotSigned, "facts/0/sig", altered(document, valid_from="2020-01-02T00:00:00Z"))


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63, b"x" * 1000])
def test_invalid_signature_is_refused(signature: bytes) -> None:
    _refused(FactNotSigned, "facts/0/sig", Signed(custody().payload(), officer().key_id, signature))


def test_signature_of_another_document_is_refused() -> None:
    payload, by = custody().payload(), officer()
    _refused(FactNotSigned, "facts/0/sig", sign_document("permit", payload, key_id=by.key_id, key=by.sign))
    _refused(FactNotSigned, "facts/0/sig", Signed(payload, by.key_id, by.sign(dumps(payload))))


def test_unregistered_key_is_refused() -> None:
    stranger = private_key("stranger")
    payload = custody(author="stranger").payload()
    _refused(OfficerKeyNotFound, "facts/0/kid", sign_document("fact", payload, key_id="x", key=stranger.sign))
    _refused(FactNotSigned, "facts/0/sig", sign_document("fact", payload, key_id=officer().key_id, key=stranger.sign))


def test_author_must_be_the_owner_of_the_key() -> None:
    ada = officer()
    document = sign_document("fact", custody(author="Grace").payload(), key_id=ada.key_id, key=ada.sign)
    _refused(FactAuthorMismatch, "facts/0/p/author", document)


def test_revoked_key_states_nothing_new_and_its_facts_stay() -> None:
    documents = signed(custody())
    facts_state(SYSTEM, documents)
    officer_key_revoke(SYSTEM, officer().key_id)
    officer_key_revoke(SYSTEM, officer().key_id)
    for refused in (documents, signed(custody("none"))):
        with pytest.raises(OfficerKeyNotInForce, match="it was revoked"):
            facts_state(SYSTEM, refused)
    assert value_at(MARCH) == "provider_hsm"
    verbs = AuditEntry.objects.filter(verb__startswith="officer_key").values_list("verb", flat=True)
    assert sorted(verbs) == ["officer_key.register", "officer_key.revoke"]


@pytest.mark.parametrize(("begins", "ends", "reason"), [(1, 2, "not begun"), (-2, -1, "validity has ended")])
def test_key_is_valid_in_its_period_only(begins: int, ends: int, reason: str) -> None:
    now = clock.now()
    key = private_key("early")
    new = NewOfficerKey(
        "Eve", signing_keys.public_part(key), "eve", None, now + timedelta(days=begins), now + timedelta(days=ends)
    )
    officer_key_register(SYSTEM, new)
    with pytest.raises(OfficerKeyNotInForce, match=reason):
        facts_state(SYSTEM, signed(custody(), by=signing_keys.Officer("eve", "Eve", key.sign)))


def test_same_statement_by_another_key_supersedes_the_first() -> None:
    statement = custody()
    facts_state(SYSTEM, signed(statement))
    done = facts_state(SYSTEM, signed(statement, by=officer("Grace")))
    assert (len(done.stated), done.superseded) == (1, 1)


def test_hardware_key_may_be_ecdsa() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    row = officer_key_register(SYSTEM, NewOfficerKey("Grace", signing_keys.public_part(key)))
    assert signing_keys.algorithm_of(row.public_key) == "ECDSA-P256-SHA256"
    by = signing_keys.Officer(row.key_id, "Grace", signing_keys.signer(key))
    assert len(facts_state(SYSTEM, signed(custody(), by=by)).stated) == 1
    forged = sign_document(
        "fact", custody("none", author="Grace").payload(), key_id=row.key_id, key=private_key("x").sign
    )
    with pytest.raises(FactNotSigned):
        facts_state(SYSTEM, [forged])


def _pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: {"public_key": "x"}, "public_key"),
        (lambda: {"public_key": ""}, "public_key"),
        (lambda: {"public_key": base64.b64encode(b"\0" * 32).decode()}, "public_key"),
        (lambda: {"public_key": _pem(rsa.generate_private_key(65537, 2048))}, "public_key"),
        (lambda: {"public_key": _pem(ec.generate_private_key(ec.SECP384R1()))}, "public_key"),
        (lambda: {"officer": ""}, "officer"),
        (lambda: {"officer": "Ada\nMartin"}, "officer"),
        (lambda: {"key_id": "k" * 65}, "key_id"),
        (lambda: {"user_id": new_id()}, "user_id"),
        (lambda: {"not_after": clock.now() - timedelta(days=1)}, "not_after"),
        (lambda: {"not_after": clock.now() + timedelta(days=10 * 365)}, "not_after"),
    ],
)
def test_invalid_key_is_refused(make: Callable[[], dict[str, Any]], field: str) -> None:
    new = NewOfficerKey("Ada", signing_keys.public_part(private_key("Ada")))
    with pytest.raises(OfficerKeyInvalid) as refusal:
        officer_key_register(SYSTEM, replace(new, **make()))
    assert refusal.value.field == field


def test_key_id_is_never_reused() -> None:
    new = NewOfficerKey("Ada", signing_keys.public_part(private_key("Ada")), "first")
    assert officer_key_register(SYSTEM, new) == officer_key_register(SYSTEM, new)
    officer_key_revoke(SYSTEM, "first")
    with pytest.raises(OfficerKeyTaken):
        officer_key_register(SYSTEM, replace(new, public_key=_pem(private_key("other"))))
    with pytest.raises(OfficerKeyTaken):
        officer_key_register(SYSTEM, replace(new, officer="Mallory"))
    with pytest.raises(OfficerKeyInvalid, match="registered already"):
        officer_key_register(SYSTEM, replace(new, officer="Mallory", key_id="second"))
    assert officer_key_register(SYSTEM, new).revoked_at is not None


def test_stating_and_registering_need_the_operator_role() -> None:
    for action in (
        lambda: facts_state(TENANT, signed(custody())),
        lambda: officer_key_register(TENANT, NewOfficerKey("x", signing_keys.public_part(private_key("x")))),
        lambda: officer_key_revoke(TENANT, officer().key_id),
    ):
        with pytest.raises(RoleNeeded):
            action()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE catalog_fact SET value = '\"none\"'",
        "UPDATE catalog_fact SET valid_to = now() + interval '1 day'",
        "UPDATE catalog_fact SET review_by = review_by + interval '1 day'",
        "UPDATE catalog_fact SET superseded_at = now() + interval '1 day', value = NULL",
        "UPDATE catalog_fact SET superseded_at = created_at",
        "DELETE FROM catalog_fact",
        "UPDATE catalog_officerkey SET public_key = ''",
        "UPDATE catalog_officerkey SET not_after = not_after + interval '1 day'",
        "DELETE FROM catalog_officerkey",
    ],
)
def test_database_refuses_changes_of_facts(sql: str) -> None:
    state([custody()])
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_database_refuses_to_undo_supersession_or_revocation() -> None:
    state([custody()])
    state([custody("none")])
    officer_key_revoke(SYSTEM, officer().key_id)
    for sql in (
        "UPDATE catalog_fact SET superseded_at = NULL WHERE superseded_at IS NOT NULL",
        "UPDATE catalog_fact SET superseded_at = superseded_at + interval '1 day' WHERE superseded_at IS NOT NULL",
        "UPDATE catalog_officerkey SET revoked_at = NULL",
    ):
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_clock_set_back_supersedes_after_the_old_fact_was_created(monkeypatch: pytest.MonkeyPatch) -> None:
    state([custody()])
    earlier = clock.now() - timedelta(seconds=30)
    statement = custody("none", attested_at=earlier)
    monkeypatch.setattr(clock, "now", lambda: earlier)
    facts_state(SYSTEM, signed(statement))
    old, new = Fact.objects.order_by("created_at")
    assert old.superseded_at == new.created_at > old.created_at
    assert new.value == "none"

"""Adding members to a named set relaxes its policies, which takes two officers and time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from andromede_core.facts.statements import Statement
from controlplane.audit.models import EvidenceRecord
from controlplane.catalog import signing_keys
from controlplane.catalog.bitemporal import with_remainders
from controlplane.catalog.errors import (
    FactNotSigned,
    FactsOverlap,
    OfficerKeyNotInForce,
    SetAgreementNeeded,
    SetWidenedTooSoon,
)
from controlplane.catalog.facts import FactsStated, facts_state
from controlplane.catalog.models import Fact
from controlplane.catalog.officer_keys import NewOfficerKey, officer_key_register, officer_key_revoke
from controlplane.catalog.selectors import facts_in_force, statement_of
from controlplane.identity.actor import SYSTEM
from controlplane.identity.models import User
from controlplane.kernel import clock
from tests.facts import import_sample, private_key, sample_catalogue, statement

pytestmark = pytest.mark.django_db

UNION = ["DE", "FR"]
WIDER = ["DE", "FR", "US"]
SETS = [("set", "@U"), ("scheme_class", "@qualified")]


def with_account(name: str, *, user: User | None = None) -> signing_keys.Officer:
    """An officer whose key is registered for an account of his own."""
    user = user or User.objects.create(email=f"{name}@platform.example")
    key = private_key(f"with-account-{name}")
    new = NewOfficerKey(
        name, signing_keys.public_part(key), user_id=user.pk, not_before=clock.now() - timedelta(days=1)
    )
    return signing_keys.Officer(officer_key_register(SYSTEM, new).key_id, name, signing_keys.signer(key))


@pytest.fixture
def ada() -> signing_keys.Officer:
    return with_account("ada")


@pytest.fixture
def bob() -> signing_keys.Officer:
    return with_account("bob")


def members(about: tuple[str, str], value: object, *, hours: float | None = None) -> Statement:
    """`hours`: from then on, counted from now."""
    when = {} if hours is None else {"valid_from": clock.now() + timedelta(hours=hours)}
    return statement(*about, "members", value, **when)


def state_signed(new: Statement, by: signing_keys.Officer, *agreeing: signing_keys.Officer) -> FactsStated:
    known = [statement_of(fact) for fact in Fact.objects.filter(facts_in_force())]
    signed = [by.signed(each) for each in with_remainders([new], known)]
    return facts_state(SYSTEM, [*signed, *(each.agreed(document) for each in agreeing for document in signed)])


@pytest.mark.parametrize("about", SETS)
def test_first_and_narrower_statements_need_one_officer_and_no_delay(
    about: tuple[str, str], ada: signing_keys.Officer
) -> None:
    assert len(state_signed(members(about, WIDER), ada).stated) == 1
    assert len(state_signed(members(about, UNION, hours=0), ada).stated) == 2
    assert len(state_signed(members(about, None, hours=1), ada).stated) == 2


@pytest.mark.parametrize("about", SETS)
def test_added_member_needs_two_officers_and_a_day(
    about: tuple[str, str], ada: signing_keys.Officer, bob: signing_keys.Officer
) -> None:
    state_signed(members(about, UNION), ada)
    with pytest.raises(SetAgreementNeeded):
        state_signed(members(about, WIDER, hours=25), ada)
    with pytest.raises(SetWidenedTooSoon):
        state_signed(members(about, WIDER, hours=23), ada, bob)
    with pytest.raises(SetWidenedTooSoon):
        state_signed(members(about, WIDER), ada, bob)
    done = state_signed(members(about, WIDER, hours=25), ada, bob)
    assert sorted(fact.value for fact in done.stated) == [UNION, WIDER]
    record = str(EvidenceRecord.objects.filter(kind="fact").latest("created_at").document)
    assert '"agreed":[{"kid":"' + bob.key_id in record


def test_replaced_member_counts_as_an_added_one(ada: signing_keys.Officer) -> None:
    state_signed(members(SETS[0], UNION), ada)
    with pytest.raises(SetAgreementNeeded):
        state_signed(members(SETS[0], ["FR", "US"], hours=25), ada)


def test_unknown_or_ended_set_counts_as_empty(ada: signing_keys.Officer) -> None:
    state_signed(members(SETS[0], None), ada)
    with pytest.raises(SetAgreementNeeded):
        state_signed(members(SETS[0], UNION, hours=25), ada)
    ends = replace(members(SETS[1], UNION), valid_to=clock.now() + timedelta(hours=1))
    state_signed(ends, ada)
    with pytest.raises(SetAgreementNeeded):
        state_signed(members(SETS[1], UNION, hours=2), ada)


def test_ended_period_is_corrected_by_one_officer(ada: signing_keys.Officer) -> None:
    since = clock.now() - timedelta(days=9)
    state_signed(replace(members(SETS[0], UNION), valid_from=since), ada)
    assert state_signed(replace(members(SETS[0], WIDER), valid_to=since), ada).stated


def test_second_key_of_one_account_is_no_second_officer(ada: signing_keys.Officer) -> None:
    state_signed(members(SETS[0], UNION), ada)
    same_person = with_account("again", user=User.objects.get(email="ada@platform.example"))
    key = private_key("of nobody")
    nobody = officer_key_register(SYSTEM, NewOfficerKey("Nobody", signing_keys.public_part(key)))
    for other in (same_person, signing_keys.Officer(nobody.key_id, "Nobody", signing_keys.signer(key))):
        with pytest.raises(SetAgreementNeeded):
            state_signed(members(SETS[0], WIDER, hours=25), ada, other)


def test_agreement_signature_is_verified(ada: signing_keys.Officer, bob: signing_keys.Officer) -> None:
    state_signed(members(SETS[0], UNION), ada)
    signed = ada.signed(members(SETS[0], WIDER, hours=25))
    forged = replace(ada.agreed(signed), key_id=bob.key_id)
    with pytest.raises(FactNotSigned):
        facts_state(SYSTEM, [signed, forged])
    with pytest.raises(FactsOverlap):
        facts_state(SYSTEM, [signed, signed])
    officer_key_revoke(SYSTEM, bob.key_id)
    with pytest.raises(OfficerKeyNotInForce):
        state_signed(members(SETS[0], WIDER, hours=25), ada, bob)


def test_import_adds_no_set_members() -> None:
    document = sample_catalogue()
    import_sample(document)
    document["sets"]["@EU"]["values"].append("US")
    with pytest.raises(SetAgreementNeeded):
        import_sample(document)

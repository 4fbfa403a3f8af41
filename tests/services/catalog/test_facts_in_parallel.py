"""Concurrent statements of officers are serialized, and no fact is current twice."""

import pytest

from controlplane.catalog import epochs
from controlplane.catalog.facts import FactsStated, facts_state
from controlplane.catalog.models import Fact
from controlplane.identity.actor import SYSTEM
from tests.facts import import_sample, officer, sample_catalogue, statement
from tests.services.threads import at_once, split
from tests.world import make_zone

pytestmark = pytest.mark.django_db(transaction=True)


def test_concurrent_contradicting_statements_are_serialized() -> None:
    make_zone("fr-idf-1")
    by, before = officer(), epochs.current()
    words = ["none", "provider_software", "provider_hsm", "customer_byok", "customer_hyok"]
    documents = [by.signed(statement("zone", "fr-idf-1", "keys.custody", word)) for word in words]

    done, failed = split(at_once([lambda document=document: facts_state(SYSTEM, [document]) for document in documents]))

    assert not failed
    assert sorted(each.epoch for each in done) == list(range(before + 1, before + 6))
    assert sum(each.superseded for each in done) == 4
    last = max(done, key=lambda each: each.epoch)
    assert Fact.objects.get(superseded_at=None) == last.stated[0]
    history = list(Fact.objects.order_by("created_at"))
    assert [fact.superseded_at for fact in history[:-1]] == [fact.created_at for fact in history[1:]]


def test_concurrent_equal_statements_are_stated_once() -> None:
    make_zone("fr-idf-1")
    document = officer().signed(statement("zone", "fr-idf-1", "keys.custody", "none"))

    done, failed = split(at_once([lambda: facts_state(SYSTEM, [document])] * 4))

    assert not failed
    assert sorted(len(each.stated) for each in done) == [0, 0, 0, 1]
    assert isinstance(done[0], FactsStated)
    assert len({each.epoch for each in done}) == 1


def test_concurrent_imports_state_each_fact_once() -> None:
    officer()
    document = sample_catalogue()
    done, failed = split(at_once([lambda: import_sample(document)] * 2))
    assert not failed
    assert sorted(each.stated for each in done)[0] == 0
    assert Fact.objects.count() == sum(each.stated for each in done)

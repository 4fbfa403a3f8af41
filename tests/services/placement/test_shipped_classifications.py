"""The shipped classifications admit no zone that their cited texts exclude.

They and the facts are imported once: each test is a savepoint in the transaction that they were imported in.
"""

from collections.abc import Iterator
from itertools import count

import pytest
from django.db.models import F
from django.test import TestCase
from pytest_django import DjangoDbBlocker

from controlplane.catalog.models import FactsEpoch
from controlplane.placement import effective_policies, policies
from controlplane.placement import services as placement
from controlplane.placement.models import Classification
from controlplane.placement.simulations import admissible_zones
from tests.conftest import fill
from tests.facts import state_of
from tests.services.placement.test_placement import ask
from tests.services.policies import import_all, officer, ruled, shipped
from tests.world import Tenant, make_node, make_tenant

pytestmark = pytest.mark.django_db

FAR = 1_000_000_000  # from the epochs of all other tests
tests_begun = count(1)

EXCLUDED: list[tuple[str, str, object]] = [
    ("19.2.b: data", "location.territory", "US"),
    ("19.2.c: administration", "admin.access_from", ["FR", "US"]),
    ("19.2.c: support", "support.access_from", ["US"]),
    ("19.2.c: consoles", "console.gateway_countries", ["US"]),
    ("19.2.d: control plane", "controlplane.countries", ["FR", "US"]),
    ("19.2.d: certificates", "pki.ca_country", "US"),
    ("19.2.d: logs", "logs.countries", ["US"]),
    ("19.2.d: metadata", "metadata.countries", ["FR", "US"]),
    ("19.2.d: keys", "keys.countries", ["US"]),
]


@pytest.fixture(scope="module")
def imported(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        transactions = TestCase._enter_atomics()
        fill()
        FactsEpoch.objects.update(value=FAR)
        import_all()
    yield
    with django_db_blocker.unblock():
        TestCase._rollback_atomics(transactions)


@pytest.fixture(autouse=True)
def facts(imported: None, db: None) -> None:
    """In an epoch that no other test has had: processes remember what they know by it."""
    FactsEpoch.objects.update(value=F("value") + 100 * next(tests_begun))


@pytest.mark.parametrize("name", ["eu-immune", "etat-sensible"])
@pytest.mark.parametrize(("about", "value"), [pytest.param(*each[1:], id=each[0]) for each in EXCLUDED])
def test_zone_excluded_by_the_cited_text_is_not_admitted(name: str, about: str, value: object) -> None:
    assert "fr-idf-1" in zones_for(name)
    state_of("zone", "fr-idf-1", {about: value})
    assert "fr-idf-1" not in zones_for(name)


@pytest.mark.parametrize("name", ["eu-immune", "etat-sensible"])
@pytest.mark.parametrize("role", ["remote_support", "software_licensing", "network_carrier"])
@pytest.mark.parametrize(
    "about",
    [
        {"party.statutory_seat": "US"},
        {"party.central_admin": "US"},
        {"party.principal_establishment": "US"},
        {"party.ultimate_parent_country": "US"},
        {"party.controlled_by_non_eu": True},
    ],
    ids=lambda about: next(iter(about)),
)
def test_party_outside_the_union_with_technical_access_is_refused(
    name: str, role: str, about: dict[str, object]
) -> None:
    """SecNumCloud 3.2, 19.6.c: no party with its seat or its control outside, in whatever role."""
    before = zones_for(name)
    parts = [
        {"role": "operator", "party": "op-alpha", "technical_access": True},
        {"role": role, "party": "dc-rho", "technical_access": True},
    ]
    for zone in ("fr-idf-1", "fr-idf-2"):
        state_of("zone", zone, {"parties": sorted(parts, key=lambda part: str(part["role"]))})
    assert zones_for(name) == before, "a third party of the Union has access"
    state_of("party", "dc-rho", about)
    assert zones_for(name) == before - {"fr-idf-1", "fr-idf-2"}


def zones_for(name: str) -> set[str]:
    return set(admissible_zones(effective_policies.of_classification(Classification.objects.get(pk=name))))


def test_no_certificate_can_be_waived() -> None:
    clauses = [(item["id"], clause) for item in shipped()["classifications"] for clause in item["atoms"]]
    assert [name for name, clause in clauses if clause["op"] == "holds" and clause.get("waivable")] == []


@pytest.fixture
def tenant() -> Tenant:
    return make_tenant()


@pytest.mark.parametrize(
    "clause",
    [
        {"op": "min_distance_km", "value": 100, "roles": ["replica"]},
        {"op": "min_distance_km", "value": 100, "roles": ["backup", "replica"]},
        {"op": "in", "attr": "location.territory", "value": ["DE"], "roles": ["backup"]},
    ],
)
def test_clause_about_copies_never_made_is_reported_as_unused(tenant: Tenant, clause: dict[str, object]) -> None:
    make_node("a")
    outcome = policies.policy_set(
        officer(tenant.project), clauses=[{"id": "far", **clause}], organization=tenant.project.organization
    )
    assert outcome.review.not_asked == ("far",)
    assert placement.claim(ask(tenant)).node_id


def test_clause_about_pool_copies_is_checked(tenant: Tenant) -> None:
    clause = {"id": "here", "op": "in", "attr": "location.territory", "value": ["FR"], "roles": ["replica"]}
    outcome = policies.policy_set(officer(tenant.project), clauses=[clause], organization=tenant.project.organization)
    assert outcome.review.not_asked == ()


def test_policy_can_require_no_extraterritorial_exposure(tenant: Tenant) -> None:
    clause = {"id": "laws", "op": "subset", "attr": "party.extraterritorial_exposure", "value": []}
    ruled(tenant.project, clause, at="organization")
    zones = admissible_zones(effective_policies.for_organization(tenant.project.organization))
    assert "fr-idf-1" in zones
    assert not {"fi-hel-1", "ie-dub-1", "us-va-1"} & set(zones), "a statute of one of their parties is stated"

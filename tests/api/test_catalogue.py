"""Catalogue: offers, parties, and facts."""

from datetime import timedelta

import pytest

from controlplane.catalog.models import Party
from controlplane.kernel import clock
from tests.api.client import Caller
from tests.facts import import_sample, state, state_of, statement
from tests.world import Cloud

PART = {"role": "operator", "party": "acme", "technical_access": True}


@pytest.fixture(autouse=True)
def party(db: None) -> Party:
    return Party.objects.create(pk="acme", name="ACME SAS")


def test_zone_has_its_parties_and_facts(api: Caller, cloud: Cloud) -> None:
    state_of("zone", "fr-idf-1", {"parties": [PART], "location.territory": "FR", "keys.custody": None})
    body = api.get("/v1/zones/fr-idf-1").body
    assert body == {
        "id": "fr-idf-1",
        "region": "region-1",
        "status": "open",
        "parties": [{"id": "acme", "name": "ACME SAS", "role": "operator", "has_technical_access": True}],
        "facts": {"keys.custody": None, "location.territory": "FR"},
        "overdue": [],
        "claimed": [],
    }
    assert api.get("/v1/zones").body["items"] == [body]
    assert api.get("/v1/zones?region=elsewhere").body["items"] == []
    assert api.get("/v1/zones/mars").problem == (404, "catalog.zone.not_found", None)


def test_fact_due_for_review_is_overdue(api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    state_of("zone", "fr-idf-1", {"location.territory": "FR"}, review_by=now + timedelta(hours=1))
    state_of("zone", "fr-idf-1", {"keys.module": "HSM"}, review_by=now + timedelta(hours=3))
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    body = api.get("/v1/zones/fr-idf-1").body
    assert (body["facts"], body["overdue"]) == ({"keys.module": "HSM"}, ["location.territory"])


def test_declared_fact_is_marked(api: Caller, cloud: Cloud) -> None:
    """The platform encrypts nothing, so that it does not stand behind such a fact."""
    state_of("zone", "fr-idf-1", {"location.territory": "FR", "encryption.at_rest": True})
    assert api.get("/v1/zones/fr-idf-1").body["claimed"] == ["encryption.at_rest"]
    facts = api.get("/v1/facts?subject_kind=zone&subject_id=fr-idf-1").body["items"]
    assert {each["attribute"]: each["delivered_by"] for each in facts} == {
        "location.territory": None,
        "encryption.at_rest": "operator",
    }


def test_future_fact_is_not_listed(api: Caller, cloud: Cloud) -> None:
    state_of("zone", "fr-idf-1", {"location.territory": "FR"}, valid_from=clock.now() + timedelta(days=1))
    assert api.get("/v1/zones/fr-idf-1").body["facts"] == {}


def test_party_is_listed_with_its_facts(api: Caller, cloud: Cloud) -> None:
    state_of("party", "acme", {"party.statutory_seat": "FR"})
    body = api.get("/v1/parties/acme").body
    assert body == {
        "id": "acme",
        "name": "ACME SAS",
        "facts": {"party.statutory_seat": "FR"},
        "overdue": [],
        "claimed": [],
    }
    assert api.get("/v1/parties").body["items"] == [body]
    assert api.get("/v1/parties/nobody").problem == (404, "catalog.party.not_found", None)


def test_named_sets_have_the_version_in_force(api: Caller, cloud: Cloud) -> None:
    brexit = clock.now() - timedelta(days=1)
    before = statement("set", "@EU", "members", ["FR", "GB"], valid_to=brexit)
    state([before, statement("set", "@EU", "members", ["FR"], valid_from=brexit)])
    state_of("scheme_class", "@HEALTH", {"members": ["HDS"]})
    items = api.get("/v1/sets").body["items"]
    assert [(each["name"], each["kind"], each["members"]) for each in items] == [
        ("@EU", "set", ["FR"]),
        ("@HEALTH", "scheme_class", ["HDS"]),
    ]
    assert [each["name"] for each in api.get("/v1/sets?kind=set").body["items"]] == ["@EU"]
    assert [each["name"] for each in api.get("/v1/sets?sort=-name&limit=1").body["items"]] == ["@HEALTH"]
    token = api.get("/v1/sets?limit=1").body["next_page_token"]
    assert [each["name"] for each in api.get(f"/v1/sets?limit=1&page_token={token}").body["items"]] == ["@HEALTH"]


def test_catalogue_can_be_exported_and_imported(api: Caller, cloud: Cloud) -> None:
    import_sample()
    body = api.get("/v1/catalogue").body
    assert len(body["zones"]) == 14
    assert body["sets"]["@FR"][0]["values"] == ["FR", "GF", "GP", "MF", "MQ", "RE", "YT"]
    assert (import_sample(body).stated, import_sample(body).superseded) == (0, 0)


def test_jurisdictions_of_a_zone_are_listed(api: Caller, cloud: Cloud) -> None:
    import_sample()
    items = {each["zone"]: each for each in api.get("/v1/transparency/jurisdictions").body["items"]}
    dublin = items["ie-dub-1"]
    assert (dublin["territory"], dublin["is_complete"]) == ("IE", True)
    assert dublin["statutes"] == ["US:CLOUD_ACT", "US:FISA_702"]
    (party,) = dublin["parties"]
    assert (party["party"], party["statutory_seat"], party["ultimate_parent_country"]) == ("op-epsilon", "IE", "US")
    assert items["de-rhein-2"]["statutes"] == ["US:CLOUD_ACT"]
    assert items["fr-idf-1"]["statutes"] == []
    assert (items["fi-hel-2"]["is_complete"], items["fi-hel-2"]["parties"][0]["statutes"]) == (False, None)


def test_transfers_out_of_the_territory_are_listed(api: Caller, cloud: Cloud) -> None:
    import_sample()
    items = {each["zone"]: each for each in api.get("/v1/transparency/transfers").body["items"]}
    assert items["de-rhein-2"]["transfers"] == [
        {"locus": "metadata", "attribute": "metadata.countries", "countries": ["US"]}
    ]
    assert {each["locus"] for each in items["fr-sud-2"]["transfers"]} == {"admin", "support"}
    assert (items["fr-idf-1"]["transfers"], items["fr-idf-1"]["unknown"]) == ([], [])
    state_of("zone", "fr-idf-1", {"controlplane.countries": None})
    items = {each["zone"]: each for each in api.get("/v1/transparency/transfers").body["items"]}
    assert (items["fr-idf-1"]["transfers"], items["fr-idf-1"]["unknown"]) == ([], ["controlplane.countries"])


def test_zone_without_facts_has_no_jurisdiction_and_unknown_transfers(api: Caller, cloud: Cloud) -> None:
    (law,) = api.get("/v1/transparency/jurisdictions").body["items"]
    assert (law["territory"], law["parties"], law["is_complete"]) == (None, [], False)
    (transfers,) = api.get("/v1/transparency/transfers").body["items"]
    assert (transfers["transfers"], len(transfers["unknown"])) == ([], 10)


def test_regions_flavors_and_volume_types_are_listed(api: Caller, cloud: Cloud) -> None:
    assert [each["id"] for each in api.get("/v1/regions").body["items"]] == ["region-1"]
    tiny = {"id": "tiny", "vcpus": 1, "memory_mib": 128, "disk_gib": 1, "max_volumes": 24}
    assert api.get("/v1/flavors").body["items"] == [tiny]
    assert [each["id"] for each in api.get("/v1/volume-types").body["items"]] == ["local"]

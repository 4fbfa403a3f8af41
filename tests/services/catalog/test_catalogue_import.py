"""Import, correction and export of the sample catalogue and the offers; errors name the field."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from andromede_core.facts import catalogue as core
from controlplane.catalog import epochs
from controlplane.catalog.catalogue_import import Signing, catalogue_import, offers_import
from controlplane.catalog.errors import CatalogueInvalid, FactRefused
from controlplane.catalog.exports import catalogue_export
from controlplane.catalog.models import Fact, Flavor, Zone
from controlplane.catalog.officer_keys import officer_key_revoke
from controlplane.catalog.selectors import facts_of, world
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel import clock
from tests.facts import FIXTURES, import_sample, officer, sample_catalogue, state_of

pytestmark = pytest.mark.django_db

MARCH, JULY, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 7, 12))


@pytest.fixture
def document() -> Any:
    return sample_catalogue()


@pytest.fixture
def offers() -> Any:
    return json.loads((FIXTURES / "offers.json").read_text())


def zone_of(document: Any, zone_id: str) -> Any:
    return next(zone for zone in document["zones"] if zone["id"] == zone_id)


def values(kind: str, subject: str, *, at: datetime = DECEMBER) -> dict[str, Any]:
    return {name: fact.value for name, fact in facts_of(kind, [subject], at=at)[subject].items()}


def value(zone_id: str, attribute: str, *, at: datetime = DECEMBER) -> object:
    return values("zone", zone_id, at=at).get(attribute, "nothing said")


def test_the_sample_catalogue_becomes_rows_and_facts(document: Any) -> None:
    before = epochs.current()

    done = import_sample(document)

    assert (done.regions, done.parties, done.zones) == (6, 9, len(document["zones"]))
    assert done.stated == Fact.objects.count()
    assert done.epoch == epochs.current() == before + 1
    zone = Zone.objects.get(pk="fr-idf-1")
    assert (zone.region_id, zone.status) == ("fr-idf", "open")
    facts = values("zone", "de-rhein-2")
    assert facts["location.territory"] == "DE"
    assert facts["metadata.countries"] == ["DE", "US"]
    assert facts["keys.custody"] == "none"
    assert facts["seal.SOV-5"] == 1
    assert facts["gaia_x_label"] is None
    assert {part["party"] for part in facts["parties"]} == {"op-gamma", "sw-sigma"}
    assert [certificate["scheme"] for certificate in facts["certifications"]] == ["C5", "ISO27001"]
    assert values("party", "op-beta")["party.non_eu_collective_pct"] == "41.00"
    assert "NO" not in values("set", "@EU")["members"]


def test_imported_facts_equal_those_of_the_file(document: Any) -> None:
    import_sample(document)
    ours, files = world(), core.parse(document).world()
    assert {name: zone.facts.keys() for name, zone in ours.zones.items()} == {
        name: zone.facts.keys() for name, zone in files.zones.items()
    }
    for name, zone in files.zones.items():
        for attribute, (fact,) in zone.facts.items():
            (imported,) = ours.zones[name].timeline(attribute)
            assert (imported.value, imported.valid_from, imported.assertion) == (
                fact.value,
                fact.valid_from,
                fact.assertion,
            )
    assert ours.sets.keys() == files.sets.keys()
    assert ours.parties.keys() == files.parties.keys()


def test_fact_is_unknown_before_its_validity(document: Any) -> None:
    import_sample(document)
    assert value("fr-idf-1", "location.territory", at=datetime(2025, 12, 31, tzinfo=UTC)) == "nothing said"


def test_a_second_import_changes_nothing(document: Any) -> None:
    first = import_sample(document)
    before = list(Fact.objects.order_by("pk").values())

    second = import_sample(document)

    assert (second.stated, second.superseded, second.unchanged) == (0, 0, first.stated)
    assert second.epoch == first.epoch == epochs.current()
    assert list(Fact.objects.order_by("pk").values()) == before


def test_correction_supersedes_and_keeps_the_old_statement(document: Any) -> None:
    import_sample(document)
    zone_of(document, "fr-idf-1")["keys"]["custody"] = "provider_hsm"

    done = import_sample(document)

    assert (done.stated, done.superseded) == (1, 1)
    earlier, later = Fact.objects.filter(subject_id="fr-idf-1", attribute="keys.custody").order_by("created_at")
    assert (earlier.value, later.value) == ("none", "provider_hsm")
    assert earlier.superseded_at == later.created_at
    assert later.superseded_at is None
    assert value("fr-idf-1", "keys.custody") == "provider_hsm"


def test_later_validity_keeps_the_value_before_it(document: Any) -> None:
    import_sample(document)
    zone = zone_of(document, "fr-idf-1")
    zone["valid_from"], zone["keys"]["custody"] = "2026-06-01T00:00:00Z", "provider_hsm"

    import_sample(document)
    repeated = import_sample(document)

    assert value("fr-idf-1", "keys.custody", at=MARCH) == "none"
    assert value("fr-idf-1", "keys.custody", at=JULY) == "provider_hsm"
    assert value("fr-idf-1", "location.territory", at=MARCH) == "FR"
    assert (repeated.stated, repeated.superseded) == (0, 0)


def test_attribute_removed_from_the_file_becomes_unknown(document: Any) -> None:
    import_sample(document)
    del zone_of(document, "fr-idf-1")["pki"]

    done = import_sample(document)
    repeated = import_sample(document)

    assert (done.stated, done.superseded) == (1, 1)
    assert value("fr-idf-1", "pki.ca_country") is None
    assert (repeated.stated, repeated.superseded) == (0, 0)


def test_subject_absent_from_the_file_keeps_its_facts(document: Any) -> None:
    import_sample(document)
    less = copy.deepcopy(document)
    less["zones"] = [zone_of(document, "fr-idf-1")]

    done = import_sample(less)

    assert (done.stated, done.superseded) == (0, 0)
    assert value("us-va-1", "location.territory") == "US"


def test_zone_is_unknown_after_its_end(document: Any) -> None:
    import_sample(document)
    zone_of(document, "fr-idf-1")["valid_to"] = "2026-09-01T00:00:00Z"

    import_sample(document)
    repeated = import_sample(document)

    assert value("fr-idf-1", "location.territory", at=JULY) == "FR"
    assert value("fr-idf-1", "location.territory", at=DECEMBER) is None
    assert (repeated.stated, repeated.superseded) == (0, 0)


def test_set_versions_follow_one_another(document: Any) -> None:
    import_sample(document)
    members = document["sets"]["@EU"]["values"]
    document["sets"]["@EU"] = [
        {"valid_from": "2019-01-01T00:00:00Z", "valid_to": "2020-02-01T00:00:00Z", "values": [*members, "GB"]},
        {"valid_from": "2020-02-01T00:00:00Z", "values": members},
    ]

    done = import_sample(document)

    assert (done.stated, done.superseded) == (1, 0)
    assert "GB" in values("set", "@EU", at=datetime(2020, 1, 1, tzinfo=UTC))["members"]
    assert "GB" not in values("set", "@EU")["members"]


def test_facts_due_for_review_soon_are_restated(document: Any) -> None:
    year_ago = clock.now() - timedelta(days=350)
    first = import_sample(document, attested_at=year_ago)

    repeated = import_sample(document)

    assert (repeated.stated, repeated.superseded, repeated.unchanged) == (first.stated, first.stated, 0)
    assert Fact.objects.filter(superseded_at=None, review_by__lt=clock.now() + timedelta(days=300)).count() == 0


def test_file_past_its_review_date_is_refused(document: Any) -> None:
    document["generated_for"] = "2020-01-01T00:00:00Z"
    with pytest.raises(FactRefused, match="review date has passed"):
        import_sample(document, attested_at=None)
    assert not Zone.objects.exists()


def test_review_dates_of_the_file_are_used(document: Any) -> None:
    document["parties"][0]["review_by"] = "2031-01-01T00:00:00Z"
    import_sample(document)
    facts = facts_of("party", ["op-alpha"], at=DECEMBER)["op-alpha"]
    assert {fact.review_by for fact in facts.values()} == {datetime(2031, 1, 1, tzinfo=UTC)}

    document["parties"][0]["review_by"] = "2030-01-01T00:00:00Z"

    assert import_sample(document).stated == len(facts)


def test_import_re_signs_facts_of_a_revoked_key(document: Any) -> None:
    first = import_sample(document)
    officer_key_revoke(SYSTEM, officer().key_id)

    done = catalogue_import(SYSTEM, document, Signing(officer("Grace"), clock.now()))

    assert (done.stated, done.superseded) == (first.stated, first.stated)
    assert set(Fact.objects.filter(superseded_at=None).values_list("author", flat=True)) == {"Grace"}


def test_import_restates_everything_on_request(document: Any) -> None:
    first = import_sample(document)
    assert import_sample(document, restate=True).stated == first.stated


def test_closing_a_zone_advances_the_epoch(document: Any) -> None:
    first = import_sample(document)
    zone_of(document, "fr-idf-1")["status"] = "closed"

    done = import_sample(document)

    assert (done.stated, done.epoch) == (0, first.epoch + 1)
    assert world().zones["fr-idf-1"].status == "closed"


def test_import_of_an_export_changes_nothing(document: Any) -> None:
    document["scheme_classes"] = {"@HEALTH": {"valid_from": "2026-01-01T00:00:00Z", "values": ["HDS", "C5"]}}
    import_sample(document)
    soon = clock.now() + timedelta(days=90)
    state_of("zone", "fr-idf-1", {"keys.custody": "provider_hsm"}, valid_from=soon, assertion="certificate")
    state_of("zone", "fr-idf-2", {"certifications": []}, assertion="certificate", evidence_sha256="a" * 64)
    state_of("zone", "fr-idf-3", {"parties": None}, valid_from=soon)
    evidenced = [
        certification | {"evidence_sha256": "b" * 64}
        for certification in zone_of(document, "fr-est-1")["certifications"]
    ]
    state_of("zone", "fr-est-1", {"certifications": evidenced}, assertion="certificate")
    state_of("zone", "fr-est-2", {"certifications": None}, assertion="certificate")
    state_of("region", "fr-idf", {"region.kind": "EU"})
    before = list(Fact.objects.order_by("pk").values())
    exported = json.loads(json.dumps(catalogue_export(now=clock.now())))

    done = import_sample(exported)

    assert (done.stated, done.superseded) == (0, 0)
    assert list(Fact.objects.order_by("pk").values()) == before
    assert catalogue_export(now=clock.now()) | {"generated_for": ""} == exported | {"generated_for": ""}


def test_export_equals_the_current_facts(document: Any) -> None:
    import_sample(document)
    state_of("zone", "fr-idf-1", {"keys.custody": "provider_hsm"}, valid_from=JULY)

    exported = core.parse(catalogue_export(now=clock.now())).world()

    ours = world()
    assert exported.zones == ours.zones
    assert exported.parties == ours.parties
    assert exported.sets == ours.sets


def test_database_refuses_two_current_facts_for_one_moment(document: Any) -> None:
    import_sample(document)
    fact = Fact.objects.get(subject_id="fr-idf-1", attribute="location.territory")
    with pytest.raises(IntegrityError, match="catalog_fact_one_belief"), transaction.atomic():
        Fact.objects.create(
            subject_kind="zone",
            subject_id="fr-idf-1",
            attribute="location.territory",
            value="DE",
            valid_from=JULY,
            attested_at=JULY,
            review_by=fact.review_by,
            assertion="self_declared",
            author=fact.author,
            key_id=fact.key_id,
            signature=b"",
        )


def set_in(document: Any, path: list[Any], new: object) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = new


STATEMENT = {
    "subject_kind": "zone",
    "subject_id": "fr-idf-1",
    "attribute": "location.site_id",
    "value": "site-1",
    "valid_from": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("path", "new", "pointer"),
    [
        (["schema"], "andromede.sovereignty.catalogue/2", "schema"),
        (["extra"], 1, "file: unknown key 'extra'"),
        (["sets", "@EU", "values"], ["France"], "sets.@EU.values"),
        (["sets", "@EU", "values"], ["FR", "@EEA"], "sets.@EU.values"),
        (["sets", "@Süd"], {"valid_from": "2026-01-01T00:00:00Z", "values": []}, "sets.@Süd"),
        (["parties", 1, "non_eu_collective_pct"], 41.0, "parties[1].non_eu_collective_pct"),
        (["parties", 1, "as_of"], "2026-01-01", "parties[1].as_of"),
        (["parties", 1, "id"], "op-alpha", "parties[1].id"),
        (["regions", 0, "id"], "fr-other", "zones[0].region"),
        (["zones", 2, "id"], "Zone 2", "zones[2].id"),
        (["zones", 2, "id"], "fr-idf-1", "zones[2].id"),
        (["zones", 2, "status"], "shut", "zones[2].status"),
        (["zones", 2, "valid_to"], "2025-01-01T00:00:00Z", "zones[2].valid_to"),
        (["zones", 2, "location"], {"territory": "France"}, "zones[2].location.territory"),
        (["zones", 2, "location", "lat"], 1e-7, "zones[2].location.lat"),
        (["zones", 2, "colour"], "blue", "zones[2].colour: there is no such attribute"),
        (["zones", 2, "parties", 0, "party"], "nobody", "zones[2].parties"),
        (["zones", 2, "parties", 0, "role"], "owner", "zones[2].parties[0].role"),
        (["zones", 0, "certifications", 1, "valid_to"], "2028-06-01", "zones[0].certifications[1].valid_to"),
        (["zones", 0, "certifications", 1, "valid_to"], "2024-06-01T00:00:00Z", "certifications[1].valid_to"),
        (["zones", 0, "certifications", 0, "status"], "good", "zones[0].certifications[0].status"),
        (["zones", 0, "evidence_sha256"], "none", "zones[0].evidence_sha256"),
        (["statements"], [STATEMENT | {"subject_id": "mars"}], "statements[0].subject_id"),
        (["statements"], [STATEMENT | {"attribute": "colour"}], "statements[0].attribute"),
        (["statements"], [STATEMENT | {"attribute": "tenancy", "value": ["shared"]}], "statements[0]: two versions"),
        (["statements"], [STATEMENT, STATEMENT], "statements[1]: two versions"),
    ],
)
def test_invalid_field_is_named_and_nothing_is_imported(
    document: Any, path: list[Any], new: object, pointer: str
) -> None:
    set_in(document, path, new)

    with pytest.raises(CatalogueInvalid) as refusal:
        import_sample(document)

    assert pointer in str(refusal.value)
    assert not Zone.objects.exists()
    assert not Fact.objects.exists()


@pytest.mark.parametrize("moment", ["9999-12-31T00:00:00Z", "2100-01-01T00:00:00Z"])
def test_file_dated_in_the_future_needs_an_attestation_date(document: Any, moment: str) -> None:
    document["generated_for"] = moment
    with pytest.raises(CatalogueInvalid, match="generated_for: is in the future") as refusal:
        catalogue_import(SYSTEM, document, Signing(officer()))
    assert not Zone.objects.exists(), refusal
    assert catalogue_import(SYSTEM, document, Signing(officer(), attested_at=clock.now())).stated


def test_fact_valid_from_year_9999_is_imported(document: Any) -> None:
    document["parties"][0]["as_of"] = "9999-12-31T00:00:00Z"
    import_sample(document)
    assert Fact.objects.filter(valid_from__year=9999).exists()


@pytest.mark.parametrize("document", [[], "text", 5, {}])
def test_file_of_another_format_is_refused(document: object) -> None:
    with pytest.raises(CatalogueInvalid):
        import_sample(document)


def test_import_needs_the_operator_role(document: Any) -> None:
    signing = Signing(officer())
    with pytest.raises(RoleNeeded):
        catalogue_import(Actor(None, None, None, "owner"), document, signing)


def test_offers_are_imported_twice_and_updated(offers: Any) -> None:
    assert offers_import(SYSTEM, offers).changed == len(offers["flavors"]) + len(offers["volume_types"])
    assert offers_import(SYSTEM, offers).changed == 0
    offers["flavors"][0] |= {"memory_mib": 256, "disk_gib": 0}

    assert offers_import(SYSTEM, offers).changed == 1
    tiny = Flavor.objects.get(pk="tiny")
    assert (tiny.memory_mib, tiny.disk_gib) == (256, 0)


@pytest.mark.parametrize(
    ("path", "new", "pointer"),
    [
        (["flavors", 0, "vcpus"], 0, "flavors[0].vcpus"),
        (["flavors", 0, "vcpus"], True, "flavors[0].vcpus"),
        (["flavors", 1, "memory_mib"], 63, "flavors[1].memory_mib"),
        (["flavors", 1, "disk_gib"], "5", "flavors[1].disk_gib"),
        (["flavors", 1, "disk_gib"], -1, "flavors[1].disk_gib"),
        (["volume_types", 0, "id"], "shared", "volume_types[0].pool"),
        (["volume_types", 0, "pool"], "shared", "volume_types[0].pool"),
    ],
)
def test_invalid_field_of_the_offers_is_named(offers: Any, path: list[Any], new: object, pointer: str) -> None:
    set_in(offers, path, new)
    with pytest.raises(CatalogueInvalid, match=pointer.replace("[", r"\[")):
        offers_import(SYSTEM, offers)
    assert not Flavor.objects.exists()


def test_the_offers_command_prints_counts(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_offers", str(FIXTURES / "offers.json"))
    assert "5 flavors, 1 volume types; 6 changed" in capsys.readouterr().out


def test_offers_command_refuses_with_a_message(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"schema": "x"}')
    no_json = tmp_path / "no.json"
    no_json.write_text("schema: x")
    for path, sentence in (
        (tmp_path / "none.json", "No such file"),
        (no_json, "is not JSON"),
        (wrong, "'flavors' is missing"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("import_offers", str(path))

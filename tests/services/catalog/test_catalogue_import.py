"""The sample catalogue and the offers: imported twice, corrected, and refused with the place named."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

import controlplane.catalog
from controlplane.catalog.errors import CatalogueInvalid
from controlplane.catalog.imports import catalogue_import, offers_import
from controlplane.catalog.models import Fact, Flavor, Zone, ZoneParty
from controlplane.catalog.selectors import facts_at
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded

pytestmark = pytest.mark.django_db

FIXTURES = Path(controlplane.catalog.__file__).parent / "fixtures"
MARCH, JULY, DECEMBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 7, 12))


@pytest.fixture
def document() -> Any:
    return json.loads((FIXTURES / "catalogue.json").read_text())


@pytest.fixture
def offers() -> Any:
    return json.loads((FIXTURES / "offers.json").read_text())


def zone_of(document: Any, zone_id: str) -> Any:
    return next(zone for zone in document["zones"] if zone["id"] == zone_id)


def value(zone_id: str, attribute: str, *, moment: datetime = DECEMBER) -> object:
    return facts_at("zone", [zone_id], moment=moment)[zone_id].get(attribute, "nothing said")


def test_the_sample_catalogue_becomes_rows_and_facts(document: Any) -> None:
    done = catalogue_import(SYSTEM, document)

    assert (done.regions, done.parties, done.zones) == (6, 9, len(document["zones"]))
    assert done.stated == Fact.objects.count()
    zone = Zone.objects.get(pk="fr-idf-1")
    assert (zone.region_id, zone.status) == ("fr-idf", "open")
    assert set(zone.parties.values_list("role", "party", "has_technical_access")) == {
        ("operator", "op-alpha", True),
        ("dc_landlord", "dc-rho", False),
    }
    facts = facts_at("zone", ["de-rhein-2"], moment=DECEMBER)["de-rhein-2"]
    assert facts["location.territory"] == "DE"
    assert facts["metadata.countries"] == ["DE", "US"]
    assert facts["keys.custody"] == "customer_byok"
    assert facts["seal.sov-5"] == 1
    assert facts["gaia_x_label"] is None
    assert [certificate["scheme"] for certificate in facts["certifications"]] == ["C5", "ISO27001"]  # type: ignore[attr-defined]
    assert facts_at("party", ["op-beta"], moment=DECEMBER)["op-beta"]["party.non_eu_collective_pct"] == "41.00"
    assert "NO" not in facts_at("set", ["@EU"], moment=DECEMBER)["@EU"]["members"]  # type: ignore[operator]


def test_nothing_is_known_before_a_fact_begins(document: Any) -> None:
    catalogue_import(SYSTEM, document)
    assert value("fr-idf-1", "location.territory", moment=datetime(2025, 12, 31, tzinfo=UTC)) == "nothing said"


def test_a_second_import_changes_nothing(document: Any) -> None:
    first = catalogue_import(SYSTEM, document)
    before = list(Fact.objects.order_by("pk").values())

    second = catalogue_import(SYSTEM, document)

    assert (second.stated, second.superseded, second.unchanged) == (0, 0, first.stated)
    assert list(Fact.objects.order_by("pk").values()) == before
    assert ZoneParty.objects.count() == sum(len(zone["parties"]) for zone in document["zones"])


def test_a_correction_supersedes_and_keeps_what_was_believed(document: Any) -> None:
    catalogue_import(SYSTEM, document)
    zone_of(document, "fr-idf-1")["keys"]["custody"] = "provider_hsm"

    done = catalogue_import(SYSTEM, document)

    assert (done.stated, done.superseded) == (1, 1)
    earlier, later = Fact.objects.filter(subject_id="fr-idf-1", attribute="keys.custody").order_by("created_at")
    assert (earlier.value, later.value) == ("customer_byok", "provider_hsm")
    assert earlier.superseded_at == later.created_at
    assert later.superseded_at is None
    assert value("fr-idf-1", "keys.custody") == "provider_hsm"


def test_a_change_in_the_world_leaves_the_time_before_it_as_it_was(document: Any) -> None:
    catalogue_import(SYSTEM, document)
    zone = zone_of(document, "fr-idf-1")
    zone["valid_from"], zone["keys"]["custody"] = "2026-06-01T00:00:00Z", "provider_hsm"

    catalogue_import(SYSTEM, document)
    again = catalogue_import(SYSTEM, document)

    assert value("fr-idf-1", "keys.custody", moment=MARCH) == "customer_byok"
    assert value("fr-idf-1", "keys.custody", moment=JULY) == "provider_hsm"
    assert value("fr-idf-1", "location.territory", moment=MARCH) == "FR"
    assert (again.stated, again.superseded) == (0, 0)


def test_a_fact_that_the_file_leaves_out_is_not_believed_any_more(document: Any) -> None:
    catalogue_import(SYSTEM, document)
    del zone_of(document, "fr-idf-1")["pki"]

    done = catalogue_import(SYSTEM, document)

    assert (done.stated, done.superseded) == (0, 1)
    assert value("fr-idf-1", "pki.ca_country") == "nothing said"


def test_what_the_file_does_not_name_stays(document: Any) -> None:
    catalogue_import(SYSTEM, document)
    less = copy.deepcopy(document)
    less["zones"] = [zone_of(document, "fr-idf-1")]

    done = catalogue_import(SYSTEM, less)

    assert (done.stated, done.superseded) == (0, 0)
    assert value("us-va-1", "location.territory") == "US"


def test_a_zone_that_ends_has_no_facts_after_its_end(document: Any) -> None:
    catalogue_import(SYSTEM, document)
    zone_of(document, "fr-idf-1")["valid_to"] = "2026-09-01T00:00:00Z"

    catalogue_import(SYSTEM, document)

    assert value("fr-idf-1", "location.territory", moment=JULY) == "FR"
    assert value("fr-idf-1", "location.territory", moment=DECEMBER) == "nothing said"


def test_the_database_refuses_two_beliefs_about_one_moment(document: Any) -> None:
    catalogue_import(SYSTEM, document)
    with pytest.raises(IntegrityError, match="catalog_fact_one_belief"):
        Fact.objects.create(
            subject_kind="zone", subject_id="fr-idf-1", attribute="location.territory", value="DE", valid_from=JULY
        )


def set_in(document: Any, path: list[Any], new: object) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = new


@pytest.mark.parametrize(
    ("path", "new", "place"),
    [
        (["schema"], "andromede.sovereignty.catalogue/2", "schema"),
        (["extra"], 1, "file: unknown key 'extra'"),
        (["sets", "@EU", "values"], ["France"], "sets.@EU.values"),
        (["parties", 1, "non_eu_collective_pct"], 41.0, "parties[1].non_eu_collective_pct"),
        (["parties", 1, "as_of"], "2026-01-01", "parties[1].as_of"),
        (["parties", 1, "id"], "op-alpha", "parties[1].id"),
        (["regions", 0, "id"], "fr-other", "zones[0].region"),
        (["zones", 2, "id"], "Zone 2", "zones[2].id"),
        (["zones", 2, "status"], "shut", "zones[2].status"),
        (["zones", 2, "valid_to"], "2025-01-01T00:00:00Z", "zones[2].valid_to"),
        (["zones", 2, "location"], {"territory": "France"}, "zones[2].location.territory"),
        (["zones", 2, "colour"], "blue", "zones[2].colour: there is no such attribute"),
        (["zones", 2, "parties", 0, "party"], "nobody", "zones[2].parties"),
        (["zones", 2, "parties", 0, "role"], "owner", "zones[2].parties[0].role"),
        (["zones", 0, "certifications", 1, "valid_to"], "2028-06-01", "zones[0].certifications[1].valid_to"),
        (["zones", 0, "certifications", 0, "status"], "good", "zones[0].certifications[0].status"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_imports_nothing(
    document: Any, path: list[Any], new: object, place: str
) -> None:
    set_in(document, path, new)

    with pytest.raises(CatalogueInvalid) as refusal:
        catalogue_import(SYSTEM, document)

    assert place in str(refusal.value)
    assert not Zone.objects.exists()
    assert not Fact.objects.exists()


@pytest.mark.parametrize("document", [None, [], "text", 5, {}])
def test_a_file_that_is_something_else_is_refused(document: object) -> None:
    with pytest.raises(CatalogueInvalid):
        catalogue_import(SYSTEM, document)


def test_only_operators_import(document: Any) -> None:
    with pytest.raises(RoleNeeded):
        catalogue_import(Actor(None, None, None, "owner"), document)


def test_offers_twice_then_changed(offers: Any) -> None:
    assert offers_import(SYSTEM, offers).changed == len(offers["flavors"]) + len(offers["volume_types"])
    assert offers_import(SYSTEM, offers).changed == 0
    offers["flavors"][0]["memory_mib"] = 256

    assert offers_import(SYSTEM, offers).changed == 1
    assert Flavor.objects.get(pk="tiny").memory_mib == 256


@pytest.mark.parametrize(
    ("path", "new", "place"),
    [
        (["flavors", 0, "vcpus"], 0, "flavors[0].vcpus"),
        (["flavors", 0, "vcpus"], True, "flavors[0].vcpus"),
        (["flavors", 1, "memory_mib"], 63, "flavors[1].memory_mib"),
        (["flavors", 1, "disk_gib"], "5", "flavors[1].disk_gib"),
        (["volume_types", 0, "id"], "shared", "volume_types[0].id"),
    ],
)
def test_a_mistake_in_the_offers_is_named(offers: Any, path: list[Any], new: object, place: str) -> None:
    set_in(offers, path, new)
    with pytest.raises(CatalogueInvalid, match=place.replace("[", r"\[")):
        offers_import(SYSTEM, offers)
    assert not Flavor.objects.exists()


def test_the_commands_print_counts(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_catalogue", str(FIXTURES / "catalogue.json"))
    call_command("import_offers", str(FIXTURES / "offers.json"))
    printed = capsys.readouterr().out
    assert "6 regions, 9 parties, 14 zones; facts: " in printed
    assert "5 flavors, 1 volume types; 6 changed" in printed


def test_the_commands_refuse_with_a_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"schema": "x"}')
    no_json = tmp_path / "no.json"
    no_json.write_text("schema: x")
    for path, sentence in (
        (tmp_path / "none.json", "No such file"),
        (no_json, "is not JSON"),
        (wrong, "'sets' is missing"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("import_catalogue", str(path))

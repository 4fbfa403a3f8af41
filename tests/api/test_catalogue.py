from datetime import UTC, datetime

from controlplane.catalog.models import Fact, Party, Zone, ZoneParty
from tests.api.client import Caller
from tests.world import Cloud


def test_zones_with_who_runs_them_and_what_is_known(api: Caller, cloud: Cloud) -> None:
    zone = Zone.objects.get()
    party = Party.objects.create(pk="acme", name="ACME SAS")
    ZoneParty.objects.create(zone=zone, party=party, role="operator", has_technical_access=True)
    Fact.objects.create(
        subject_kind="zone",
        subject_id=zone.pk,
        attribute="zone.country",
        value="FR",
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
    )
    body = api.get("/v1/zones/fr-idf-1").body
    assert body == {
        "id": "fr-idf-1",
        "region": "region-1",
        "status": "open",
        "parties": [{"id": "acme", "name": "ACME SAS", "role": "operator", "has_technical_access": True}],
        "facts": {"zone.country": "FR"},
    }
    assert api.get("/v1/zones").body["items"] == [body]
    assert api.get("/v1/zones?region=elsewhere").body["items"] == []
    assert api.get("/v1/zones/mars").problem == (404, "catalog.zone.not_found", None)


def test_regions_flavors_and_volume_types(api: Caller, cloud: Cloud) -> None:
    assert [each["id"] for each in api.get("/v1/regions").body["items"]] == ["region-1"]
    assert api.get("/v1/flavors").body["items"] == [{"id": "tiny", "vcpus": 1, "memory_mib": 128, "disk_gib": 1}]
    assert [each["id"] for each in api.get("/v1/volume-types").body["items"]] == ["local"]

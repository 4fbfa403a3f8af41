"""Routes of announcers."""

from controlplane.announcers.models import Announcer
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.world import Cloud

NEW = {"name": "announcer-1", "zone": "fr-idf-1", "address": "10.0.7.11:7445"}


def test_operator_adds_and_removes_an_announcer(cloud: Cloud, operator: Caller) -> None:
    created = operator.post("/v1/announcers", NEW)
    assert created.status == 201
    assert {name: created.body[name] for name in NEW} == NEW
    assert (created.body["problem"], created.body["certificate_expires_at"]) == ("", None)
    assert operator.get("/v1/announcers/announcer-1").body == created.body
    assert [each["id"] for each in operator.get("/v1/announcers").body["items"]] == [created.body["id"]]
    assert operator.delete("/v1/announcers/announcer-1").status == 204
    assert operator.get(f"/v1/announcers/{created.body['id']}").body["code"] == "announcer.not_found"


def test_name_is_taken_once(cloud: Cloud, operator: Caller) -> None:
    operator.post("/v1/announcers", NEW)
    repeated = operator.post("/v1/announcers", NEW)
    assert repeated.problem == (409, "announcer.name_taken", "/name")


@in_one_cloud("address", ["10.0.7.11", ":7445", "10.0.7.11:0", "10.0.7.11:99999", "10.0.7.11:x"])
def test_address_must_have_a_port(cloud: Cloud, operator: Caller, address: str) -> None:
    refused = operator.post("/v1/announcers", NEW | {"address": address})
    assert refused.problem == (400, "announcer.address_invalid", "/address")


def test_zone_must_exist(cloud: Cloud, operator: Caller) -> None:
    refused = operator.post("/v1/announcers", NEW | {"zone": "nowhere"})
    assert refused.problem == (422, "catalog.zone.not_found", "/zone")
    assert not Announcer.objects.exists()

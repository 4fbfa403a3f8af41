from tests.api.client import Caller
from tests.world import Cloud


def test_network_is_created_updated_and_deleted(api: Caller, cloud: Cloud) -> None:
    asked = {"name": "dmz", "cidr": "192.168.7.0/24", "dns_servers": ["9.9.9.9"], "labels": {"env": "prod"}}
    answer = api.post("networks", asked)
    body = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/projects/alpha/networks/{body['id']}"
    assert {name: body[name] for name in asked} == asked
    assert body["gateway_ip"] == "192.168.7.1"
    assert api.get("networks/dmz").body == body
    assert [each["name"] for each in api.get("networks?sort=name").body["items"]] == ["dmz", "lan"]
    changed = api.patch("networks/dmz", {"name": "outside", "labels": {"env": None}}).body
    assert (changed["name"], changed["labels"], changed["generation"]) == ("outside", {}, body["generation"] + 1)
    assert api.delete("networks/outside").status == 204
    assert api.get(f"networks/{body['id']}").problem == (404, "network.not_found", None)


def test_network_in_use_is_not_deleted(api: Caller, cloud: Cloud) -> None:
    api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]})
    assert api.delete("networks/lan").problem == (409, "network.in_use", None)


def test_taken_name_is_refused(api: Caller, cloud: Cloud) -> None:
    answer = api.post("networks", {"name": "lan", "cidr": "10.0.0.0/24"})
    assert answer.problem == (409, "network.name_taken", "/name")

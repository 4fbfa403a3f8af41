"""API client of the demo, the benchmarks and the chaos tests."""

import pytest

from andromede_sdk import ApiError
from scripts import demo
from scripts.api import Api
from tests.clients.conftest import Live

pytestmark = pytest.mark.slow


def test_script_client_reads_writes_and_raises_errors(live: Live) -> None:
    api = Api(live.url, live.token, project="demo")
    created = api.post("volumes", {"name": "data", "size_gib": 1})
    assert api.wait(created["operation"])["state"] == "succeeded"
    assert [each["id"] for each in api.get("volumes", limit="1")["items"]] == [created["id"]]
    with pytest.raises(ApiError) as refused:
        api.post("volumes", {"name": "data", "size_gib": 1})
    assert (refused.value.status, refused.value.raw["code"]) == (409, "storage.volume.name_taken")
    api.delete_if_there("volumes/data")
    api.delete_if_there("volumes/data")
    assert api.get("/v1/healthz") == {"status": "ok"}
    api.close()


def test_the_demo_finds_the_node_of_its_guest(live: Live) -> None:
    api = Api(live.url, live.token, project="demo")
    api.wait(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"})["operation"])
    web = api.get("instances/web")
    found = demo.node_of(live.cloud, live.operator, web)
    assert live.cloud.zones[found] == web["zone"]
    api.delete_if_there("instances/web")
    api.close()

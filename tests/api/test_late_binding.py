"""Volumes of types that bind at first use, by the API."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.client import Caller
from tests.api.conftest import finish
from tests.world import Cloud

LATER = {"id": "later", "description": "where it is first attached", "binding": "first_use"}
NEW = {"name": "data", "size_gib": 2, "volume_type": "later"}
WEB = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}


@pytest.fixture
def later(operator: Caller, cloud: Cloud) -> Any:
    return operator.post("/v1/volume-types", LATER).body


def conditions(volume: Mapping[str, Any]) -> dict[str, str]:
    return {each["type"]: each["status"] for each in volume["conditions"]}


def test_binding_is_part_of_the_type_for_good(operator: Caller, later: Any) -> None:
    assert later["binding"] == "first_use"
    assert operator.get("/v1/volume-types/local").body["binding"] == "immediate"
    assert operator.patch("/v1/volume-types/later", {"binding": "immediate"}).status == 400
    assert operator.post("/v1/volume-types", LATER | {"id": "never", "binding": "never"}).status == 400


def test_volume_has_no_place_until_its_first_attachment(api: Caller, operator: Caller, later: Any) -> None:
    preview = api.post("volumes?dry_run=true", NEW)
    assert (preview.status, preview.body["is_admitted"]) == (200, True)
    finish(api.post("volumes", NEW))
    volume = api.get("volumes/data").body
    assert (volume["state"], volume["zone"], conditions(volume)) == ("available", None, {"bound": "false"})
    assert api.get(f"/v1/resources/{volume['id']}/residency").body["intervals"] == []
    assert api.get("volumes?zone=fr-idf-1").body["items"] == []
    refused = api.post("snapshots", {"name": "s", "volume": "data"})
    assert refused.problem[:2] == (409, "storage.volume.unbound")
    finish(api.post("instances", WEB))
    finish(api.post("instances/web/attachments", {"volume": "data"}))
    attached = api.get("volumes/data").body
    assert (attached["state"], attached["zone"]) == ("in-use", "fr-idf-1")
    assert conditions(attached) == {"node-reachable": "true"}
    roles = [each["role"] for each in api.get(f"/v1/resources/{volume['id']}/residency").body["intervals"]]
    assert "storage" in roles


def test_plan_of_a_retype_copies_nothing(api: Caller, later: Any) -> None:
    finish(api.post("volumes", NEW))
    plan = api.post("volumes/data/actions/retype?dry_run=true", {"volume_type": "local"}).body
    assert (plan["copied_gib"], plan["pool"]) == (0, "")
    finish(api.post("volumes/data/actions/retype", {"volume_type": "local"}))
    assert conditions(api.get("volumes/data").body) == {"bound": "false"}


def test_new_instance_gives_its_volumes_their_places(api: Caller, later: Any) -> None:
    finish(api.post("volumes", NEW))
    finish(api.post("volumes", NEW | {"name": "system", "image": "tiny"}))
    wanted = {key: value for key, value in WEB.items() if key != "image"}
    wanted |= {"boot_volume": "system", "volumes": ["data"]}
    preview = api.post("instances?dry_run=true", wanted)
    assert (preview.status, preview.body["is_admitted"]) == (200, True)
    assert conditions(api.get("volumes/data").body) == {"bound": "false"}
    finish(api.post("instances", wanted))
    for name in ("data", "system"):
        volume = api.get(f"volumes/{name}").body
        assert (volume["state"], volume["zone"]) == ("in-use", "fr-idf-1")
        roles = [each["role"] for each in api.get(f"/v1/resources/{volume['id']}/residency").body["intervals"]]
        assert "storage" in roles

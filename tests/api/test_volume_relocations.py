"""Relocations of volumes in the API: the plan, the request, and the action's answer beforehand."""

from typing import Any

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.operations.models import Operation
from controlplane.storage.models import Volume, VolumeMove
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.workflows.helpers import fresh, make_volume
from tests.world import Cloud, follow

HERE, THERE = "fr-idf-1", "de-fra-1"
URL, BODY = "volumes/data/actions/relocate", {"zone": THERE, "max_mb_per_s": 40}


@pytest.fixture
def moving(cloud: Cloud) -> Volume:
    made = make_volume(cloud)
    cloud.world.add_machine(THERE)
    return fresh(made)


def action(api: Caller) -> dict[str, Any]:
    (found,) = [each for each in api.get("volumes/data").body["allowed_actions"] if each["name"] == "relocate"]
    return dict(found)


def test_plan_has_the_other_zones(api: Caller, moving: Volume) -> None:
    assert api.get("volumes/data/relocation-plan").body == {
        "volume": {"id": str(moving.pk), "name": "data"},
        "zone": HERE,
        "copied_gib": 2,
        "zones": [{"zone": THERE, "is_admitted": True, "reasons": []}],
    }


def test_volume_is_relocated(api: Caller, moving: Volume) -> None:
    assert action(api)["is_allowed"]
    assert api.post(f"{URL}?dry_run=true", BODY).status == 200
    assert not VolumeMove.objects.exists()
    answer = api.post(URL, BODY)
    assert (answer.status, answer.operation["kind"]) == (202, "volume.relocate")
    assert action(api)["problem"]["code"] == "resource_busy"
    assert follow(Operation.objects.get(pk=answer.operation["id"])).state == "succeeded"
    assert api.get("volumes/data").body["zone"] == THERE
    assert VolumeMove.objects.get().max_mb_per_s == 40
    entry = AuditEntry.objects.get(verb="volume.relocate")
    assert (entry.resource_id, entry.facts["zone"]) == (moving.pk, THERE)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"zone": HERE}, (409, "compute.volume.not_relocatable")),
        ({"zone": "nowhere"}, (422, "catalog.zone.not_found")),
        ({}, (400, "invalid_request")),
        ({"zone": THERE, "max_mb_per_s": 0}, (400, "invalid_request")),
    ],
)
def test_wrong_request_is_refused(
    api: Caller, moving: Volume, body: dict[str, object], problem: tuple[int, str]
) -> None:
    assert api.post(URL, body).problem[:2] == problem
    assert not Operation.objects.filter(kind="volume.relocate").exists()


def test_action_says_why_a_volume_stays(api: Caller, moving: Volume) -> None:
    finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny", "volumes": ["data"]}))
    problem = action(api)["problem"]
    assert problem["code"] == "compute.volume.not_relocatable"
    assert "relocate the instance" in problem["detail"]
    assert api.post(URL, BODY).problem[:2] == (409, problem["code"])
    reasons = api.get("volumes/data/relocation-plan").body["zones"][0]["reasons"]
    assert [each["code"] for each in reasons] == [problem["code"]]

"""Snapshots of the disks of an instance by the API."""

import pytest

from agents.node.adapters.fake_guest_agent import Behaviour
from controlplane.compute.models import Instance
from controlplane.operations.models import Operation
from controlplane.storage.models import Snapshot, Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.workflows.helpers import attach, done, make_volume
from tests.workflows.instance_snapshots import make_clustered, reported
from tests.world import Cloud

PATH = "instances/web/actions/snapshot"


@pytest.fixture
def instance(cloud: Cloud, api: Caller) -> Instance:
    return make_clustered(cloud)


def action(api: Caller) -> tuple[bool, str | None]:
    """Return whether the instance can have snapshots now, and else the code of the reason."""
    shown = api.get("instances/web").body["allowed_actions"]
    (found,) = [each for each in shown if each["name"] == "snapshot"]
    return found["is_allowed"], (found["problem"] or {}).get("code")


def test_snapshots_of_all_disks_are_requested_and_listed_by_group(api: Caller, instance: Instance) -> None:
    assert action(api) == (True, None)
    answer = api.post(PATH, {"name": "then", "consistency": "filesystem", "labels": {"env": "prod"}})
    body = answer.body
    assert answer.status == 202
    assert set(body) == {"group", "consistency", "snapshots", "operation"}
    assert body["operation"]["kind"] == "instance.snapshot"
    assert sorted(each["name"] for each in body["snapshots"]) == ["then-disk-0", "then-disk-1"]
    for each in body["snapshots"]:
        assert (each["state"], each["consistency"], each["group"]) == ("building", "filesystem", body["group"])
        assert (each["instance"], each["labels"]) == (str(instance.pk), {"env": "prod"})
        assert each["current_operation"] == body["operation"]["id"]
    assert action(api) == (False, "resource_busy")
    finish(answer)
    for query in (f"group={body['group']}", f"instance={instance.pk}"):
        listed = api.get(f"snapshots?{query}").body["items"]
        assert {each["id"] for each in listed} == {each["id"] for each in body["snapshots"]}
        assert {each["state"] for each in listed} == {"available"}
    assert api.get(f"snapshots?group={instance.pk}").body["items"] == []
    assert api.get("snapshots?group=then").status == 400


def test_dry_run_takes_nothing(api: Caller, instance: Instance) -> None:
    answer = api.post(f"{PATH}?dry_run=true", {"name": "then", "volumes": ["disk-1"]})
    assert (answer.status, [each["name"] for each in answer.body["snapshots"]]) == (200, ["then"])
    assert not Snapshot.objects.exists() and not Operation.objects.filter(kind="instance.snapshot").exists()


@in_one_cloud(
    ("body", "problem"),
    [
        ({"name": "then", "consistency": "application"}, (400, "invalid_request", "/consistency")),
        ({"name": "then", "volumes": []}, (400, "invalid_request", "/volumes")),
        ({"name": "then", "volumes": ["nobody"]}, (422, "storage.volume.not_found", "/volumes/0")),
        ({"name": "Then"}, (400, "invalid_name", "/name")),
        ({"name": "then", "expires_at": "2020-01-01T00:00:00Z"}, (422, "storage.snapshot.expiry_past", "/expires_at")),
    ],
)
def test_bad_input_names_its_field(
    api: Caller, instance: Instance, body: dict[str, object], problem: tuple[int, str, str]
) -> None:
    assert api.post(PATH, body).problem == problem


def test_refusals_name_field_and_next_step(cloud: Cloud, api: Caller, instance: Instance) -> None:
    done(attach(cloud, instance, make_volume(cloud, "local"))[1])
    refused = api.post(PATH, {"name": "then"})
    assert refused.problem == (409, "compute.instance.disks_without_snapshots", "/volumes")
    assert "local" in refused.body["detail"] and "disk-0, disk-1" in refused.body["detail"]
    assert action(api) == (True, None)
    cloud.fake.guests[instance.pk].agent.behaviour = Behaviour.MISSING
    reported(cloud, instance)
    frozen = {"name": "then", "consistency": "filesystem", "volumes": ["disk-0"]}
    assert api.post(PATH, frozen).problem == (409, "compute.guest_agent.not_connected", "/consistency")
    one = {"name": "then", "consistency": "filesystem", "volume": "disk-0"}
    assert api.post("snapshots", one).problem == (409, "compute.guest_agent.not_connected", "/consistency")
    assert not Snapshot.objects.exists()


def test_instance_without_a_disk_for_snapshots_gives_the_reason(api: Caller) -> None:
    finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"}))
    assert action(api) == (False, "compute.instance.disks_without_snapshots")
    assert "the root disk" in api.post(PATH, {"name": "then"}).body["detail"]


def test_snapshot_of_one_volume_with_frozen_file_systems(cloud: Cloud, api: Caller, instance: Instance) -> None:
    answer = api.post("snapshots", {"name": "one", "volume": "disk-1", "consistency": "filesystem"})
    body = answer.body
    assert (body["consistency"], body["group"], body["instance"]) == ("filesystem", None, str(instance.pk))
    finish(answer)
    assert cloud.fake.guests[instance.pk].agent.freezes == 1
    alone = make_volume(cloud, "alone", volume_type=Volume.objects.get(name="disk-1").volume_type)
    refused = api.post("snapshots", {"name": "two", "volume": alone.name, "consistency": "filesystem"})
    assert refused.problem == (409, "compute.snapshot.no_guest", "/consistency")


def test_viewer_takes_no_snapshots(viewer: Caller, instance: Instance) -> None:
    assert viewer.post(PATH, {"name": "then"}).status == 403

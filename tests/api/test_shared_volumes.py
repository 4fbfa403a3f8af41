"""Volumes that several instances can have attached at once, by the API."""

import pytest

from controlplane.nodes.models import Node
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.workflows.shared_pool import Shared

TOGETHER = {"id": "together", "description": "for a cluster file system", "pool": "shared", "is_multi_attach": True}
WEB = {"flavor": "tiny", "image": "tiny", "networks": ["lan"]}
BOTH = ("one", "two")


@pytest.fixture
def volume(api: Caller, operator: Caller, shared: Shared) -> None:
    """The volume `data`, and instances on two nodes, which storage clusters see at addresses of their own."""
    for number, machine in enumerate(shared.cloud.world.machines):
        Node.objects.filter(pk=machine.row.pk).update(storage_addresses=[f"10.0.9.{number}"])
    assert operator.post("/v1/volume-types", TOGETHER).status == 201
    finish(api.post("volumes", {"name": "data", "size_gib": 2, "volume_type": "together"}))
    for name, machine in zip(BOTH, (shared.here, shared.other), strict=True):
        shared.instance(name, host=machine.row.name)


def test_type_is_in_a_pool_and_binds_at_once(operator: Caller) -> None:
    made = operator.post("/v1/volume-types", TOGETHER)
    assert (made.status, made.body["is_multi_attach"]) == (201, True)
    usual = {key: value for key, value in TOGETHER.items() if key != "is_multi_attach"}
    assert operator.post("/v1/volume-types", {**usual, "id": "usual"}).body["is_multi_attach"] is False
    for change in ({"pool": ""}, {"binding": "first_use"}):
        refused = operator.post("/v1/volume-types", {**TOGETHER, "id": "other", **change})
        assert refused.problem[:2] == (422, "catalog.volume_type.multi_attach_without_pool")
    assert operator.patch("/v1/volume-types/together", {"is_multi_attach": False}).status == 400


def test_two_instances_share_the_volume(api: Caller, volume: None) -> None:
    for name in BOTH:
        refused = api.post(f"instances/{name}/attachments", {"volume": "data"})
        assert refused.problem[:2] == (422, "compute.attachment.share_missing")
        finish(api.post(f"instances/{name}/attachments", {"volume": "data", "share": True}))
    shown = api.get("volumes/data").body
    assert [each["name"] for each in shown["instances"]] == list(BOTH)
    assert (shown["instance"]["name"], shown["is_multi_attach"], shown["state"]) == ("one", True, "in-use")
    attachments = api.get("instances/two/attachments").body["items"]
    assert [each["share"] for each in attachments if not each["is_boot"]] == [True]
    assert [each["share"] for each in api.get("instances/two").body["attachments"] if not each["is_boot"]] == [True]
    actions = {each["name"]: each["problem"] for each in shown["allowed_actions"]}
    assert {actions[name]["code"] for name in ("snapshot", "move", "image")} == {"storage.volume.shared"}
    assert api.post("volumes/data/actions/grow", {"size_gib": 3}).problem[:2] == (409, "storage.volume.shared")
    assert api.delete("volumes/data").problem[:2] == (409, "storage.volume.in_use")
    finish(api.delete("instances/one/attachments/data"))
    assert [each["name"] for each in api.get("volumes/data").body["instances"]] == ["two"]
    finish(api.delete("instances/two/attachments/data"))
    assert api.get("volumes/data").body["instances"] == []
    finish(api.post("volumes/data/actions/grow", {"size_gib": 3}))
    finish(api.delete("volumes/data"))


def test_no_root_disk_is_shared(api: Caller, volume: None) -> None:
    root = api.post("instances", {**WEB, "name": "web", "root_volume_type": "together"})
    assert root.problem[:2] == (422, "catalog.volume_type.for_several")
    with_it = api.post("instances", {**WEB, "name": "web", "volumes": ["data"]})
    assert with_it.problem[:2] == (422, "compute.instance.volume_for_several")


def test_failed_attachment_is_retried(api: Caller, shared: Shared, volume: None) -> None:
    assert shared.agent is not None
    begun = api.post("instances/one/attachments", {"volume": "data", "share": True}).operation["id"]
    assert api.post(f"operations/{begun}/actions/cancel").status == 202
    retried = api.post(f"operations/{begun}/actions/retry")
    assert retried.status == 202, retried.body

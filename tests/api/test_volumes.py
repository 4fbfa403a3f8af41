"""Volumes and their attachments."""

from controlplane.compute.models import Instance
from controlplane.nodes.models import Node
from controlplane.storage.models import Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.world import Cloud


def test_volume_is_created(api: Caller, cloud: Cloud) -> None:
    answer = api.post("volumes", {"name": "data", "size_gib": 2, "labels": {"env": "prod"}})
    body = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/projects/alpha/volumes/{body['id']}"
    assert (body["state"], body["size_gib"], body["volume_type"], body["image"]) == ("building", 2, "local", None)
    assert body["operation"]["kind"] == "volume.create"
    finish(answer)
    shown = api.get("volumes/data").body
    assert (shown["state"], shown["zone"], shown["instance"]) == ("available", "fr-idf-1", None)
    del shown["allowed_actions"]
    assert api.get("volumes").body["items"] == [shown]


def test_volume_is_created_from_an_image_near_an_instance(api: Caller, instance: Instance) -> None:
    body = finish(api.post("volumes", {"name": "copy", "size_gib": 1, "image": "tiny", "near_instance": "web"}))
    assert body["image"]["name"] == "tiny"


def test_image_larger_than_the_volume_is_refused(api: Caller, cloud: Cloud) -> None:
    cloud.image.virtual_size_bytes = 3 * 2**30
    cloud.image.save()
    answer = api.post("volumes", {"name": "copy", "size_gib": 2, "image": "tiny"})
    assert answer.problem == (422, "catalog.image.does_not_fit", "/size_gib")


def test_volume_is_renamed_and_relabelled(api: Caller, volume: Volume) -> None:
    body = api.patch("volumes/data", {"name": "archive", "labels": {"tier": "cold"}}).body
    assert (body["name"], body["labels"]) == ("archive", {"tier": "cold"})


def test_volume_grows(api: Caller, volume: Volume) -> None:
    answer = api.post("volumes/data/actions/grow", {"size_gib": 3})
    assert (answer.status, answer.operation["kind"]) == (202, "volume.grow")
    finish(answer)
    assert api.get("volumes/data").body["size_gib"] == 3


def test_a_volume_never_shrinks(api: Caller, volume: Volume) -> None:
    answer = api.post("volumes/data/actions/grow", {"size_gib": 1})
    assert answer.problem == (422, "storage.volume.cannot_shrink", "/size_gib")


def test_volume_is_attached_and_detached(api: Caller, instance: Instance, volume: Volume) -> None:
    answer = api.post("instances/web/attachments", {"volume": "data", "is_read_only": True})
    body = finish(answer)
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/projects/alpha/instances/web/attachments/{body['id']}"
    shown = api.get(f"instances/web/attachments/{body['id']}").body
    assert (shown["volume"]["name"], shown["is_read_only"], shown["is_plugged"]) == ("data", True, True)
    assert api.get("instances/web/attachments").body["items"] == [shown]
    assert api.get("instances/web").body["attachments"] == [shown]
    assert api.get("volumes/data").body["instance"] == {"id": str(instance.pk), "name": "web"}
    detached = api.delete("instances/web/attachments/data")
    assert (detached.status, detached.operation["kind"]) == (202, "volume.detach")
    finish(detached)
    assert api.get("volumes/data").body["instance"] is None
    assert api.get("instances/web/attachments/data").problem == (404, "compute.attachment.not_found", None)
    for ref in (body["id"], str(volume.pk)):
        assert api.delete(f"instances/web/attachments/{ref}").status == 204, "whose answer was lost may be asked again"
    for ref in ("data", str(instance.pk)):
        assert api.delete(f"instances/web/attachments/{ref}").status == 404
    finish(api.post("instances/web/attachments", {"volume": "data"}))
    assert api.delete(f"instances/web/attachments/{body['id']}").status == 204
    assert api.delete(f"instances/web/attachments/{volume.pk}").status == 202, "it is in again"


def test_attached_volume_cannot_be_attached_twice(api: Caller, instance: Instance, volume: Volume) -> None:
    finish(api.post("instances/web/attachments", {"volume": "data"}))
    answer = api.post("instances/web/attachments", {"volume": "data"})
    assert answer.problem == (409, "compute.attachment.volume_taken", "/volume")


def test_volume_in_another_zone_cannot_be_attached(api: Caller, cloud: Cloud, instance: Instance) -> None:
    cloud.world.add_machine("de-rhein-1")
    finish(api.post("volumes", {"name": "far", "size_gib": 1, "zones": ["de-rhein-1"]}))
    answer = api.post("instances/web/attachments", {"volume": "far"})
    assert answer.problem == (409, "compute.attachment.volume_elsewhere", "/volume")


def test_an_attached_volume_is_not_deleted(api: Caller, instance: Instance, volume: Volume) -> None:
    finish(api.post("instances/web/attachments", {"volume": "data"}))
    assert api.delete("volumes/data").problem == (409, "storage.volume.in_use", None)


def test_a_delete_may_be_repeated(api: Caller, volume: Volume) -> None:
    answer = api.delete("volumes/data")
    assert answer.status == 202
    finish(answer)
    assert api.delete("volumes/data").status == 404
    assert api.delete(f"volumes/{volume.pk}").status == 204
    assert api.get("volumes").body["items"] == []


def test_volume_has_the_condition_of_its_unreachable_node(api: Caller, volume: Volume) -> None:
    Node.objects.update(state="unreachable")
    assert [each["status"] for each in api.get("volumes/data").body["conditions"]] == ["false"]

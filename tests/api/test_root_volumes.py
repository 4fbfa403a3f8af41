"""Root volumes, by the API: made with their instance, and deleted with it unless they are kept."""

from typing import Any

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Image
from controlplane.compute.models import Instance
from controlplane.events.models import Event
from controlplane.quotas.models import Quota
from controlplane.storage.models import Snapshot, Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.snapshots import in_cluster, make_snapshot, out_of_cluster
from tests.world import Cloud, make_flavor

WEB: dict[str, Any] = {"name": "web", "flavor": "tiny", "image": "tiny"}
KEPT = WEB | {"keep_root_volume": True}


def volume_states() -> list[str]:
    return list(Volume.objects.values_list("state", flat=True))


def test_root_volume_is_made_with_the_instance_and_kept(api: Caller, cloud: Cloud) -> None:
    answer = api.post("instances", KEPT)
    assert (answer.status, answer.body["keep_root_volume"]) == (201, True)
    (attachment,) = answer.body["attachments"]
    assert (attachment["volume"]["name"], attachment["is_boot"], attachment["is_plugged"]) == ("web-root", True, False)
    assert api.get("volumes/web-root").body["state"] == "building"
    finish(answer)
    volume = api.get("volumes/web-root").body
    assert (volume["state"], volume["instance"]["name"], volume["image"]["name"]) == ("in-use", "web", "tiny")
    assert AuditEntry.objects.filter(verb="volume.create", resource_id=volume["id"]).exists()
    assert AuditEntry.objects.get(verb="instance.create").facts["boot_volume"] == volume["id"]
    assert Event.objects.filter(kind="volume.created", resource_id=volume["id"]).exists()
    finish(api.delete("instances/web"))
    assert api.get("volumes/web-root").body["state"] == "available"
    assert api.delete("volumes/web-root").status == 202


def test_root_volume_is_deleted_with_the_instance_unless_kept(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", KEPT))
    changed = api.patch("instances/web", {"keep_root_volume": False})
    assert (changed.status, changed.body["keep_root_volume"], changed.body["name"]) == (200, False, "web")
    assert api.get("instances/web").body["keep_root_volume"] is False
    deletion = api.delete("instances/web")
    assert str(Volume.objects.get().pk) in api.get(f"operations/{deletion.operation['id']}").body["resources"]
    finish(deletion)
    assert volume_states() == ["deleted"]


def test_instance_without_root_volume_has_nothing_to_keep(api: Caller, cloud: Cloud) -> None:
    answer = finish(api.post("instances", WEB))
    assert (answer["attachments"], api.get("instances/web").body["keep_root_volume"]) == ([], False)
    refused = api.patch("instances/web", {"keep_root_volume": True})
    assert refused.problem == (409, "compute.instance.root_disk_not_volume", "/keep_root_volume")
    assert api.patch("instances/web", {"keep_root_volume": False}).status == 200


@pytest.mark.parametrize("value", [None, "yes", 1])
def test_flag_is_true_or_false(api: Caller, cloud: Cloud, value: object) -> None:
    assert api.post("instances", WEB | {"keep_root_volume": value}).status == 400


def test_snapshots_block_deletion_and_rebuild(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", KEPT))
    api.patch("instances/web", {"keep_root_volume": False})
    volume = Volume.objects.get()
    pool = in_cluster(volume)
    volume.refresh_from_db()
    make_snapshot(volume)
    code = "compute.instance.root_volume_has_snapshots"
    for refused in (api.delete("instances/web"), api.post("instances/web/actions/rebuild", {"image": "tiny"})):
        assert refused.problem == (409, code, None)
        assert "before" in refused.body["detail"] and "keep_root_volume" in refused.body["detail"]
    actions = {each["name"]: each for each in api.get("instances/web").body["allowed_actions"]}
    assert actions["rebuild"]["problem"]["code"] == code
    Snapshot.objects.update(state="deleted")
    source = {"source_kind": "volume", "source_id": volume.pk, "source_name": volume.name}
    image = Image.objects.create(name="golden", format="qcow2", project=volume.project, state="importing", **source)
    for refused in (api.delete("instances/web"), api.post("instances/web/actions/rebuild", {"image": "tiny"})):
        assert refused.problem == (409, "storage.volume.read_for_image", None)
    Snapshot.objects.update(state="available")
    image.delete()
    assert api.delete("instances/web?dry_run=true").problem == (409, code, None)
    api.patch("instances/web", {"keep_root_volume": True})
    assert api.delete("instances/web?dry_run=true").status == 200
    out_of_cluster(volume, pool)


def test_rebuild_gives_another_root_volume_of_the_same_name(api: Caller, cloud: Cloud) -> None:
    first = finish(api.post("instances", KEPT))["attachments"][0]["volume"]
    refused = api.post("instances/web/actions/rebuild", {"image": "tiny"})
    assert refused.problem == (409, "compute.instance.boots_from_volume", None)
    api.patch("instances/web", {"keep_root_volume": False})
    finish(api.post("instances/web/actions/rebuild", {"image": "tiny"}))
    (attachment,) = api.get("instances/web").body["attachments"]
    assert (attachment["volume"]["name"], attachment["is_boot"]) == (first["name"], True)
    assert attachment["volume"]["id"] != first["id"]


def test_dry_run_and_quota(api: Caller, cloud: Cloud) -> None:
    assert api.post("instances?dry_run=true", KEPT).body["is_admitted"]
    assert not Instance.objects.exists() and not Volume.objects.exists()
    Quota.objects.create(project=cloud.tenant.project, dimension="storage_gib", limit=0)
    for path in ("instances", "instances?dry_run=true"):
        assert api.post(path, KEPT).problem == (409, "quota_exceeded", None)
    assert not Instance.objects.exists() and not Volume.objects.exists()


def test_dry_run_of_a_resize_checks_the_growth_of_the_root_volume(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", KEPT))
    api.patch("instances/web", {"keep_root_volume": False})
    finish(api.post("instances/web/actions/power-off"))
    make_flavor("large", disk_gib=3)
    dry_run, body = "instances/web/actions/resize?dry_run=true", {"flavor": "large"}
    Quota.objects.create(project=cloud.tenant.project, dimension="storage_gib", limit=2)
    assert api.post(dry_run, body).problem == (409, "quota_exceeded", None)
    Quota.objects.update(limit=3)
    answer = api.post(dry_run, body)
    assert (answer.status, str(Volume.objects.get().pk) in answer.body["operation"]["resources"]) == (200, True)
    assert list(Volume.objects.values_list("size_gib", "generation")) == [(1, 1)]
    finish(api.post("instances/web/actions/resize", body))
    assert (api.get("instances/web").body["disk_gib"], api.get("volumes/web-root").body["size_gib"]) == (3, 3)


def test_boot_volume_reads_as_kept(api: Caller, cloud: Cloud) -> None:
    finish(api.post("volumes", {"name": "system", "size_gib": 1, "image": "tiny"}))
    body = {"name": "web", "flavor": "tiny", "boot_volume": "system"}
    assert finish(api.post("instances", body))["keep_root_volume"] is True
    api.patch("instances/web", {"keep_root_volume": False})
    finish(api.delete("instances/web"))
    assert volume_states() == ["deleted"]

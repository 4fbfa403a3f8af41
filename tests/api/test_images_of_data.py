"""Images of snapshots and volumes, as requests."""

from typing import Any

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Image
from controlplane.kernel.units import GIB
from controlplane.operations.models import Operation
from controlplane.placement.models import Binding, Lineage
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage_clusters.models import StorageCluster
from tests.api.client import Caller
from tests.api.snapshots import ended
from tests.api.test_snapshots import actions
from tests.workflows.shared_pool import Shared
from tests.world import Cloud

OF_SNAPSHOT, OF_VOLUME = {"name": "golden", "snapshot": "before"}, {"name": "golden", "volume": "data"}


@pytest.mark.parametrize(("body", "kind"), [(OF_SNAPSHOT, "snapshot"), (OF_VOLUME, "volume")])
def test_image_is_requested_and_shown(api: Caller, before: Snapshot, body: dict[str, Any], kind: str) -> None:
    source = before if kind == "snapshot" else before.volume
    answer = api.post("images", body | {"labels": {"env": "prod"}})
    shown = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/projects/alpha/images/{shown['id']}"
    assert (shown["state"], shown["format"], shown["firmware"], shown["is_public"]) == (
        "importing",
        "qcow2",
        "bios",
        False,
    )
    assert shown["source"] == {"kind": kind, "id": str(source.pk), "name": source.name}
    assert (shown["virtual_size_bytes"], shown["min_disk_gib"], shown["min_memory_mib"]) == (2 * GIB, 2, 0)
    operation = Operation.objects.get(pk=answer.operation["id"])
    assert (operation.kind, operation.resource_name, operation.resource_ids) == (
        "image.create",
        "golden",
        [operation.resource_id],
    )
    assert (str(operation.resource_id), operation.queue) == (shown["id"], "imports")
    entry = AuditEntry.objects.get(verb="image.create")
    assert str(entry.resource_id) == shown["id"]
    assert Lineage.objects.get(resource_id=shown["id"]).source_id == source.pk
    assert Binding.objects.filter(pk=shown["id"], kind="image").exists()
    assert api.get("images/golden").body["source"] == shown["source"]


def test_source_is_named_by_id_or_name(api: Caller, before: Snapshot) -> None:
    assert api.post("images", {"name": "one", "snapshot": str(before.pk)}).status == 201
    assert api.post("images", {"name": "two", "volume": str(before.volume_id)}).status == 201
    for field in ("snapshot", "volume"):
        answer = api.post("images", {"name": "three", field: "nothing"})
        assert answer.problem == (422, f"storage.{field}.not_found", f"/{field}")


def test_image_of_a_file_has_no_source(api: Caller) -> None:
    assert api.post("images", {"name": "file", "format": "raw"}).body["source"] is None


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"volume": "data"}, "volume"),
        ({"format": "raw"}, "format"),
        ({"source_url": "https://example.org/x"}, "source_url"),
        ({"sha256": "0" * 64}, "sha256"),
    ],
)
def test_second_source_is_refused(api: Caller, before: Snapshot, more: dict[str, Any], field: str) -> None:
    answer = api.post("images", OF_SNAPSHOT | more)
    assert answer.problem == (422, "catalog.image.many_sources", f"/{field}")
    assert not Image.objects.filter(name="golden").exists()


def test_image_of_nothing_needs_a_format(api: Caller, cloud: Cloud) -> None:
    answer = api.post("images", {"name": "golden"})
    assert (answer.status, answer.problem[2]) == (400, "/format")


def test_dry_run_shows_the_size_and_creates_nothing(api: Caller, before: Snapshot) -> None:
    for body in (OF_SNAPSHOT, OF_VOLUME):
        answer = api.post("images?dry_run=true", body)
        assert (answer.status, answer.body["min_disk_gib"]) == (200, 2)
    assert not Image.objects.filter(name="golden").exists()
    assert not Operation.objects.filter(kind="image.create").exists()
    assert not QuotaUse.objects.filter(dimension="images").exists()


def test_refusals_and_allowed_actions_agree(api: Caller, shared: Shared, before: Snapshot, settings: Any) -> None:
    def codes() -> set[str | None]:
        shown = {actions(api, "snapshots/before")["image"], actions(api, "volumes/data")["image"]}
        answers = [api.post("images?dry_run=true", body) for body in (OF_SNAPSHOT, OF_VOLUME)]
        assert {answer.body.get("code") for answer in answers} == shown
        return shown

    assert codes() == {None}
    settings.IMAGE_MAX_VIRTUAL_GIB = 1
    assert codes() == {"storage.volume.too_large_for_image"}
    StorageCluster.objects.update(capabilities=["snapshots"])
    assert codes() == {"storage.volume.images_unsupported"}
    assert api.post("images", OF_VOLUME).status == 409


def test_volume_on_a_nodes_own_disk_is_refused_with_the_types_that_are_not(
    api: Caller, shared: Shared, volume: Volume
) -> None:
    answer = api.post("images", {"name": "golden", "volume": volume.name})
    assert answer.problem[:2] == (409, "storage.volume.images_unsupported")
    assert shared.type.pk in answer.body["detail"]
    assert actions(api, f"volumes/{volume.name}")["image"] == "storage.volume.images_unsupported"


def test_source_that_is_read_is_not_deleted(api: Caller, before: Snapshot) -> None:
    answers = [api.post("images", body | {"name": name}) for name, body in (("a", OF_SNAPSHOT), ("b", OF_VOLUME))]
    assert api.delete("snapshots/before").problem[:2] == (409, "storage.snapshot.in_use")
    assert actions(api, "snapshots/before")["delete"] == "storage.snapshot.in_use"
    Snapshot.objects.update(state="deleted")
    assert api.delete("volumes/data").problem[:2] == (409, "storage.volume.read_for_image")
    assert actions(api, "volumes/data")["delete"] == "storage.volume.read_for_image"
    moved = api.post("volumes/data/actions/retype", {"volume_type": "local"})
    assert moved.problem[:2] == (409, "storage.volume.read_for_image")
    assert actions(api, "volumes/data")["move"] == "storage.volume.read_for_image"
    for answer in answers:
        ended(answer)
    Image.objects.exclude(source_kind="").update(state="error")
    assert api.delete("volumes/data").status == 202


def test_quota_of_images_is_enforced(api: Caller, cloud: Cloud, data: Volume) -> None:
    Quota.objects.create(project=cloud.tenant.project, dimension="images", limit=0)
    assert api.post("images", OF_VOLUME).problem[:2] == (409, "quota_exceeded")


def test_name_is_taken_once(api: Caller, data: Volume) -> None:
    api.post("images", OF_VOLUME)
    assert api.post("images", OF_VOLUME).problem[:2] == (409, "catalog.image.name_taken")


def test_viewer_makes_none(viewer: Caller, before: Snapshot) -> None:
    for body in (OF_SNAPSHOT, OF_VOLUME):
        assert viewer.post("images", body).status == 403


def test_source_of_another_project_is_not_found(before: Snapshot, stranger: Caller) -> None:
    own = Caller(token=stranger.token, project="beta")
    for field, row in (("snapshot", before), ("volume", before.volume)):
        answer = own.post("images", {"name": "stolen", field: str(row.pk)})
        assert answer.problem == (422, f"storage.{field}.not_found", f"/{field}")


def test_volume_with_an_operation_is_busy(api: Caller, data: Volume) -> None:
    api.post("volumes/data/actions/grow", {"size_gib": 9})
    assert api.post("images", OF_VOLUME).problem[:2] == (409, "resource_busy")
    assert actions(api, "volumes/data")["image"] == "resource_busy"

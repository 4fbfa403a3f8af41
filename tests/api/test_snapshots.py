"""Snapshots of volumes, reverts to them, and volumes made from them."""

from datetime import timedelta
from typing import Any

import pytest

from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Image, VolumeType
from controlplane.compute.models import Attachment, Instance
from controlplane.identity.actor import SYSTEM
from controlplane.identity.errors import ProjectInUse
from controlplane.identity.services import project_delete
from controlplane.kernel import clock
from controlplane.nodes.models import Pool
from controlplane.operations.models import Operation
from controlplane.placement.models import Binding, Lineage
from controlplane.quotas.models import Quota, QuotaUse
from controlplane.reconcilers import snapshot_expiry
from controlplane.storage.models import Snapshot, Volume
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.api.snapshots import ended, make_snapshot, taken
from tests.cases import in_one_cloud
from tests.workflows import shared_pool
from tests.workflows.shared_pool import Shared
from tests.world import Cloud

TAKE = {"volume": "data", "name": "before"}


def attached(api: Caller, volume: Volume, *, state: str) -> Instance:
    """Attach the volume to an instance in the state."""
    finish(api.post("instances", {"name": "web", "flavor": "tiny", "image": "tiny"}))
    instance = Instance.objects.get(name="web")
    Attachment.objects.create(instance=instance, volume=volume)
    Volume.objects.filter(pk=volume.pk).update(state="in-use")
    Instance.objects.filter(pk=instance.pk).update(state=state)
    return instance


def actions(api: Caller, path: str) -> dict[str, str | None]:
    """Return each action with the code of its problem."""
    shown = api.get(path).body["allowed_actions"]
    return {each["name"]: (each["problem"] or {}).get("code") for each in shown}


def in_a_day() -> str:
    return (clock.now() + timedelta(days=1)).isoformat()


# ---- taking, changing and deleting snapshots


def test_snapshot_is_requested_listed_and_shown(api: Caller, data: Volume) -> None:
    answer = api.post("snapshots", TAKE | {"labels": {"env": "prod"}, "expires_at": in_a_day()})
    body = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/projects/alpha/snapshots/{body['id']}"
    assert (body["state"], body["volume"], body["schedule"]) == ("building", {"id": str(data.pk), "name": "data"}, None)
    assert (body["size_gib"], body["zone"], body["consistency"]) == (2, "fr-idf-1", "crash")
    assert (body["taken_at"], body["last_error"]) == (None, None)
    assert body["current_operation"] == answer.operation["id"]
    operation = Operation.objects.get(pk=answer.operation["id"])
    assert (operation.kind, operation.resource_name, operation.args) == ("snapshot.create", "before", {})
    assert [str(each) for each in operation.resource_ids] == [body["id"], str(data.pk)]
    taken(answer)
    shown = api.get("snapshots/before").body
    assert {each["name"]: each["is_allowed"] for each in shown.pop("allowed_actions")} == {
        "create-volume": True,
        "revert": True,
        "delete": True,
        "image": True,
    }
    assert api.get("snapshots").body["items"] == [shown]
    for query, count in {"volume=data": 1, f"volume={data.pk}": 1, "volume=other": 0, "labels=env%3Dprod": 1}.items():
        assert len(api.get(f"snapshots?{query}").body["items"]) == count, query


def test_snapshot_has_the_data_of_its_volume(api: Caller, data: Volume) -> None:
    Binding.objects.filter(pk=data.pk).update(classifications=["secret"])
    snapshot = taken(api.post("snapshots", TAKE))
    assert Binding.objects.get(pk=snapshot.pk).kind == "snapshot"
    assert Lineage.objects.get(resource_id=snapshot.pk).source_id == data.pk
    copy = api.post("volumes", {"name": "copy", "snapshot": "before"}).body
    assert Lineage.objects.get(resource_id=copy["id"]).source_id == snapshot.pk


def test_volume_that_is_being_snapshotted_is_busy(api: Caller, data: Volume) -> None:
    api.post("snapshots", TAKE)
    assert actions(api, "volumes/data") == {
        "snapshot": "resource_busy",
        "revert": "resource_busy",
        "move": "resource_busy",
        "relocate": "resource_busy",
        "delete": "storage.volume.has_snapshots",
        "image": "resource_busy",
    }
    assert api.post("snapshots", {"volume": "data", "name": "again"}).problem[:2] == (409, "resource_busy")


def test_name_is_taken_once_in_a_project(api: Caller, before: Snapshot) -> None:
    assert api.post("snapshots", TAKE).problem == (409, "storage.snapshot.name_taken", "/name")
    make_snapshot(before.volume, name="other")
    assert api.patch("snapshots/other", {"name": "before"}).problem == (409, "storage.snapshot.name_taken", "/name")
    Snapshot.objects.filter(name="before").update(state="deleted")
    assert api.post("snapshots", TAKE).status == 201


def test_dry_run_takes_nothing(api: Caller, data: Volume) -> None:
    answer = api.post("snapshots?dry_run=true", TAKE)
    assert (answer.status, answer.body["state"]) == (200, "building")
    assert not Snapshot.objects.exists()
    assert not QuotaUse.objects.filter(dimension="snapshots").exists()


def test_volume_without_the_capability_is_refused(api: Caller, shared: Shared, volume: Volume) -> None:
    answer = api.post("snapshots", TAKE)
    assert answer.problem == (409, "storage.volume.snapshots_unsupported", "/volume")
    assert "on a node's own disk" in answer.body["detail"]
    assert "can have snapshots: shared." in answer.body["detail"]
    assert actions(api, "volumes/data")["snapshot"] == "storage.volume.snapshots_unsupported"
    VolumeType.objects.filter(pk="shared").update(is_retired=True)
    assert "can have snapshots: none." in api.post("snapshots", TAKE).body["detail"]


def test_nearly_full_pool_takes_no_snapshot(api: Caller, data: Volume) -> None:
    Pool.objects.update(is_reported_nearly_full=True)
    assert api.post("snapshots", TAKE).problem[:2] == (409, "storage.snapshot.pool_nearly_full")
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize("dimension", ["snapshots", "snapshot_gib"])
def test_quota_is_claimed_and_enforced(api: Caller, cloud: Cloud, data: Volume, dimension: str) -> None:
    amount = {"snapshots": 1, "snapshot_gib": 2}[dimension]
    limit = Quota.objects.create(project=cloud.tenant.project, dimension=dimension, limit=amount - 1)
    assert api.post("snapshots", TAKE).problem[:2] == (409, "quota_exceeded")
    limit.limit = amount
    limit.save()
    snapshot = taken(api.post("snapshots", TAKE))
    assert QuotaUse.objects.get(resource_id=snapshot.pk, dimension=dimension).amount == amount


@pytest.mark.parametrize("expires_at", ["2020-01-01T00:00:00Z", "1970-01-01T00:00:00+01:00"])
def test_expiry_in_the_past_is_refused(api: Caller, before: Snapshot, expires_at: str) -> None:
    refused = (422, "storage.snapshot.expiry_past", "/expires_at")
    assert api.post("snapshots", {**TAKE, "name": "new", "expires_at": expires_at}).problem == refused
    assert api.patch("snapshots/before", {"expires_at": expires_at}).problem == refused


def test_snapshot_whose_expiry_was_removed_meanwhile_stays(api: Caller, before: Snapshot) -> None:
    Snapshot.objects.update(expires_at=clock.now() - timedelta(minutes=1))
    read_before = Snapshot.objects.get(pk=before.pk)
    assert api.patch("snapshots/before", {"expires_at": None}).status == 200
    assert not snapshot_expiry._request_deletion(read_before)
    assert not Operation.objects.filter(kind="snapshot.delete").exists()


@in_one_cloud("expires_at", ["tomorrow", 7, "2030-01-01", ""])
def test_expiry_that_is_no_moment_is_refused(api: Caller, data: Volume, expires_at: Any) -> None:
    answer = api.post("snapshots", TAKE | {"expires_at": expires_at})
    assert answer.problem == (400, "invalid_request", "/expires_at")


def test_snapshot_is_changed(api: Caller, before: Snapshot) -> None:
    first = api.get("snapshots/before")
    changed = api.patch("snapshots/before", {"name": "kept", "labels": {"tier": "cold"}, "expires_at": in_a_day()})
    assert (changed.body["name"], changed.body["labels"]) == ("kept", {"tier": "cold"})
    assert changed.body["expires_at"] is not None
    assert changed.body["generation"] == first.body["generation"] + 1
    outdated = api.patch("snapshots/kept", {"name": "late"}, If_Match=first.headers["ETag"])
    assert outdated.problem[:2] == (412, "outdated")
    assert api.patch("snapshots/kept", {"expires_at": None}).body["expires_at"] is None
    assert AuditEntry.objects.filter(verb="snapshot.update").count() == 2


def test_past_expiry_is_unchanged_by_a_new_name(api: Caller, before: Snapshot) -> None:
    Snapshot.objects.update(expires_at=clock.now() - timedelta(minutes=1))
    assert api.patch("snapshots/before", {"name": "kept"}).status == 200


def test_delete_may_be_repeated(api: Caller, before: Snapshot) -> None:
    answer = api.delete("snapshots/before")
    assert (answer.status, answer.operation["kind"]) == (202, "snapshot.delete")
    assert [each["type"] for each in answer.body["conditions"]] == ["deleting"]
    assert api.delete("snapshots/before").operation["id"] == answer.operation["id"]
    assert api.post("volumes", {"name": "copy", "snapshot": "before"}).problem == (
        409,
        "storage.snapshot.wrong_state",
        "/snapshot",
    )
    Snapshot.objects.update(state="deleted")
    assert api.delete(f"snapshots/{before.pk}").status == 204
    assert api.get("snapshots/before").problem[:2] == (404, "storage.snapshot.not_found")


def test_deletion_cancels_the_creation(api: Caller, data: Volume) -> None:
    create = api.post("snapshots", TAKE)
    assert api.delete("snapshots/before").status == 202
    assert Operation.objects.get(pk=create.operation["id"]).cancel_requested_at is not None


def test_snapshot_that_a_volume_is_made_from_is_not_deleted(api: Caller, before: Snapshot) -> None:
    created = api.post("volumes", {"name": "copy", "snapshot": "before"})
    answer = api.delete("snapshots/before")
    assert answer.problem[:2] == (409, "storage.snapshot.in_use")
    assert "copy" in answer.body["detail"]
    assert actions(api, "snapshots/before")["delete"] == "storage.snapshot.in_use"
    Volume.objects.filter(pk=created.body["id"]).update(state="error")
    assert api.delete("snapshots/before").status == 202


def test_snapshot_that_a_volume_is_reverted_to_is_not_deleted(api: Caller, before: Snapshot) -> None:
    answer = api.post("volumes/data/actions/revert", {"snapshot": "before"})
    refused = api.delete("snapshots/before")
    assert refused.problem[:2] == (409, "storage.snapshot.in_use")
    assert "data" in refused.body["detail"]
    ended(answer)
    assert api.delete("snapshots/before").status == 202


def test_volume_with_snapshots_is_not_deleted(api: Caller, before: Snapshot) -> None:
    for number in range(6):
        make_snapshot(before.volume, name=f"more-{number}")
    answer = api.delete("volumes/data")
    assert answer.problem[:2] == (409, "storage.volume.has_snapshots")
    assert "7 snapshots: before, more-0, more-1, more-2, more-3, …" in answer.body["detail"]
    Snapshot.objects.update(state="deleted")
    assert api.delete("volumes/data").status == 202


def test_project_with_a_snapshot_is_not_deleted(cloud: Cloud, before: Snapshot) -> None:
    with pytest.raises(ProjectInUse, match="snapshot/before"):
        project_delete(SYSTEM, cloud.tenant.project)


def test_viewer_reads_and_writes_nothing(viewer: Caller, before: Snapshot) -> None:
    assert viewer.get("snapshots/before").status == 200
    assert viewer.post("snapshots", TAKE).status == 403
    assert viewer.delete("snapshots/before").status == 403
    assert viewer.post("volumes/data/actions/revert", {"snapshot": "before"}).status == 403


def test_snapshot_of_another_project_is_not_found(before: Snapshot, stranger: Caller, cloud: Cloud) -> None:
    own = Caller(token=stranger.token, project="beta")
    refused = own.post("volumes", {"name": "copy", "snapshot": str(before.pk)})
    assert refused.problem == (422, "storage.snapshot.not_found", "/snapshot")
    refused = own.post("snapshots", {"volume": str(before.volume_id), "name": "mine"})
    assert refused.problem == (422, "storage.volume.not_found", "/volume")


# ---- expiry


def expire(snapshot: Snapshot) -> None:
    Snapshot.objects.filter(pk=snapshot.pk).update(expires_at=clock.now() - timedelta(seconds=1))


def deletions() -> list[str]:
    kind = Operation.objects.filter(kind="snapshot.delete")
    return sorted(kind.values_list("resource_name", flat=True))


def test_expired_snapshots_are_deleted(before: Snapshot) -> None:
    make_snapshot(before.volume, name="kept")
    later = make_snapshot(before.volume, name="later")
    Snapshot.objects.filter(pk=later.pk).update(expires_at=clock.now() + timedelta(hours=1))
    assert snapshot_expiry.reconcile() == 0
    expire(before)
    assert snapshot_expiry.reconcile() == 1
    assert deletions() == ["before"]
    assert snapshot_expiry.reconcile() == 0, "it is requested once"
    assert AuditEntry.objects.get(verb="snapshot.delete").user_id is None


def test_expired_snapshot_in_use_is_deleted_later(api: Caller, before: Snapshot) -> None:
    other = make_snapshot(before.volume, name="other")
    created = api.post("volumes", {"name": "copy", "snapshot": "before"})
    expire(before)
    expire(other)
    assert snapshot_expiry.reconcile() == 1
    assert deletions() == ["other"]
    Volume.objects.filter(pk=created.body["id"]).update(state="available", node=before.volume.node)
    assert snapshot_expiry.reconcile() == 1


def test_run_deletes_no_more_than_its_limit(before: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_expiry, "DELETIONS_MAX", 2)
    for number in range(3):
        expire(make_snapshot(before.volume, name=f"more-{number}"))
    assert [snapshot_expiry.reconcile() for _ in range(3)] == [2, 1, 0]


# ---- reverts


def test_revert_is_requested(api: Caller, before: Snapshot) -> None:
    answer = api.post("volumes/data/actions/revert", {"snapshot": "before"})
    assert answer.status == 202
    operation = Operation.objects.get(pk=answer.operation["id"])
    assert (operation.kind, operation.args) == ("volume.revert", {"snapshot": str(before.pk)})
    assert operation.resource_ids == [before.volume_id, before.pk]
    assert answer.body["generation"] == before.volume.generation + 1
    assert Lineage.objects.filter(resource_id=before.volume_id, source_id=before.pk).exists()
    repeated = api.post("volumes/data/actions/revert", {"snapshot": "before"})
    assert repeated.problem[:2] == (409, "resource_busy")


def test_dry_run_of_a_revert_lists_the_losses(api: Caller, before: Snapshot) -> None:
    younger = make_snapshot(before.volume, name="younger")
    Snapshot.objects.filter(pk=make_snapshot(before.volume, name="gone").pk).update(state="deleted")
    Volume.objects.update(size_gib=5)
    answer = api.post("volumes/data/actions/revert?dry_run=true", {"snapshot": "before"})
    assert answer.status == 200
    plan = answer.body
    assert plan["snapshot"] == {"id": str(before.pk), "name": "before"}
    assert (plan["size_gib"], plan["snapshot_size_gib"], plan["instance"]) == (5, 2, None)
    assert [each["id"] for each in plan["younger_snapshots"]] == [str(younger.pk)]
    assert plan["lost_since"] == api.get("snapshots/before").body["taken_at"]
    assert not Operation.objects.filter(kind="volume.revert").exists()
    assert not Lineage.objects.filter(resource_id=before.volume_id, source_id=before.pk).exists()


def test_revert_under_a_guest_is_refused(api: Caller, before: Snapshot) -> None:
    attached(api, before.volume, state="active")
    for query in ("", "?dry_run=true"):
        answer = api.post(f"volumes/data/actions/revert{query}", {"snapshot": "before"})
        assert answer.problem[:2] == (409, "compute.volume.guest_not_off")
        assert "andromede instance shutdown web" in answer.body["detail"]
    assert actions(api, "volumes/data")["revert"] == "compute.volume.guest_not_off"
    assert actions(api, "snapshots/before")["revert"] == "compute.volume.guest_not_off"


def test_volume_of_an_instance_that_is_off_is_reverted(api: Caller, before: Snapshot) -> None:
    instance = attached(api, before.volume, state="stopped")
    dry = api.post("volumes/data/actions/revert?dry_run=true", {"snapshot": "before"})
    assert dry.body["instance"] == {"id": str(instance.pk), "name": "web"}
    assert api.post("volumes/data/actions/revert", {"snapshot": "before"}).status == 202
    assert Lineage.objects.filter(resource_id=instance.pk, source_id=before.pk).exists()
    started = api.post("instances/web/actions/start")
    assert started.problem[:2] == (409, "resource_busy"), "it would open the volume"


def test_revert_to_a_snapshot_of_another_volume_is_refused(api: Caller, shared: Shared, before: Snapshot) -> None:
    shared.volume("other", host=shared.here.row.name)
    answer = api.post("volumes/other/actions/revert", {"snapshot": "before"})
    assert answer.problem == (422, "storage.snapshot.of_other_volume", "/snapshot")


@pytest.mark.parametrize("state", ["building", "error"])
def test_revert_to_a_snapshot_that_was_not_taken_is_refused(api: Caller, before: Snapshot, state: str) -> None:
    Snapshot.objects.update(state=state)
    answer = api.post("volumes/data/actions/revert", {"snapshot": "before"})
    assert answer.problem == (409, "storage.snapshot.wrong_state", "/snapshot")


# ---- volumes from snapshots


def test_volume_is_made_from_a_snapshot(api: Caller, before: Snapshot) -> None:
    answer = api.post("volumes", {"name": "copy", "snapshot": "before"})
    assert answer.status == 201, answer.text
    body = answer.body
    assert (body["size_gib"], body["volume_type"], body["snapshot"]) == (2, "shared", str(before.pk))
    assert body["image"] is None
    larger = api.post("volumes", {"name": "larger", "snapshot": str(before.pk), "size_gib": 7})
    assert larger.body["size_gib"] == 7
    assert api.get("volumes/data").body["snapshot"] is None


def test_dry_run_of_a_volume_from_a_snapshot_places_it(api: Caller, before: Snapshot) -> None:
    answer = api.post("volumes?dry_run=true", {"name": "copy", "snapshot": "before"})
    assert (answer.status, answer.body["is_admitted"]) == (200, True)
    assert not Volume.objects.filter(name="copy").exists()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"size_gib": 1}, (422, "storage.snapshot.does_not_fit", "/size_gib")),
        ({"image": "tiny"}, (422, "storage.volume.from_two", "/snapshot")),
        ({"volume_type": "local"}, (409, "storage.snapshot.elsewhere", "/volume_type")),
    ],
)
def test_volume_that_cannot_be_made_is_refused(
    api: Caller, before: Snapshot, more: dict[str, Any], problem: tuple[int, str, str]
) -> None:
    answer = api.post("volumes", {"name": "copy", "snapshot": "before"} | more)
    assert answer.problem == problem
    if problem[1].endswith("elsewhere"):
        assert "Choose a type of that cluster: shared." in answer.body["detail"]


def test_volume_of_neither_size_nor_snapshot_is_refused(api: Caller, cloud: Cloud) -> None:
    assert api.post("volumes", {"name": "data"}).problem == (400, "invalid_request", "/size_gib")


def test_volume_from_a_snapshot_is_in_its_zone(api: Caller, shared: Shared, before: Snapshot) -> None:
    """Another zone has a pool of that name too."""
    far = shared.cloud.world.add_machine("de-rhein-1")
    Pool.objects.create(name=shared_pool.NAME, zone=far.row.zone, uuid="0" * 32, path="/pool", capacity_gib=100)
    far.row.traits = [*far.row.traits, f"pool:{shared_pool.NAME}"]
    far.row.save()
    body = {"name": "copy", "snapshot": "before", "zones": ["de-rhein-1"]}
    assert api.post("volumes", body).status == 409
    assert api.post("volumes", body | {"zones": []}).status == 201


def test_instance_boots_from_a_volume_of_a_snapshot_of_one_with_an_image(api: Caller, before: Snapshot) -> None:
    image = {"boot_volume": "copy", "name": "second", "flavor": "tiny"}
    copy = shared_copy(before)
    assert api.post("instances?dry_run=true", image).problem[:2] == (422, "compute.instance.boot_volume_empty")
    Volume.objects.filter(pk=before.volume_id).update(image=Image.objects.get(name="tiny"))
    answer = api.post("instances?dry_run=true", image)
    assert (answer.status, copy.image) == (200, None), answer.text


def shared_copy(before: Snapshot) -> Volume:
    """Make the row of a volume from the snapshot that was created."""
    row = before.volume
    return Volume.objects.create(
        project=row.project,
        name="copy",
        state="available",
        volume_type=row.volume_type,
        size_gib=row.size_gib,
        node=row.node,
        pool=row.pool,
        snapshot=before,
    )

"""Images of snapshots and volumes: their bytes, their temporary snapshots and files, policies and refusals."""

import hashlib
import json
import os
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.node.errors import AdapterError
from andromede_core.documents import signed
from andromede_core.permits import permit as core
from andromede_core.policy.roles import ROLES_OF
from controlplane.audit.models import EvidenceRecord
from controlplane.audit.selectors import residency_of
from controlplane.catalog import image_store
from controlplane.catalog.errors import ImageHasContent, ImageStoreFull
from controlplane.catalog.image_store import FORGOTTEN_AFTER
from controlplane.catalog.models import Image
from controlplane.catalog.services import image_delete, images_collect
from controlplane.compute.volume_moves import volume_move
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock, free_space
from controlplane.kernel.units import GIB
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import operation_cancel
from controlplane.placement import services as placement
from controlplane.placement.errors import NoPlace, NotAdmittedHere
from controlplane.placement.models import Binding, Lineage
from controlplane.quotas import services as quotas
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import quota_drift
from controlplane.storage.errors import (
    ImagesUnsupported,
    SnapshotInUse,
    SnapshotWrongState,
    TooLargeForImage,
    VolumeReadForImage,
)
from controlplane.storage.image_sources import image_create_retry
from controlplane.storage.models import Snapshot, Volume
from controlplane.storage.services import NewVolume, volume_create, volume_delete, volume_grow
from controlplane.storage_clusters.models import StorageCluster
from controlplane.workflows import image_create
from controlplane.workflows.operation_retry import operation_retry
from controlplane.workflows.registry import WORKFLOWS
from tests.nightly import thinned
from tests.services.policies import HOME, classify, in_zones, ruled
from tests.services.quotas.test_organization_quotas import of_project
from tests.storage_agent import FakeStorageAgent
from tests.workflows.helpers import (
    Killed,
    altered,
    die,
    done,
    explode,
    followed_by_another_worker,
    fresh,
    incoming_files,
    run_on,
    then,
)
from tests.workflows.shared_pool import Shared, taken
from tests.workflows.snapshots import ask_image, ask_snapshot, delete_snapshot
from tests.world import follow, run, run_next_attempt

ELSEWHERE = "de-rhein-1"
# A qcow2 header of 2 GiB whose backing file is /etc/passwd.
HOSTILE = struct.pack(">4sIQIIQ", b"QFI\xfb", 2, 72, 11, 16, 2 * GIB).ljust(72, b"\0") + b"/etc/passwd"


def content_of(image: Image, folder: Path) -> bytes:
    """Return the first MiB of the disk of the image, as qemu-img makes it."""
    raw = folder / "out.raw"
    command = ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=1M", "count=1"]
    subprocess.run([*command, f"if={image_store.path_of(image.sha256)}", f"of={raw}"], check=True, capture_output=True)
    return raw.read_bytes()


def info(image: Image) -> dict[str, Any]:
    command = ["qemu-img", "info", "--output=json", "-f", "qcow2", str(image_store.path_of(image.sha256))]
    described: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return described


def made(shared: Shared, source: Any, name: str = "golden", **more: Any) -> Image:
    image, operation = ask_image(shared.cloud, source, name, **more)
    done(operation)
    return fresh(image)


def copies(image: Image) -> list[tuple[str, str]]:
    records = EvidenceRecord.objects.filter(kind="copy", resource_id=image.pk).order_by("pk")
    return [
        (document["event"], document["kind"])
        for document in (json.loads(each.document)["document"] for each in records)
    ]


# ---- made


def test_image_of_a_volume_has_the_content_of_a_moment(shared: Shared, agent: FakeStorageAgent, tmp_path: Path) -> None:
    volume = shared.volume()
    agent.data[agent.write(volume.pk)] = [(0, b"boot"), (512, b"more"), (GIB, b"far")]
    image = made(shared, volume)
    assert (image.state, image.format, image.project_id) == ("available", "qcow2", volume.project_id)
    assert image.source is not None
    assert (image.source.kind, image.source.id, image.source.name) == ("volume", volume.pk, "data")
    assert (image.virtual_size_bytes, image.min_disk_gib) == (2 * GIB, 2)
    file = image_store.path_of(image.sha256)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == image.sha256
    assert file.stat().st_size == image.size_bytes
    found = content_of(image, tmp_path)
    assert (found[:4], found[4:512].strip(b"\0"), found[512:516]) == (b"boot", b"", b"more")
    assert agent.snapshots == {}
    assert incoming_files() == set()
    assert agent.calls[-3:] == ["snapshot", "read", "remove-snapshot"]


def test_image_of_a_snapshot_has_the_content_of_then(shared: Shared, agent: FakeStorageAgent, tmp_path: Path) -> None:
    volume = shared.volume()
    agent.data[agent.write(volume.pk)] = [(0, b"then")]
    snapshot = taken(shared, volume)
    agent.data[agent.write(volume.pk)] = [(0, b"now")]
    image = made(shared, snapshot)
    assert content_of(image, tmp_path).rstrip(b"\0") == b"then"
    assert set(agent.snapshots) == {snapshot.pk}, "no other one was taken, and this one stays"


def test_hostile_first_sector_stays_data(shared: Shared, agent: FakeStorageAgent, tmp_path: Path) -> None:
    volume = shared.volume()
    agent.data[agent.write(volume.pk)] = [(0, HOSTILE)]
    image = made(shared, volume)
    assert content_of(image, tmp_path).rstrip(b"\0") == HOSTILE
    assert "backing-filename" not in info(image)
    assert info(image)["virtual-size"] == 2 * GIB


def test_image_is_usable_for_a_volume(shared: Shared, agent: FakeStorageAgent) -> None:
    image = made(shared, shared.volume())
    new = NewVolume(name="second", size_gib=2, volume_type=shared.type, image=image)
    done(volume_create(shared.cloud.tenant.actor, image.project, new)[1])


def test_firmware_and_memory_are_those_of_the_volumes_image(shared: Shared) -> None:
    Image.objects.filter(pk=shared.cloud.image.pk).update(firmware="uefi", min_memory_mib=64)
    began = shared.volume(image=fresh(shared.cloud.image))
    image = made(shared, began)
    assert (image.firmware, image.min_memory_mib) == ("uefi", 64)
    assert made(shared, taken(shared, began), "of-snapshot").firmware == "uefi"
    other = made(shared, began, "other", firmware="bios", min_memory_mib=512)
    assert (other.firmware, other.min_memory_mib) == ("bios", 512)
    empty = made(shared, shared.volume("empty"), "empty")
    assert (empty.firmware, empty.min_memory_mib) == ("bios", 0)


def test_calls_have_a_permit_that_lists_volume_and_snapshot(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    image = made(shared, volume)
    snapshot = taken(shared, volume)
    permits = [core.parse(signed.read(agent.permits[call]).payload) for call in ("read",)]
    second = made(shared, snapshot, "second")
    permits.append(core.parse(signed.read(agent.permits["read"]).payload))
    for permit, of, listed in zip(permits, (image, second), (image.pk, snapshot.pk), strict=True):
        assert (permit.op, permit.resource, permit.aud) == ("image.create", str(of.pk), str(volume.node_id))
        assert (permit.contents.volumes, permit.contents.snapshots) == ((str(volume.pk),), (str(listed),))
        assert permit.roles == ROLES_OF["image.create"]


def test_quota_is_of_the_file(shared: Shared) -> None:
    image = made(shared, shared.volume())
    used = dict(QuotaUse.objects.filter(resource_id=image.pk).values_list("dimension", "amount"))
    assert used == {"images": 1, "image_gib": 1}
    assert quota_drift.reconcile() == []
    image_delete(shared.cloud.tenant.actor, image)
    assert quota_drift.reconcile() == []


def test_progress_is_written_while_the_snapshot_is_read(
    shared: Shared, agent: FakeStorageAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = shared.volume()
    agent.data[agent.write(volume.pk)] = [(each * 4096, b"x" * 1024) for each in range(4)]
    percents: list[int] = []
    record = image_create.record_progress
    monkeypatch.setattr(image_create, "LOOK_EVERY", clock.now() - clock.now())
    monkeypatch.setattr(
        image_create, "record_progress", lambda *of, percent: (percents.append(percent), record(*of, percent=percent))
    )
    image, operation = ask_image(shared.cloud, volume)
    done(operation)
    assert percents == [25, 50, 75, 100]


# ---- one moment of a volume


def test_volume_is_locked_only_while_its_snapshot_is_taken(shared: Shared) -> None:
    volume = shared.volume()
    _, operation = ask_image(shared.cloud, volume)
    held: dict[str, bool] = {}

    def note(name: str) -> Callable[[Operation], None]:
        return lambda each: held.update({name: ResourceLock.objects.filter(resource_id=volume.pk).exists()})

    workflow = altered(
        altered(WORKFLOWS["image.create"], "snapshot", then(note("snapshot"))), "read", then(note("read"))
    )
    assert run(operation, workflow).state == "succeeded"
    assert held == {"snapshot": True, "read": False}


def test_snapshot_waits_for_another_operation_on_the_volume(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    image, operation = ask_image(shared.cloud, volume)
    other = volume_grow(shared.cloud.tenant.actor, volume, size_gib=3)
    assert run(operation).state == "running"
    assert operation.steps[-1]["message"] == "waits for another operation on the volume"
    assert "snapshot" not in agent.calls
    done(other)
    assert run_next_attempt(operation).state == "succeeded"
    assert fresh(image).min_disk_gib == 3, "the size of that moment"


def test_volume_with_an_operation_is_busy(shared: Shared) -> None:
    volume = shared.volume()
    volume_grow(shared.cloud.tenant.actor, volume, size_gib=3)
    with pytest.raises(Busy):
        ask_image(shared.cloud, volume)
    assert not Image.objects.exclude(source_kind="").exists()


def test_source_that_is_read_is_not_deleted(shared: Shared) -> None:
    volume = shared.volume()
    snapshot = taken(shared, volume)
    actor = shared.cloud.tenant.actor
    _, of_snapshot = ask_image(shared.cloud, snapshot, "first")
    with pytest.raises(SnapshotInUse, match="first"):
        delete_snapshot(shared.cloud, snapshot)
    done(of_snapshot)
    done(delete_snapshot(shared.cloud, snapshot))
    _, of_volume = ask_image(shared.cloud, volume, "second")
    with pytest.raises(VolumeReadForImage, match="second"):
        volume_delete(actor, volume, attached_to=None)
    done(of_volume)
    done(volume_delete(actor, fresh(volume), attached_to=None))


def test_volume_of_a_deleted_image_stays_until_its_operation_ends(shared: Shared, agent: FakeStorageAgent) -> None:
    volume, actor = shared.volume(), shared.cloud.tenant.actor
    image, operation = ask_image(shared.cloud, volume)
    image_delete(actor, image)
    with pytest.raises(VolumeReadForImage, match="golden"):
        volume_move(actor, fresh(volume), volume_type=shared.cloud.volume_type)
    with pytest.raises(VolumeReadForImage, match="golden"):
        volume_delete(actor, fresh(volume), attached_to=None)
    assert run(operation).state == "cancelled"
    assert "snapshot" not in agent.calls
    done(volume_delete(actor, fresh(volume), attached_to=None))


def test_deleted_image_ends_the_wait_for_the_volume(shared: Shared, agent: FakeStorageAgent) -> None:
    volume, actor = shared.volume(), shared.cloud.tenant.actor
    image, operation = ask_image(shared.cloud, volume)
    volume_grow(actor, volume, size_gib=3)
    assert run(operation).state == "running"
    image_delete(actor, image)
    assert run_next_attempt(operation).state == "cancelled"
    assert "snapshot" not in agent.calls


def test_snapshot_is_removed_from_the_pool_it_was_taken_in(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    _, operation = ask_image(shared.cloud, volume)

    def lose_pool(each: Operation) -> None:
        Volume.objects.filter(pk=volume.pk).update(pool=None)
        explode(each)

    assert run(operation, altered(WORKFLOWS["image.create"], "read", then(lose_pool))).state == "failed"
    assert agent.snapshots == {}


@pytest.mark.parametrize(
    ("meanwhile", "refusal"),
    [
        (lambda actor, volume: volume_grow(actor, volume, size_gib=3), Busy),
        (lambda actor, volume: Volume.objects.filter(pk=volume.pk).update(pool=None), ImagesUnsupported),
    ],
)
def test_request_is_checked_under_the_lock_too(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[..., Any], refusal: type[Exception]
) -> None:
    volume, actor = shared.volume(), shared.cloud.tenant.actor
    monkeypatch.setattr(placement, "check_current_node", lambda request: meanwhile(actor, fresh(volume)))
    with pytest.raises(refusal):
        ask_image(shared.cloud, volume)
    assert not Image.objects.exclude(source_kind="").exists()


def test_growth_and_attachment_go_on_while_the_volume_is_read(shared: Shared) -> None:
    volume = shared.volume()
    image, operation = ask_image(shared.cloud, volume)

    def grow(each: Operation) -> None:
        done(volume_grow(shared.cloud.tenant.actor, fresh(volume), size_gib=4))

    assert run(operation, altered(WORKFLOWS["image.create"], "snapshot", then(lambda each: None))).state == "succeeded"
    _, retried = ask_image(shared.cloud, volume, "again")
    assert run(retried, altered(WORKFLOWS["image.create"], "read", then(grow))).state == "succeeded"
    assert fresh(image).min_disk_gib == 2


# ---- interruptions


def test_incomplete_stream_is_rejected(shared: Shared, agent: FakeStorageAgent, tmp_path: Path) -> None:
    volume = shared.volume()
    agent.data[agent.write(volume.pk)] = [(0, b"a"), (4096, b"b"), (8192, b"c")]
    image, operation = ask_image(shared.cloud, volume)
    for parts in (0, 1, 2, 4):
        agent.parts_sent = parts
        assert (run if parts == 0 else run_next_attempt)(operation).state == "running"
        assert operation.steps[-1]["name"] == "read"
        assert operation.steps[-1]["message"].startswith("The content of the snapshot did not arrive whole")
        assert incoming_files() == set()
    agent.parts_sent = None
    assert run_next_attempt(operation).state == "succeeded"
    assert content_of(fresh(image), tmp_path)[8192:8193] == b"c"


@pytest.mark.parametrize(
    "damage",
    [
        lambda extents: extents[::-1],
        lambda extents: [(0, b"aaaaaaaa"), (4, b"b")],
        lambda extents: [(2 * GIB - 1, b"ab")],
    ],
)
def test_extents_that_contradict_the_snapshot_are_refused(
    shared: Shared, agent: FakeStorageAgent, damage: Callable[[Any], Any]
) -> None:
    volume = shared.volume()
    agent.data[agent.write(volume.pk)] = damage([(0, b"a"), (4096, b"b")])
    _, operation = ask_image(shared.cloud, volume)
    assert run(operation).state == "running"
    assert operation.steps[-1]["name"] == "read"
    assert incoming_files() == set()


def test_killed_worker_leaves_nothing_for_ever(shared: Shared, agent: FakeStorageAgent) -> None:
    """Its operation is taken over by another worker, which begins the file anew."""
    volume = shared.volume()
    _, operation = ask_image(shared.cloud, volume)
    left = image_store.incoming_path(f"{operation.args['file']}.killed")
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half")
    os.utime(left, (time.time() - 2 * FORGOTTEN_AFTER.total_seconds(),) * 2)
    with pytest.raises(Killed):
        run(operation, altered(WORKFLOWS["image.create"], "snapshot", then(die)))
    assert images_collect() == 0, "its operation lives"
    assert left.exists()
    assert followed_by_another_worker(operation).state == "succeeded"
    assert incoming_files() == set()
    assert agent.snapshots == {}


def test_files_of_an_ended_operation_are_collected(shared: Shared) -> None:
    image, operation = ask_image(shared.cloud, shared.volume())
    operation_cancel(shared.cloud.tenant.actor, operation)
    assert run(operation).state == "cancelled"
    left = image_store.incoming_path(f"{image.pk}.raw")
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"of a worker that slept")
    assert images_collect() == 0, "young"
    os.utime(left, (time.time() - 2 * FORGOTTEN_AFTER.total_seconds(),) * 2)
    assert images_collect() == 1


@pytest.mark.parametrize(
    "step", thinned(["snapshot", "read", "remove-snapshot", "convert", "inspect", "publish"], keep_every=3, beginning=1)
)
def test_failure_leaves_neither_file_nor_snapshot_and_is_on_record(
    shared: Shared, agent: FakeStorageAgent, step: str
) -> None:
    image, operation = ask_image(shared.cloud, shared.volume())
    assert run_on(operation, altered(WORKFLOWS["image.create"], step, then(explode))).state == "failed"
    image = fresh(image)
    assert image.state == "error"
    assert image.last_error is not None
    assert (agent.snapshots, incoming_files()) == ({}, set())
    assert not QuotaUse.objects.filter(resource_id=image.pk).exists()
    assert copies(image)[-1] == ("erased", "snapshot")


def test_deleted_image_ends_the_read(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    image, operation = ask_image(shared.cloud, volume)

    def delete(each: Operation) -> None:
        image_delete(shared.cloud.tenant.actor, fresh(image))

    assert run(operation, altered(WORKFLOWS["image.create"], "snapshot", then(delete))).state == "cancelled"
    assert fresh(image).state == "deleted"
    assert agent.snapshots == {}


def test_failed_image_is_retried(shared: Shared, agent: FakeStorageAgent, tmp_path: Path) -> None:
    volume = shared.volume()
    image, operation = ask_image(shared.cloud, volume)
    assert run(operation, altered(WORKFLOWS["image.create"], "read", then(explode))).state == "failed"
    agent.data[agent.write(volume.pk)] = [(0, b"later")]
    tenant = shared.cloud.tenant
    retried = operation_retry(replace(tenant.actor, organization_id=tenant.project.organization_id), fresh(operation))
    done(retried)
    image = fresh(image)
    assert image.state == "available"
    assert content_of(image, tmp_path).rstrip(b"\0") == b"later", "the content of then"
    assert quota_drift.reconcile() == []
    with pytest.raises(ImageHasContent):
        image_create_retry(shared.cloud.tenant.actor, image)


def test_silent_cluster_delays_the_removal_of_the_snapshot(shared: Shared, agent: FakeStorageAgent) -> None:
    _, operation = ask_image(shared.cloud, shared.volume())
    agent.failures["remove-snapshot"] = AdapterError("silent", retryable=True)
    assert run(operation).state == "running"
    operation_cancel(shared.cloud.tenant.actor, operation)
    assert run_next_attempt(operation).state == "undoing"
    assert len(agent.snapshots) == 1
    agent.failures.clear()
    assert run_next_attempt(operation).state == "cancelled"
    assert agent.snapshots == {}


def test_silent_cluster_leaves_the_volume_unlocked(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    _, operation = ask_image(shared.cloud, volume)
    agent.failures["snapshot"] = AdapterError("silent", retryable=True)
    assert run(operation).state == "running"
    assert not ResourceLock.objects.filter(resource_id=volume.pk).exists()
    agent.failures.clear()
    assert run_next_attempt(operation).state == "succeeded"


def test_worker_that_died_leaves_no_lock_to_the_removal(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    _, operation = ask_image(shared.cloud, volume)
    with pytest.raises(Killed):
        run_on(operation, altered(WORKFLOWS["image.create"], "snapshot", then(die)))
    assert ResourceLock.objects.filter(resource_id=volume.pk).exists()
    agent.failures["remove-snapshot"] = AdapterError("silent", retryable=True)
    operation_cancel(shared.cloud.tenant.actor, operation)
    assert run_on(followed_by_another_worker(operation)).state == "undoing"
    assert not ResourceLock.objects.filter(resource_id=volume.pk).exists()


@pytest.mark.parametrize("size_gib", [2, 3])
def test_volume_may_grow_after_an_answer_was_lost(shared: Shared, agent: FakeStorageAgent, size_gib: int) -> None:
    volume = shared.volume()
    agent.loses_answers = True
    image, operation = ask_image(shared.cloud, volume)
    assert run(operation).state == "running"
    (before,) = agent.snapshots.values()
    if size_gib > volume.size_gib:
        grown = volume_grow(shared.cloud.tenant.actor, volume, size_gib=size_gib)
        assert follow(grown).state == "succeeded"
    seen: list[bool] = []
    agent.before_snapshot = lambda: seen.append(before in agent.snapshots.values())
    assert follow(operation).state == "succeeded"
    assert (seen, fresh(image).min_disk_gib) == ([size_gib == 2], size_gib)


def test_lost_answers_change_nothing(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    agent.loses_answers = True
    _, operation = ask_image(shared.cloud, volume)
    assert follow(operation).state == "succeeded"
    assert agent.snapshots == {}


# ---- policies and evidence


def test_image_has_the_policies_and_classifications_of_its_source(shared: Shared) -> None:
    name = classify("restricted", in_zones(HOME), shared.cloud.tenant.project).pk
    volume = shared.volume(classifications=(name,))
    for source in (volume, taken(shared, volume)):
        image = made(shared, source, f"of-{source.name}")
        assert Binding.objects.get(pk=image.pk).classifications == [name]
        assert Lineage.objects.get(resource_id=image.pk).source_id == source.pk


@pytest.mark.parametrize("role", ["image", "snapshot", "key", "metadata"])
def test_policy_that_keeps_the_role_elsewhere_refuses_it(shared: Shared, role: str) -> None:
    volume = shared.volume()
    ruled(shared.cloud.tenant.project, *in_zones(ELSEWHERE, roles=[role]))
    with pytest.raises((NoPlace, NotAdmittedHere)):
        ask_image(shared.cloud, volume)
    assert not Image.objects.exclude(source_kind="").exists()


def test_policy_that_comes_later_stops_it(shared: Shared, agent: FakeStorageAgent) -> None:
    _, operation = ask_image(shared.cloud, shared.volume())
    ruled(shared.cloud.tenant.project, *in_zones(ELSEWHERE, roles=["image"]))
    assert follow(operation).state == "failed"
    assert "read" not in agent.calls


def test_evidence_records_the_content_that_left_the_cluster(shared: Shared) -> None:
    volume = shared.volume()
    image = made(shared, volume)
    assert copies(image) == [("taken", "snapshot"), ("left", "image"), ("erased", "snapshot")]
    of_snapshot = made(shared, taken(shared, volume), "second")
    assert copies(of_snapshot) == [("left", "image")]
    intervals = residency_of(image.pk).intervals
    assert [(each.role, each.zone, each.end is not None) for each in intervals] == [("snapshot", "fr-idf-1", True)]
    assert not residency_of(of_snapshot.pk).intervals


# ---- refusals


def test_volume_of_one_node_has_no_images(shared: Shared) -> None:
    new = NewVolume(name="local", size_gib=1, volume_type=shared.cloud.volume_type)
    volume, operation = volume_create(shared.cloud.tenant.actor, shared.cloud.tenant.project, new)
    done(operation)
    with pytest.raises(ImagesUnsupported) as caught:
        ask_image(shared.cloud, fresh(volume))
    assert caught.value.facts["types"] == "shared"


def test_agent_of_an_older_release_has_no_images(shared: Shared) -> None:
    volume = shared.volume()
    snapshot = taken(shared, volume)
    StorageCluster.objects.update(capabilities=["snapshots"])
    for source in (volume, snapshot):
        with pytest.raises(ImagesUnsupported):
            ask_image(shared.cloud, type(source).objects.get(pk=source.pk))


def test_too_large_a_volume_is_refused(shared: Shared, settings: Any) -> None:
    volume = shared.volume()
    settings.IMAGE_MAX_VIRTUAL_GIB = 1
    with pytest.raises(TooLargeForImage, match="at most 1 GiB"):
        ask_image(shared.cloud, volume)


def test_content_larger_than_an_image_may_be_fails(shared: Shared, agent: FakeStorageAgent, settings: Any) -> None:
    volume = shared.volume()
    agent.data[agent.write(volume.pk)] = [(0, b"x" * 8192)]
    settings.IMAGE_MAX_BYTES = 4096
    image, operation = ask_image(shared.cloud, volume)
    assert run(operation).state == "failed"
    assert operation.error["code"] == "catalog.image.too_large"
    assert (agent.snapshots, incoming_files()) == ({}, set())


def test_store_without_room_is_left_alone(
    shared: Shared, agent: FakeStorageAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, operation = ask_image(shared.cloud, shared.volume())
    monkeypatch.setattr(free_space, "free_bytes", lambda folder: 0)
    assert run(operation).state == "running"
    assert operation.steps[-1]["message"] == str(ImageStoreFull())
    assert incoming_files() == set()
    monkeypatch.undo()
    assert run_next_attempt(operation).state == "succeeded"


def test_quota_that_is_used_up_meanwhile_stops_it(shared: Shared, agent: FakeStorageAgent) -> None:
    volume = shared.volume()
    image, operation = ask_image(shared.cloud, volume)
    quotas.quotas_set(SYSTEM, of_project(shared.cloud.tenant), {"image_gib": 0}, version=0)
    assert run(operation).state == "failed"
    assert operation.error["code"] == QuotaExceeded.code
    assert (agent.snapshots, incoming_files()) == ({}, set())


def test_snapshot_that_is_not_taken_has_no_image(shared: Shared) -> None:
    snapshot, operation = ask_snapshot(shared.cloud, shared.volume())
    with pytest.raises(SnapshotWrongState):
        ask_image(shared.cloud, snapshot)
    done(operation)
    Snapshot.objects.filter(pk=snapshot.pk).update(is_deleting=True)
    with pytest.raises(SnapshotWrongState):
        ask_image(shared.cloud, fresh(snapshot))

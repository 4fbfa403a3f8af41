"""Images: creation, upload, verification, import from a file, deletion and garbage collection."""

import errno
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from controlplane.catalog import image_store
from controlplane.catalog.errors import (
    ImageDigestMismatch,
    ImageFileMissing,
    ImageHasContent,
    ImageNameTaken,
    ImageNotFound,
    ImageNotOwned,
    ImageNotReady,
    ImageRefused,
    ImageSourceRefused,
    ImageStoreFull,
    ImageTooLarge,
)
from controlplane.catalog.models import Image
from controlplane.catalog.selectors import image_get, images, usable_image
from controlplane.catalog.services import (
    NewImage,
    image_create,
    image_delete,
    image_import_file,
    image_update,
    image_upload,
    images_collect,
)
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Organization, Project
from controlplane.kernel.errors import InvalidRequest
from controlplane.kernel.names import InvalidName
from controlplane.operations.models import Operation
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.selectors import usage
from controlplane.workflows import image_verify
from tests.services.catalog.disks import chunks_of, files_in, qcow2, raw, sha256_of
from tests.workflows.helpers import Killed, altered, die, followed_by_another_worker, then
from tests.world import run

pytestmark = pytest.mark.django_db

NEW = NewImage(name="disk", format="qcow2")
MIB = 2**20


def images_used(project: Project) -> object:
    return next(row["used"] for row in usage(project) if row["dimension"] == "images")


def uploaded(actor: Actor, project: Project | None, path: Path, new: NewImage = NEW) -> Image:
    """The image after its upload and the end of its verification."""
    image, _ = image_create(actor, project, new)
    run(image_upload(actor, image, chunks_of(path)))
    image.refresh_from_db()
    return image


def test_an_uploaded_image_becomes_available(member: Actor, project: Project, tmp_path: Path, images_dir: Path) -> None:
    path = qcow2(tmp_path, content=os.urandom(MIB))
    image, none = image_create(member, project, replace(NEW, sha256=sha256_of(path)))
    assert (image.state, none) == ("awaiting-upload", None)

    operation = image_upload(member, image, chunks_of(path))
    assert (image.state, operation.kind, operation.resource_id) == ("verifying", "image.verify", image.pk)
    assert run(operation).state == "succeeded"

    image.refresh_from_db()
    assert (image.state, image.sha256) == ("available", sha256_of(path))
    assert (image.size_bytes, image.virtual_size_bytes) == (path.stat().st_size, 8 * MIB)
    assert files_in(images_dir) == {image.sha256}
    assert image_store.path_of(image.sha256).read_bytes() == path.read_bytes()
    assert usable_image(member, project, "disk") == image


def test_image_with_a_false_format_ends_in_error_with_the_reason(
    member: Actor, project: Project, tmp_path: Path, images_dir: Path
) -> None:
    image, _ = image_create(member, project, replace(NEW, format="raw"))

    operation = run(image_upload(member, image, chunks_of(qcow2(tmp_path))))

    image.refresh_from_db()
    assert (operation.state, image.state) == ("failed", "error")
    assert operation.error == image.last_error
    assert image.last_error is not None
    assert image.last_error["code"] == "catalog.image.refused"
    assert "lies about its format" in str(image.last_error["detail"])
    assert files_in(images_dir) == set()
    assert images_used(project) == 0


def test_wrong_digest_is_refused_and_the_image_awaits_upload(
    member: Actor, project: Project, tmp_path: Path, images_dir: Path
) -> None:
    path = qcow2(tmp_path)
    image, _ = image_create(member, project, replace(NEW, sha256="0" * 64))

    with pytest.raises(ImageDigestMismatch, match=sha256_of(path)):
        image_upload(member, image, chunks_of(path))

    image.refresh_from_db()
    assert image.state == "awaiting-upload"
    assert files_in(images_dir) == set()
    assert not Operation.objects.exists()


def test_oversized_upload_is_refused_before_it_fills_the_disk(
    member: Actor, project: Project, images_dir: Path, settings: Settings
) -> None:
    settings.IMAGE_MAX_BYTES = MIB
    image, _ = image_create(member, project, NEW)
    chunks: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            chunks.append(1)
            yield bytes(64 * 1024)

    with pytest.raises(ImageTooLarge):
        image_upload(member, image, endless())

    assert len(chunks) == 17
    assert files_in(images_dir) == set()


def test_interrupted_upload_leaves_no_file_and_can_be_repeated(
    member: Actor, project: Project, tmp_path: Path, images_dir: Path
) -> None:
    path = qcow2(tmp_path)
    image, _ = image_create(member, project, NEW)

    def broken() -> Iterator[bytes]:
        yield path.read_bytes()[:1000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        image_upload(member, image, broken())
    assert files_in(images_dir) == set()

    assert run(image_upload(member, image, chunks_of(path))).state == "succeeded"


def test_upload_to_a_full_disk_is_refused_and_leaves_no_file(
    member: Actor, project: Project, tmp_path: Path, images_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(image_store.os, "fsync", full)
    image, _ = image_create(member, project, NEW)
    with pytest.raises(ImageStoreFull):
        image_upload(member, image, chunks_of(qcow2(tmp_path)))
    assert files_in(images_dir) == set()


def test_first_finished_of_two_concurrent_uploads_is_kept(
    member: Actor, project: Project, tmp_path: Path, images_dir: Path
) -> None:
    path = qcow2(tmp_path)
    image, _ = image_create(member, project, NEW)
    slower = Image.objects.get(pk=image.pk)

    def overtaken() -> Iterator[bytes]:
        yield b"QFI\xfb"
        image_upload(member, image, chunks_of(path))

    with pytest.raises(ImageHasContent):
        image_upload(member, slower, overtaken())

    assert run(Operation.objects.get()).state == "succeeded"
    assert files_in(images_dir) == {sha256_of(path)}


def test_upload_to_an_available_image_is_refused(member: Actor, project: Project, tmp_path: Path) -> None:
    image = uploaded(member, project, qcow2(tmp_path))
    with pytest.raises(ImageHasContent, match="available"):
        image_upload(member, image, [b"other"])


@pytest.mark.parametrize("step", ["inspect", "publish"])
def test_verification_continues_after_a_worker_died(
    member: Actor, project: Project, tmp_path: Path, images_dir: Path, step: str
) -> None:
    path = qcow2(tmp_path)
    image, _ = image_create(member, project, NEW)
    operation = image_upload(member, image, chunks_of(path))
    with pytest.raises(Killed):
        run(operation, altered(image_verify.WORKFLOW, step, then(die)))

    assert followed_by_another_worker(operation).state == "succeeded"
    assert files_in(images_dir) == {sha256_of(path)}


def test_image_that_was_deleted_before_its_digest_was_recorded_is_not_published(
    member: Actor, project: Project, tmp_path: Path
) -> None:
    image, _ = image_create(member, project, NEW)
    operation = image_upload(member, image, chunks_of(qcow2(tmp_path)))
    Image.objects.filter(pk=image.pk).update(sha256="", state="deleted")
    with pytest.raises(ImageFileMissing):
        image_verify.publish(operation)


def test_lost_image_file_is_the_reported_reason(member: Actor, project: Project, tmp_path: Path) -> None:
    image, _ = image_create(member, project, NEW)
    operation = image_upload(member, image, chunks_of(qcow2(tmp_path)))
    image_store.discard(operation.args["file"])

    assert run(operation).state == "failed"
    assert operation.error is not None
    assert operation.error["code"] == "catalog.image.file_missing"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "Disk 1"}, InvalidName),
        ({"name": "disk;rm"}, InvalidName),
        ({"format": "vmdk"}, InvalidRequest),
        ({"firmware": "coreboot"}, InvalidRequest),
        ({"sha256": "abc"}, InvalidRequest),
        ({"sha256": "../" + "a" * 61}, InvalidRequest),
        ({"min_memory_mib": -1}, InvalidRequest),
        ({"min_memory_mib": 2**31}, InvalidRequest),
        ({"source_url": "file:///etc/passwd"}, ImageSourceRefused),
        ({"source_url": "http://"}, ImageSourceRefused),
        ({"source_url": "//images.example/disk"}, ImageSourceRefused),
        ({"source_url": "http://user:secret@images.example/disk"}, ImageSourceRefused),
        ({"source_url": "http://images.example:port/disk"}, ImageSourceRefused),
        ({"source_url": "https://images.example/" + "a" * 2000}, ImageSourceRefused),
    ],
)
def test_invalid_image_field_is_refused(
    member: Actor, project: Project, change: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        image_create(member, project, replace(NEW, **change))  # type: ignore[arg-type]
    assert not Image.objects.exists()


def test_image_name_and_quota_are_enforced(member: Actor, project: Project, settings: Settings) -> None:
    settings.QUOTA_DEFAULTS = settings.QUOTA_DEFAULTS | {"images": 1}
    image, _ = image_create(member, project, NEW)
    with pytest.raises(ImageNameTaken):
        image_create(member, project, NEW)
    with pytest.raises(QuotaExceeded):
        image_create(member, project, replace(NEW, name="another"))

    image_delete(member, image)
    image_delete(member, image)
    image_create(member, project, NEW)


def test_project_sees_its_images_and_public_images(member: Actor, project: Project, tmp_path: Path) -> None:
    other = Project.objects.create(name="beta", organization=Organization.objects.create(name="beta-org"))
    public, _ = image_create(SYSTEM, None, NEW)
    foreign, _ = image_create(SYSTEM, other, replace(NEW, name="foreign"))
    assert image_get(member, project, "disk") == public

    own, _ = image_create(member, project, NEW)

    assert image_get(member, project, "disk") == own
    assert set(images(member, project)) == {own, public}
    assert set(images(SYSTEM, None)) == {public}
    for ref in (str(foreign.pk), "foreign"):
        with pytest.raises(ImageNotFound):
            image_get(member, project, ref)
    with pytest.raises(ImageNotReady) as refusal:
        usable_image(member, project, "disk")
    assert refusal.value.field == "image"


def test_public_image_is_changed_by_operators_only(member: Actor, tmp_path: Path) -> None:
    with pytest.raises(ImageNotOwned):
        image_create(member, None, NEW)
    image, _ = image_create(SYSTEM, None, NEW)
    for attempt in (
        lambda: image_upload(member, image, []),
        lambda: image_update(member, image, name="mine", labels={}),
        lambda: image_delete(member, image),
    ):
        with pytest.raises(ImageNotOwned):
            attempt()


def test_viewers_change_nothing(project: Project) -> None:
    viewer = Actor(None, None, project.pk, "viewer")
    with pytest.raises(RoleNeeded):
        image_create(viewer, project, NEW)


def test_image_is_renamed(member: Actor, project: Project) -> None:
    image, _ = image_create(member, project, NEW)
    image_create(member, project, replace(NEW, name="taken"))
    image_update(member, image, name="renamed", labels={"os": "linux"})
    assert image_get(member, project, "renamed").labels == {"os": "linux"}
    with pytest.raises(ImageNameTaken):
        image_update(member, image, name="taken", labels={})


def test_image_deleted_during_verification_stays_deleted(member: Actor, project: Project, tmp_path: Path) -> None:
    image, _ = image_create(member, project, NEW)
    operation = image_upload(member, image, chunks_of(qcow2(tmp_path)))
    image_delete(member, image)

    run(operation)

    image.refresh_from_db()
    assert image.state == "deleted"
    assert images_used(project) == 0


def age(folder: Path) -> None:
    """Everything in the store becomes two hours old."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 7200, time.time() - 7200))


def test_image_file_is_deleted_with_its_last_image(
    member: Actor, project: Project, tmp_path: Path, images_dir: Path
) -> None:
    path = qcow2(tmp_path)
    first = uploaded(member, project, path)
    second = uploaded(member, project, path, replace(NEW, name="again"))
    third, _ = image_create(member, project, replace(NEW, name="third"))
    waiting = image_upload(member, third, chunks_of(raw(tmp_path)))
    (images_dir / "incoming" / "leftover.1").write_bytes(b"of a process that was killed")
    needed = {first.sha256, f"incoming/{waiting.args['file']}"}

    assert images_collect() == 0
    age(images_dir)
    assert images_collect() == 1
    assert files_in(images_dir) == needed

    image_delete(member, first)
    image_delete(member, second)
    assert images_collect() == 0

    Image.objects.filter(state="deleted").update(updated_at="2026-01-01T00:00:00Z")
    assert images_collect() == 1
    assert files_in(images_dir) == needed - {first.sha256}


def test_republished_file_is_protected_from_collection(tmp_path: Path, images_dir: Path) -> None:
    path = qcow2(tmp_path)
    for name in ("one", "two"):
        received = image_store.receive(chunks_of(path), name)
        assert image_store.publish(name, received.sha256)
        assert image_store.collect_garbage(keep=()) == 0
        age(images_dir)
    assert image_store.collect_garbage(keep=()) == 1
    assert not image_store.publish("two", received.sha256)


def test_an_operator_imports_a_file_once(tmp_path: Path, images_dir: Path) -> None:
    path = qcow2(tmp_path)
    first = image_import_file(SYSTEM, None, NEW, path=path)
    second = image_import_file(SYSTEM, None, NEW, path=path)

    assert (first.pk, first.state) == (second.pk, "available")
    assert (first.sha256, first.virtual_size_bytes) == (sha256_of(path), 8 * MIB)
    assert files_in(images_dir) == {first.sha256}


def test_import_of_other_bytes_needs_a_replace_option(tmp_path: Path) -> None:
    first = image_import_file(SYSTEM, None, NEW, path=qcow2(tmp_path))
    other = qcow2(tmp_path, content=b"other", name="other")
    with pytest.raises(ImageNameTaken):
        image_import_file(SYSTEM, None, NEW, path=other)

    second = image_import_file(SYSTEM, None, NEW, path=other, replace=True)

    first.refresh_from_db()
    assert (first.state, second.state, second.sha256) == ("deleted", "available", sha256_of(other))


def test_file_of_an_operator_is_inspected(tmp_path: Path, images_dir: Path) -> None:
    with pytest.raises(ImageRefused):
        image_import_file(SYSTEM, None, NEW, path=raw(tmp_path))
    assert files_in(images_dir) == set()
    assert not Image.objects.exists()


def test_import_image_command_works(tmp_path: Path, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    path = raw(tmp_path)
    arguments = ("disk", str(path), "--format", "raw", "--firmware", "uefi", "--project", "alpha")
    call_command("import_image", *arguments)
    call_command("import_image", *arguments)

    image = Image.objects.get()
    assert capsys.readouterr().out.split() == [str(image.pk)] * 2
    assert (image.project_id, image.format, image.firmware, image.state) == (project.pk, "raw", "uefi", "available")
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_image", "disk", "/nonexistent")
    with pytest.raises(CommandError, match="does not begin like one"):
        call_command("import_image", "lie", str(path), "--format", "qcow2")

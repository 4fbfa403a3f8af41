"""Inspection of valid and malicious images with the real qemu-img."""

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from controlplane.catalog import inspection, raw_disks
from controlplane.catalog.errors import ImageInspectionFailed, ImageRefused
from controlplane.catalog.inspection import inspect
from tests.services.catalog.disks import patched, qcow2, qemu_img, raw, truncated

MIB = 2**20
CONTENT = os.urandom(4 * MIB)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-o", "compat=0.10"),
        ("-o", "compat=1.1,lazy_refcounts=on"),
        ("-c",),
        ("-c", "-o", "compression_type=zstd"),
        ("-o", "cluster_size=4k"),
    ],
)
def test_a_good_qcow2_is_accepted(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert inspect(qcow2(tmp_path, *options, content=CONTENT), "qcow2").virtual_size_bytes == 8 * MIB


def test_a_good_raw_disk_is_accepted(tmp_path: Path) -> None:
    assert inspect(raw(tmp_path), "raw").virtual_size_bytes == 8 * MIB


def with_backing_file(folder: Path) -> Path:
    base = raw(folder)
    path = folder / "disk.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(path))
    return path


def with_backing_file_in_version_2(folder: Path) -> Path:
    path = with_backing_file(folder)
    qemu_img("amend", "-f", "qcow2", "-o", "compat=0.10", str(path))
    return path


def with_data_file(folder: Path) -> Path:
    return qcow2(folder, "-o", f"data_file={folder / 'data'},data_file_raw=on")


def with_snapshot(folder: Path) -> Path:
    path = qcow2(folder)
    qemu_img("snapshot", "-c", "before", str(path))
    return path


def with_bitmap(folder: Path) -> Path:
    path = qcow2(folder)
    qemu_img("bitmap", "--add", str(path), "b0")
    return path


def encrypted(folder: Path) -> Path:
    return patched(qcow2(folder), 32, struct.pack(">I", 2))


def with_features(bits: int) -> Callable[[Path], Path]:
    return lambda folder: patched(qcow2(folder), 72, struct.pack(">Q", bits))


def in_format(image_format: str, *options: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"disk.{image_format}"
        qemu_img("convert", "-f", "raw", "-O", image_format, *options, str(raw(folder)), str(path))
        return path

    return make


def damaged(offset: int, data: bytes) -> Callable[[Path], Path]:
    return lambda folder: patched(qcow2(folder, content=CONTENT), offset, data)


def cut(size: int) -> Callable[[Path], Path]:
    return lambda folder: truncated(qcow2(folder, content=CONTENT), size)


@pytest.mark.parametrize(
    ("make", "declared", "sentence"),
    [
        (qcow2, "raw", "lies about its format: it is qcow2"),
        (raw, "qcow2", "does not begin like one"),
        (in_format("vmdk"), "raw", "it is VMDK"),
        (in_format("vmdk"), "qcow2", "it is VMDK"),
        (in_format("vmdk", "-o", "subformat=streamOptimized"), "raw", "it is VMDK"),
        (in_format("vmdk", "-o", "subformat=monolithicFlat"), "raw", "it is VMDK"),
        (in_format("vdi"), "raw", "it is VDI"),
        (in_format("vhdx"), "raw", "it is VHDX"),
        (in_format("vpc"), "raw", "it is VHD"),
        (in_format("vpc", "-o", "subformat=fixed"), "raw", "it is VHD"),
        (in_format("qed"), "raw", "it is QED"),
        (in_format("parallels"), "raw", "it is Parallels"),
        (lambda folder: raw(folder, head=b"LUKS\xba\xbe\0\2"), "raw", "it is LUKS"),
        (lambda folder: raw(folder, head=b"\xfd7zXZ\0"), "raw", "it is xz"),
        (lambda folder: raw(folder, head=b"\0" * 0x8001 + b"CD001"), "raw", "it is ISO 9660"),
        (with_backing_file, "qcow2", "backing file"),
        (with_backing_file_in_version_2, "qcow2", "backing file"),
        (with_data_file, "qcow2", "external file"),
        (with_snapshot, "qcow2", "internal snapshots"),
        (with_bitmap, "qcow2", "feature bitmaps is not accepted"),
        (encrypted, "qcow2", "encrypted"),
        (with_features(1), "qcow2", "not closed properly"),
        (with_features(2), "qcow2", "marked as corrupt"),
        (with_features(16), "qcow2", "features that are not accepted"),
        (with_features(2**40), "qcow2", "features that are not accepted"),
        (lambda folder: qcow2(folder, "-o", "refcount_bits=64"), "qcow2", "feature refcount-bits"),
        (lambda folder: qcow2(folder, size="2T"), "qcow2", "larger than 500 GiB"),
        (lambda folder: raw(folder, size=501 * 2**30), "raw", "larger than 500 GiB"),
        (lambda folder: raw(folder, size=8 * MIB - 100), "raw", "multiple of 512"),
        (lambda folder: raw(folder, size=0, head=b""), "raw", "empty"),
        (damaged(4, b"\0\0\0\x09"), "qcow2", "version is 9"),
        (damaged(20, b"\0\0\0\xff"), "qcow2", "header is damaged"),
        (damaged(40, b"\xff" * 8), "qcow2", "header is damaged"),
        (damaged(0x10000, b"\xff" * 512), "qcow2", "tables are damaged"),
        (cut(50), "qcow2", "ends within its qcow2 header"),
        (cut(1000), "qcow2", "truncated"),
        (cut(2 * MIB), "qcow2", "truncated"),
    ],
)
def test_unsafe_image_is_refused_with_a_reason(
    tmp_path: Path, make: Callable[[Path], Path], declared: str, sentence: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(ImageRefused, match=sentence):
        inspect(path, declared)


def test_refused_image_is_never_opened_by_qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_data_file(tmp_path)
    called: list[object] = []
    monkeypatch.setattr(subprocess, "run", lambda *args, **_: called.append(args))
    with pytest.raises(ImageRefused):
        inspect(path, "qcow2")
    assert not called


def test_size_limit_is_a_setting(tmp_path: Path, settings: Settings) -> None:
    settings.IMAGE_MAX_VIRTUAL_GIB = 1
    assert inspect(qcow2(tmp_path, size="1G"), "qcow2")
    with pytest.raises(ImageRefused, match="larger than 1 GiB"):
        inspect(qcow2(tmp_path, size="1025M", name="larger"), "qcow2")


def test_slow_inspection_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "TIME_LIMIT_S", 0)
    with pytest.raises(ImageRefused, match="takes too long"):
        inspect(qcow2(tmp_path), "qcow2")


def test_missing_qemu_img_fails_the_inspection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = qcow2(tmp_path)
    (tmp_path / "prlimit").symlink_to("/usr/bin/prlimit")
    monkeypatch.setattr(inspection, "ENVIRONMENT", {"PATH": str(tmp_path)})
    with pytest.raises(ImageInspectionFailed):
        inspect(path, "qcow2")


def test_failed_conversion_is_retried_and_its_cause_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raw_disks.write_raw([(0, CONTENT)], "of-a-volume", size_bytes=8 * MIB)
    with monkeypatch.context() as patch, pytest.raises(ImageInspectionFailed):
        patch.setattr(raw_disks, "MEMORY_LIMIT_BYTES", MIB)
        raw_disks.convert("of-a-volume", check=lambda: None)
    assert "qemu-img convert: " in caplog.text
    assert raw_disks.convert("of-a-volume", check=lambda: None).size_bytes > len(CONTENT)

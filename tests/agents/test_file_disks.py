"""Images and volumes as files, with the real qemu-img: above all, what must never be opened."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agents.node.adapters.fake import FakeHypervisor, FakeNode
from agents.node.adapters.fake_switch import FakeSwitch
from agents.node.adapters.interfaces import Adapters, ImageFormat
from agents.node.adapters.qemu_img import FileDisks
from agents.node.context import Identity, Node
from agents.node.errors import ImageRefused
from agents.node.lease import Lease, LeasePolicy
from agents.node.services import images, volumes
from agents.node.specs import ImageSpec, Subject, VolumeSpec
from agents.node.state_store import StateStore
from agents.node.trust.clock import Clock
from agents.node.trust.keys import NodeKey
from agents.node.trust.permits import Permits
from tests.agents import specs
from tests.agents.specs import MIB


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Files for real, guests in memory."""
    fake, state_dir = FakeNode(), tmp_path / "state"
    adapters = Adapters(
        FakeHypervisor(fake),
        FileDisks(state_dir),
        FakeSwitch(fake),
        fake.adapters().migrations,
        fake.adapters().metadata,
        fake.adapters().mirrors,
        fake.adapters().transfers,
    )
    with closing(StateStore(state_dir / "ledger.sqlite")) as ledger:
        key = NodeKey(str(specs.NODE_ID), ec.generate_private_key(ec.SECP256R1()))
        permits = Permits.open(ledger, key=key, zone=specs.ZONE, root=lambda message, signature: False, clock=Clock())
        lease = Lease(ledger, LeasePolicy(), boot_id="boot")
        yield Node(Identity(specs.NODE_ID, specs.ZONE), "boot", ledger, adapters, permits, lease)


def send(node: Node, path: Path, announced: ImageFormat) -> str:
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    images.ensure(node, ImageSpec(sha256, len(content), announced), [content])
    return sha256


def plain(path: Path) -> None:
    qemu_img("create", "-f", "qcow2", path, "8M")


def with_backing_file(path: Path) -> None:
    qemu_img("create", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/passwd", path, "8M")


def with_data_file(path: Path) -> None:
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={path}.data,data_file_raw=on", path, "8M")


def with_extended_l2(path: Path) -> None:
    qemu_img("create", "-f", "qcow2", "-o", "extended_l2=on,cluster_size=128k", path, "8M")


def with_snapshot(path: Path) -> None:
    plain(path)
    qemu_img("snapshot", "-c", "s", path)


def encrypted(path: Path) -> None:
    options = "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10"
    qemu_img("create", "-f", "qcow2", "--object", "secret,id=k,data=x", "-o", options, path, "8M")


def far_too_large(path: Path) -> None:
    qemu_img("create", "-f", "qcow2", "-o", "cluster_size=2M", path, "100T")


def vmdk(path: Path) -> None:
    qemu_img("create", "-f", "vmdk", path, "8M")


def not_an_image(path: Path) -> None:
    path.write_bytes(b"QFI\xfb" + b"\xff" * 5000)


def raw(path: Path) -> None:
    path.write_bytes(b"\0" * MIB)


REFUSED = [
    (with_backing_file, ImageFormat.QCOW2),
    (with_backing_file, ImageFormat.RAW),
    (with_data_file, ImageFormat.QCOW2),
    (with_extended_l2, ImageFormat.QCOW2),
    (with_snapshot, ImageFormat.QCOW2),
    (encrypted, ImageFormat.QCOW2),
    (far_too_large, ImageFormat.QCOW2),
    (vmdk, ImageFormat.QCOW2),
    (vmdk, ImageFormat.RAW),
    (not_an_image, ImageFormat.QCOW2),
    (plain, ImageFormat.RAW),
    (raw, ImageFormat.QCOW2),
]


@pytest.mark.parametrize(("make", "announced"), REFUSED)
def test_hostile_image_is_refused_and_removed(
    node: Node, tmp_path: Path, make: Callable[[Path], None], announced: ImageFormat
) -> None:
    make(tmp_path / "image")
    with pytest.raises(ImageRefused):
        send(node, tmp_path / "image", announced)
    assert not list((tmp_path / "state" / "images").iterdir())
    assert not images.all_cached(node)


@pytest.mark.parametrize(("make", "announced"), [(plain, ImageFormat.QCOW2), (raw, ImageFormat.RAW)])
def test_a_good_image_is_kept_read_only_and_cloned(
    node: Node, tmp_path: Path, make: Callable[[Path], None], announced: ImageFormat
) -> None:
    make(tmp_path / "image")
    sha256 = send(node, tmp_path / "image", announced)
    cached = tmp_path / "state" / "images" / sha256
    assert cached.stat().st_mode & 0o777 == 0o444
    volume_id = UUID(specs.new_id())
    volumes.ensure(node, Subject(volume_id, 1), VolumeSpec(16 * MIB, sha256))
    clone = tmp_path / "state" / "volumes" / f"{volume_id}.qcow2"
    report = subprocess.run(["qemu-img", "info", str(clone)], capture_output=True, text=True, check=True).stdout
    assert f"backing file: {cached}" in report
    assert f"backing file format: {announced}" in report
    assert node.adapters.disks.engine().size_bytes(volume_id) == 16 * MIB


def test_a_clone_keeps_the_content_of_its_image(node: Node, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"content!" * (MIB // 8))
    sha256 = send(node, tmp_path / "image", ImageFormat.RAW)
    volume_id = UUID(specs.new_id())
    volumes.ensure(node, Subject(volume_id, 1), VolumeSpec(2 * MIB, sha256))
    volumes.ensure(node, Subject(volume_id, 2), VolumeSpec(4 * MIB, sha256))
    copy = tmp_path / "copy"
    qemu_img("convert", "-O", "raw", node.adapters.disks.engine().disk(volume_id).source, copy)
    assert copy.read_bytes() == (b"content!" * (MIB // 8)).ljust(4 * MIB, b"\0")


def test_unfinished_files_of_a_killed_agent_are_removed_at_start(tmp_path: Path) -> None:
    FileDisks(tmp_path)
    left_over = tmp_path / "images" / ".unfinished-x"
    left_over.write_bytes(b"half")
    FileDisks(tmp_path).restore()
    assert not left_over.exists()


def test_truncated_image_is_resent(node: Node, tmp_path: Path) -> None:
    """Killed between the ledger's row and the file's name: the row alone is no image."""
    raw(tmp_path / "image")
    sha256 = send(node, tmp_path / "image", ImageFormat.RAW)
    node.adapters.disks.remove_image(sha256)
    assert not images.all_cached(node)
    assert send(node, tmp_path / "image", ImageFormat.RAW) == sha256
    assert len(images.all_cached(node)) == 1


def test_seed_has_the_label_of_cloud_init(node: Node) -> None:
    instance_id = UUID(specs.new_id())
    files = {"meta-data": b"instance-id: x\n", "user-data": b"#!/bin/sh\n", "network-config": b"version: 2\n"}
    disks = node.adapters.disks
    seed = disks.write_seed(instance_id, files)
    before = seed.stat().st_ino
    assert b"cidata" in seed.read_bytes()[0x8000:0x9000]
    assert disks.write_seed(instance_id, files).stat().st_ino == before
    assert disks.write_seed(instance_id, files | {"user-data": b"#!/bin/ash\n"}).stat().st_ino != before
    assert b"#!/bin/ash" in seed.read_bytes()
    assert seed.stat().st_mode & 0o077 == 0
    disks.remove_instance_files(instance_id)
    assert not seed.exists()


def test_seed_is_readable_by_qemu_with_any_umask(node: Node) -> None:
    before = os.umask(0o077)
    try:
        seed = node.adapters.disks.write_seed(UUID(specs.new_id()), {"meta-data": b"instance-id: x\n"})
    finally:
        os.umask(before)
    assert [oct(folder.stat().st_mode & 0o777) for folder in list(seed.parents)[:3]] == ["0o711"] * 3


def test_the_console_is_read_in_parts(node: Node) -> None:
    instance_id = UUID(specs.new_id())
    disks = node.adapters.disks
    disks.console_path(instance_id).write_bytes(b"0123456789")
    read = disks.read_console
    assert read(instance_id, offset=2, max_bytes=3).data == b"234"
    assert read(instance_id, offset=-2, max_bytes=30).data == b"89"
    assert read(instance_id, offset=99, max_bytes=30).data == b""
    assert read(instance_id, offset=-99, max_bytes=30).offset == 0

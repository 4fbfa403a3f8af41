"""Copies of volumes between real places: the node's folder and a Ceph cluster."""

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from agents.lab.ceph import CephCluster
from agents.node import process
from agents.node.adapters import pools
from agents.node.adapters.interfaces import BaseImage, ImageFormat
from agents.node.adapters.pools import Pools
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage import copying as copying_module
from agents.node.adapters.storage.copying import SILENT_S, Copying, silent_s
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.adapters.storage.keys import VolumeKeys, decoded
from agents.node.adapters.storage.places import Place, RbdSource
from agents.node.errors import AdapterError, VolumeKeyMissing
from tests.agents import specs
from tests.agents.on_libvirt import rbd_volumes
from tests.agents.specs import MIB

VOLUME = UUID("01980000-0000-7000-8000-0000000000c7")
OTHER = UUID("01980000-0000-7000-8000-0000000000c8")
NODE = UUID("01980000-0000-7000-8000-0000000000a1")
SIZE = 64 * MIB
SHARED = Place("shared")
# A raw content that looks like a qcow2 file with a backing file, which a guest writes into its own disk.
HOSTILE = b"QFI\xfb\0\0\0\3" + (64).to_bytes(8) + (11).to_bytes(4) + bytes(40) + b"/etc/shadow"


@pytest.fixture
def keys() -> Iterator[VolumeKeys]:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield VolumeKeys(Path(folder) / "volumes")


@pytest.fixture
def disks(tmp_path: Path, keys: VolumeKeys) -> FileDisks:
    return FileDisks(tmp_path / "state, with a comma", owner="one", keys=keys)


@pytest.fixture
def target(tmp_path: Path, keys: VolumeKeys) -> StorageEngine:
    """Return the own folder of another node, for copies without a cluster."""
    return FileDisks(tmp_path / "target", owner="other", keys=keys).engine()


def copying(max_bytes_per_s: int = 0, percents: list[int] | None = None, base: BaseImage | None = None) -> Copying:
    note = (percents if percents is not None else []).append
    return Copying(SIZE, base, max_bytes_per_s, note, lambda: False)


def fill(path: Path) -> bytes:
    """Write the content into a qcow2 file: a hostile header, holes, and data at the end. Return it."""
    content = bytearray(SIZE)
    content[: len(HOSTILE)] = HOSTILE
    content[-MIB:] = os.urandom(MIB)
    raw = path.with_suffix(".raw")
    raw.write_bytes(content)
    convert = ["qemu-img", "convert", "-n", "-f", "raw", "-O", "qcow2", "--", str(raw), str(path)]
    process.run(convert)
    raw.unlink()
    return bytes(content)


def content_of(path: Path) -> bytes:
    raw = path.with_suffix(".read")
    process.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", "--", str(path), str(raw)])
    content = raw.read_bytes()
    raw.unlink()
    return content


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def opened(disks: FileDisks, ceph: CephCluster, volume_id: UUID) -> StorageEngine:
    """Make the volume in the cluster, empty, and open it for the node, which has no key yet."""
    volume = specs.volume(str(volume_id), size_mib=64)
    rbd_volumes.make(ceph, volume)
    key = rbd_volumes.opened(ceph, volume, NODE).rbd
    source = RbdSource(key.pool, key.image, tuple(key.monitors), key.client)
    return disks.engine(Place("fast", source), key=decoded(key.key))


def path_of(engine: StorageEngine) -> Path:
    path = engine.disk(VOLUME).path
    assert path is not None
    return path


def test_volume_is_the_same_in_every_place(disks: FileDisks, ceph: CephCluster) -> None:
    """From the node's folder to a cluster, and back: bytes and holes stay, and nothing is interpreted."""
    local, cluster = disks.engine(), opened(disks, ceph, VOLUME)
    local.create(VOLUME, size_bytes=SIZE)
    content = fill(path_of(local))
    with pytest.raises(VolumeKeyMissing):
        cluster.copy_from(local, VOLUME, copying())
    cluster.create(VOLUME, size_bytes=SIZE)
    percents: list[int] = []
    for _ in range(2):  # as after an interruption
        cluster.copy_from(local, VOLUME, copying(percents=percents))
    assert percents[-1] == 100
    assert digest(rbd_volumes.read(ceph, str(VOLUME), offset=0, count=SIZE)) == digest(content)

    assert local.remove(VOLUME)
    local.copy_from(cluster, VOLUME, copying())
    assert local.size_bytes(VOLUME) == SIZE
    path = path_of(local)
    assert digest(content_of(path)) == digest(content)
    assert path.stat().st_size < 4 * MIB, "holes stay holes"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list(path.parent.glob(".unfinished*"))


def test_two_keys_of_a_copy_between_clusters_are_in_no_command_line(
    disks: FileDisks, keys: VolumeKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place is opened with its own, also by its own monitors."""
    commands, read = list[str](), list[bytes]()

    def follow(command: list[str], *, descriptors: tuple[int, ...], **more: object) -> None:
        commands.extend(command)
        read.extend(os.pread(each, 100, 0) for each in descriptors)

    monkeypatch.setattr(process, "follow", follow)
    monkeypatch.setattr(copying_module.monitors, "check", lambda of_cluster: None)
    source, target = (
        disks.engine(
            Place(pool, RbdSource(pool, str(VOLUME), (f"10.0.0.{number}:3300",), f"v-{VOLUME}.{number:012x}")),
            key=f"key of {pool}".encode(),
            is_copy=pool == "bulk",
        )
        for number, pool in enumerate(("fast", "bulk"), start=1)
    )
    source.create(VOLUME, size_bytes=SIZE)
    with pytest.raises(VolumeKeyMissing):
        target.copy_from(source, VOLUME, copying())
    target.create(VOLUME, size_bytes=SIZE)
    target.copy_from(source, VOLUME, copying())
    assert read == [b"key of fast", b"key of bulk"]
    of_source, of_target = commands[-2:]
    for options, number, pool, name in ((of_source, 1, "fast", "source"), (of_target, 2, "bulk", "target")):
        assert f"file.pool={pool},file.image={VOLUME},file.user=v-{VOLUME}.{number:012x}" in options
        assert f"file.key-secret={name}" in options
        assert f"10.0.0.{number}" in options
    secrets = [word for word in commands if word.startswith("secret,")]
    assert [word.split(",")[1] for word in secrets] == ["id=source", "id=target"]
    target.replace(source, VOLUME)
    assert (keys.key(VOLUME), keys.of_copies.key(VOLUME)) == (b"key of bulk", None)
    target.replace(source, VOLUME)
    assert keys.key(VOLUME) == b"key of bulk", "the end of a copy may be repeated"


def test_key_is_in_no_command_line(disks: FileDisks, ceph: CephCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, commands = opened(disks, ceph, OTHER), list[str]()
    cluster.create(OTHER, size_bytes=SIZE)
    key = cluster.key(OTHER)
    assert key is not None
    monkeypatch.setattr(process, "follow", lambda command, **more: commands.extend(command))
    with pytest.raises(AdapterError, match="is missing"):
        cluster.copy_from(disks.engine(), OTHER, copying())
    disks.engine().create(OTHER, size_bytes=SIZE)
    cluster.copy_from(disks.engine(), OTHER, copying())
    assert any("key-secret=target" in word for word in commands)
    assert base64.b64encode(key).decode() not in " ".join(commands)


def test_layer_over_a_raw_image_that_looks_like_another_format_becomes_whole(
    disks: FileDisks, target: StorageEngine
) -> None:
    local = disks.engine()
    image = path_of(local).parent.with_name("images") / ("ab" * 32)
    image.write_bytes(HOSTILE.ljust(8 * MIB, b"\0"))
    base = BaseImage(image.name, ImageFormat.RAW)
    local.create(VOLUME, size_bytes=SIZE, base=base)
    target.copy_from(local, VOLUME, copying(base=base))
    assert content_of(path_of(target)) == HOSTILE.ljust(SIZE, b"\0")
    with pytest.raises(AdapterError, match="is a layer over another file"):
        target.copy_from(local, VOLUME, copying())


def test_limit_of_bandwidth_reaches_qemu(
    disks: FileDisks, target: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = disks.engine()
    local.create(VOLUME, size_bytes=SIZE)
    commands: list[list[str]] = []
    follow = process.follow
    monkeypatch.setattr(process, "follow", lambda command, **more: (commands.append(command), follow(command, **more)))
    target.copy_from(local, VOLUME, copying(5 * 10**6))
    assert commands[0][commands[0].index("-r") + 1] == str(5 * 10**6)


def test_copy_of_a_large_volume_has_time_for_each_percent() -> None:
    """A copy without a limit may be as slow as the deadline of a move allows: 20 MB/s."""
    for limit in (0, 20 * 10**6, 10**9):
        assert silent_s(10 * 10**12, limit) == SILENT_S + 5000
    assert silent_s(10 * 10**12, 10 * 10**6) == SILENT_S + 10_000


def test_copy_that_is_stopped_or_fails_leaves_nothing(disks: FileDisks, target: StorageEngine) -> None:
    local = disks.engine()
    local.create(VOLUME, size_bytes=SIZE)
    with pytest.raises(AdapterError, match="was stopped"):
        target.copy_from(local, VOLUME, Copying(SIZE, None, 0, lambda percent: None, lambda: True))
    with pytest.raises(AdapterError, match="is missing"):
        target.copy_from(local, UUID(int=7), copying())
    assert list(path_of(target).parent.iterdir()) == []


def test_volume_is_not_copied_into_a_folder_of_several_nodes(disks: FileDisks, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    pools.make(tmp_path / "pool")
    shared = FileDisks(tmp_path / "state", pools=Pools({"shared": tmp_path / "pool"}), owner="one").engine(SHARED)
    disks.engine().create(VOLUME, size_bytes=SIZE)
    with pytest.raises(AdapterError, match="is a folder"):
        shared.copy_from(disks.engine(), VOLUME, copying())
    assert shared.size_bytes(VOLUME) is None

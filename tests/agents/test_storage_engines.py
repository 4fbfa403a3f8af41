"""One suite over all storage engines, fake and real: what services rely on, each of them keeps."""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from agents.node.adapters import pools
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.interfaces import BaseImage, Disks, ImageFormat
from agents.node.adapters.pools import Pools
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.adapters.storage.keys import VolumeKeys
from agents.node.adapters.storage.places import OWN_FOLDER, Place, RbdSource
from agents.node.errors import AdapterError
from tests.agents.specs import MIB

VOLUME = UUID("01980000-0000-7000-8000-0000000000d1")
KEY = b"a key of some bytes"
RBD = RbdSource("volumes", str(VOLUME), ("10.0.0.1:3300",), f"v-{VOLUME}.0198000000a0")
PLACES = {"local": OWN_FOLDER, "folder": Place("shared"), "rbd": Place("fast", RBD)}
IMAGE = "ab" * 32


@dataclass(frozen=True)
class Storage:
    disks: Disks
    keys: VolumeKeys


@pytest.fixture
def memory() -> Iterator[Path]:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(params=["fake", "real"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, memory: Path) -> Storage:
    pool = tmp_path / "pool"
    pool.mkdir()
    pools.make(pool)
    known, keys = Pools({"shared": pool}), VolumeKeys(memory / "volumes")
    if request.param == "fake":
        return Storage(FakeNode(pools=known).adapters().disks, keys)
    return Storage(FileDisks(tmp_path / "state", pools=known, owner="one", keys=keys), keys)


@pytest.fixture(params=PLACES)
def engine(request: pytest.FixtureRequest, storage: Storage) -> StorageEngine:
    return storage.disks.engine(PLACES[request.param], key=KEY)


def test_volume_is_made_grown_and_removed(engine: StorageEngine) -> None:
    assert engine.is_available()
    assert engine.size_bytes(VOLUME) is None
    engine.create(VOLUME, size_bytes=8 * MIB)
    assert engine.size_bytes(VOLUME) == 8 * MIB
    for _ in range(2):
        engine.grow(VOLUME, 16 * MIB)
        assert engine.size_bytes(VOLUME) == 16 * MIB
    assert engine.remove(VOLUME)
    assert not engine.remove(VOLUME)
    assert engine.size_bytes(VOLUME) is None


def test_released_volume_keeps_the_data_that_is_made_here(engine: StorageEngine) -> None:
    engine.create(VOLUME, size_bytes=8 * MIB)
    for _ in range(2):
        engine.release(VOLUME)
    assert engine.size_bytes(VOLUME) == (8 * MIB if engine.capabilities.is_made_here else None)


def test_disk_of_a_guest_is_found_by_its_source(engine: StorageEngine) -> None:
    disk = engine.disk(VOLUME, is_read_only=True)
    assert (disk.volume_id, disk.is_read_only, disk.image) == (VOLUME, True, None)
    assert (disk.path is None) == (disk.rbd is not None)
    assert str(VOLUME) in disk.source.rpartition("/")[2]


def test_only_a_clone_needs_its_image(engine: StorageEngine) -> None:
    disk = engine.disk(VOLUME, base=BaseImage(IMAGE, ImageFormat.RAW))
    image = (disk.image.name, disk.image_format) if disk.image is not None else None
    assert image == ((IMAGE, ImageFormat.RAW) if engine.capabilities.has_clones else None)


def test_place_that_this_node_does_not_have_is_an_error(storage: Storage) -> None:
    engine = storage.disks.engine(Place("other"))
    assert not engine.is_available()
    asked: list[Callable[[], object]] = [lambda: engine.size_bytes(VOLUME), lambda: engine.disk(VOLUME)]
    for ask in asked:
        with pytest.raises(AdapterError, match="no pool 'other'"):
            ask()


# ---- keys


def test_key_is_for_root_alone_and_replaced_by_a_newer_one(memory: Path) -> None:
    keys = VolumeKeys(memory / "run/volumes")
    assert keys.key(VOLUME) is None
    for key in (b"old", KEY):
        keys.keep(VOLUME, key, 8 * MIB)
        assert keys.key(VOLUME) == key
    folder = memory / "run/volumes"
    assert [path.name for path in folder.iterdir()] == [str(VOLUME)]
    assert (folder.stat().st_mode & 0o777, (folder / str(VOLUME)).stat().st_mode & 0o777) == (0o700, 0o600)
    assert keys.drop(VOLUME)
    assert not keys.drop(VOLUME)


def test_no_key_is_kept_where_a_boot_would_leave_it() -> None:
    folder = Path(__file__).parents[2] / "var/no-tmpfs"
    with pytest.raises(AdapterError, match="is not on a tmpfs") as caught:
        VolumeKeys(folder).keep(VOLUME, KEY, 8 * MIB)
    assert not caught.value.retryable
    assert not folder.exists()


def test_raw_image_with_the_header_of_another_format_is_no_volume_of_a_folder(tmp_path: Path) -> None:
    disks = FileDisks(tmp_path)
    disks.engine().create(VOLUME, size_bytes=8 * MIB)
    file = Path(disks.engine().disk(VOLUME).source)
    report = json.loads(
        subprocess.run(["qemu-img", "info", "--output=json", file], check=True, capture_output=True).stdout
    )
    assert report["format"] == "qcow2"
    file.write_bytes(b"\0" * 512)
    with pytest.raises(AdapterError, match="is not a qcow2 file"):
        disks.engine().size_bytes(VOLUME)

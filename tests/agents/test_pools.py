"""Pools: two nodes over one real folder, which is what they share."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from agents.lab.shell import wait_until
from agents.node import make_pool
from agents.node.adapters import pools
from agents.node.adapters.fake import FakeNode
from agents.node.adapters.interfaces import BaseImage, ImageFormat, Power
from agents.node.adapters.pools import Pools
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.places import Place
from agents.node.errors import AdapterError
from agents.node.specs import Subject, VolumeSpec
from agents.node.state_store import MIGRATIONS, StateStore
from agents.protocol import agent_pb2 as pb
from tests.agents import specs
from tests.agents.conftest import AgentUnderTest, image_stream, refusal
from tests.agents.specs import MIB
from tests.limits import PATIENCE_S
from tests.pki import Issued, TestCA

OTHER_ID = UUID("01980000-0000-7000-8000-00000000a002")
NAME = "shared"
POOL = Place(NAME)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pool"
    path.mkdir()
    pools.make(path)
    return path


@pytest.fixture
def here(folder: Path, agent: AgentUnderTest) -> AgentUnderTest:
    agent.fake.pools = Pools({NAME: folder})
    return agent


@pytest.fixture
def there(tmp_path: Path, folder: Path, ca: TestCA, worker: Issued, here: AgentUnderTest) -> Iterator[AgentUnderTest]:
    fake = FakeNode(pools=Pools({NAME: folder}))
    other = AgentUnderTest(tmp_path / "there", fake, ca, worker, here.authority, node_id=OTHER_ID)
    other.enrol()
    other.start()
    other.learn()
    yield other
    other.stop()


def a_volume(volume_id: str | None = None, *, generation: int = 1, size_mib: int = 64) -> pb.EnsureVolumeRequest:
    """A new one, or one that is there."""
    request = specs.volume(volume_id, generation=generation, size_mib=size_mib)
    request.pool, request.is_taken_over = NAME, volume_id is not None
    return request


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / pools.VOLUMES).iterdir())


# ---- what a pool is


def test_node_reports_pools_by_their_marker(here: AgentUnderTest, folder: Path) -> None:
    (pool,) = here.stub.Describe(pb.DescribeRequest()).inventory.pools
    assert (pool.name, pool.uuid, pool.path) == (NAME, str(pools.read(folder)), str(folder))
    assert pool.size_gib > 0


def test_an_empty_mount_point_is_no_pool(tmp_path: Path) -> None:
    known = Pools({NAME: tmp_path})
    assert known.current() == ()
    with pytest.raises(AdapterError, match="not mounted") as caught:
        known.mounted(NAME)
    assert caught.value.retryable
    with pytest.raises(AdapterError, match="has no pool 'other'"):
        known.mounted("other")


def test_pool_is_created_once(folder: Path) -> None:
    assert pools.make(folder) == pools.read(folder)
    assert sorted(path.name for path in folder.iterdir()) == [pools.MARKER, pools.VOLUMES]


def test_only_a_mount_point_becomes_a_pool(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="is no mount point"):
        make_pool.main([str(tmp_path)])


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"uuid": "x"})])
def test_empty_marker_is_no_pool(tmp_path: Path, content: str) -> None:
    (tmp_path / pools.MARKER).write_text(content)
    with pytest.raises(ValueError):
        pools.read(tmp_path)


@pytest.mark.parametrize("paths", [{"Upper": Path("/x")}, {"a" * 41: Path("/x")}, {"x": Path("relative")}])
def test_invalid_pool_name_is_refused(paths: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="names no pool"):
        Pools(paths)


# ---- volumes in it


def test_a_volume_that_one_node_has_made_is_taken_over_by_another(
    here: AgentUnderTest, there: AgentUnderTest, folder: Path
) -> None:
    created = a_volume()
    here.stub.EnsureVolume(created)
    state = there.stub.EnsureVolume(a_volume(created.subject.id, generation=2))
    assert (state.size_bytes, state.pool) == (64 * MIB, NAME)
    assert there.fake.call_counts["create_volume"] == 0, "it was there"
    assert files(folder) == [f"{created.subject.id}.qcow2"]
    assert there.stub.EnsureVolume(a_volume(created.subject.id, generation=3, size_mib=96)).size_bytes == 96 * MIB
    smaller = a_volume(created.subject.id, generation=2)
    assert refusal(lambda: here.stub.EnsureVolume(smaller)).code == "agent.volume_would_shrink"


def test_image_of_an_existing_volume_is_not_requested(here: AgentUnderTest, there: AgentUnderTest) -> None:
    content = b"x" * 1024
    header = specs.image_header(content)
    here.fake.images[header.sha256] = 1024
    created = a_volume()
    created.image_sha256 = header.sha256
    assert refusal(lambda: here.stub.EnsureVolume(created)).code == "agent.not_found", "the agent knows of no image"
    here.stub.EnsureImage(image_stream(header, content))
    here.stub.EnsureVolume(created)
    assert here.stub.RemoveImage(pb.RemoveImageRequest(sha256=header.sha256)).was_present, "the copy is whole"
    assert there.stub.EnsureVolume(a_volume(created.subject.id, generation=2)).size_bytes == 64 * MIB
    assert here.stub.EnsureVolume(a_volume(created.subject.id, generation=2, size_mib=96)).size_bytes == 96 * MIB


def test_missing_volume_is_not_taken_over_as_an_empty_one(there: AgentUnderTest, folder: Path) -> None:
    """An empty disk in its place would look to the guest as if its data had been erased."""
    error = refusal(lambda: there.stub.EnsureVolume(a_volume(specs.new_id())))
    assert "is missing from pool 'shared'" in error.message
    assert (error.is_retryable, files(folder)) == (False, [])
    local = specs.volume()
    local.is_taken_over = True
    assert refusal(lambda: there.stub.EnsureVolume(local)).code == "agent.bad_request"


def test_forgotten_volume_keeps_its_file(here: AgentUnderTest, there: AgentUnderTest, folder: Path) -> None:
    created = a_volume()
    here.stub.EnsureVolume(created)
    there.stub.EnsureVolume(a_volume(created.subject.id, generation=2))
    assert here.stub.ForgetVolume(specs.removal(created.subject)).was_present
    assert not here.stub.ForgetVolume(specs.removal(created.subject)).was_present
    assert not here.stub.Describe(pb.DescribeRequest()).volumes
    assert files(folder) == [f"{created.subject.id}.qcow2"]
    assert refusal(lambda: here.stub.EnsureVolume(created)).code == "agent.permit.stale_generation"
    assert here.stub.EnsureVolume(a_volume(created.subject.id, generation=3)).size_bytes == 64 * MIB, "it may come back"


def test_local_volume_is_not_forgotten(here: AgentUnderTest) -> None:
    local = specs.volume()
    here.stub.EnsureVolume(local)
    assert "it would be lost" in refusal(lambda: here.stub.ForgetVolume(specs.removal(local.subject))).message
    assert here.stub.RemoveVolume(specs.removal(local.subject)).was_present


def test_volume_in_use_by_a_guest_is_not_forgotten(here: AgentUnderTest, folder: Path) -> None:
    root = a_volume()
    here.stub.EnsureVolume(root)
    guest = specs.instance(root)
    here.stub.EnsureInstance(guest)
    (disk,) = here.fake.guests[UUID(guest.subject.id)].spec.disks
    assert disk.path == folder / pools.VOLUMES / f"{root.subject.id}.qcow2"
    assert refusal(lambda: here.stub.ForgetVolume(specs.removal(root.subject))).code == "agent.volume_in_use"


def test_any_node_deletes_a_volume_once(here: AgentUnderTest, there: AgentUnderTest, folder: Path) -> None:
    created = a_volume()
    here.stub.EnsureVolume(created)
    removal = specs.removal(created.subject)
    removal.pool = NAME
    assert there.stub.RemoveVolume(removal).was_present, "it never had it open"
    assert files(folder) == []
    assert not here.stub.RemoveVolume(removal).was_present


def test_a_volume_does_not_change_between_pool_and_node(here: AgentUnderTest) -> None:
    created = a_volume()
    here.stub.EnsureVolume(created)
    elsewhere = specs.volume(created.subject.id, generation=2)
    assert "stays in the pool" in refusal(lambda: here.stub.EnsureVolume(elsewhere)).message


def test_volume_survives_an_unmounted_pool(here: AgentUnderTest, folder: Path) -> None:
    created = a_volume()
    here.stub.EnsureVolume(created)
    (folder / pools.MARKER).rename(folder / "away")
    error = refusal(lambda: here.stub.EnsureVolume(created))
    assert ("not mounted" in error.message, error.is_retryable) == (True, True)
    (folder / "away").rename(folder / pools.MARKER)
    assert here.stub.EnsureVolume(created).size_bytes == 64 * MIB


def test_a_guest_moves_without_its_disk(here: AgentUnderTest, there: AgentUnderTest, folder: Path) -> None:
    """The destination opens what the source has open, and the source forgets it."""
    root = a_volume()
    here.stub.EnsureVolume(root)
    guest = specs.instance(root)
    here.stub.EnsureInstance(guest)
    there.stub.EnsureVolume(a_volume(root.subject.id, generation=2))
    arrival = pb.EnsureArrivalRequest(instance=guest, source=_peer(here))
    arrival.instance.subject.generation = 2
    uri = there.stub.EnsureArrival(arrival).uri
    departure = pb.EnsureDepartureRequest(
        subject=guest.subject, destination=_peer(there), uri=uri, deadline_s=PATIENCE_S
    )
    here.stub.EnsureDeparture(departure)
    _until_completed(here, departure)
    arrived = specs.next_generation(guest)
    there.stub.EnsureInstance(arrived)
    here.stub.RemoveInstance(specs.removal(guest.subject))
    assert here.stub.ForgetVolume(specs.removal(root.subject)).was_present
    assert there.fake.guests[UUID(guest.subject.id)].power is Power.RUNNING
    assert here.fake.is_clean()
    assert files(folder) == [f"{root.subject.id}.qcow2"]
    assert there.fake.call_counts["create_volume"] == 0


def _peer(agent: AgentUnderTest) -> pb.Peer:
    return pb.Peer(node_id=str(agent.node_id), certificate_sha256="aa" * 32)


def _until_completed(agent: AgentUnderTest, departure: pb.EnsureDepartureRequest) -> None:
    wait_until(lambda: agent.stub.EnsureDeparture(departure).phase == pb.MOVE_PHASE_COMPLETED, what="the move to end")


# ---- files


@pytest.fixture
def disks(tmp_path: Path, folder: Path) -> FileDisks:
    return FileDisks(tmp_path / "state", pools=Pools({NAME: folder}), owner="one")


def test_clone_in_a_pool_needs_no_local_file(disks: FileDisks, tmp_path: Path, folder: Path) -> None:
    image = tmp_path / "state/images/tiny"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "4M"], check=True)
    volume_id = UUID(specs.new_id())
    disks.engine(POOL).create(volume_id, size_bytes=8 * MIB, base=BaseImage("tiny", ImageFormat.QCOW2))
    command = ["qemu-img", "info", "--output=json", disks.engine(POOL).disk(volume_id).source]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert (report["virtual-size"], report.get("backing-filename")) == (8 * MIB, None)
    assert disks.engine(POOL).size_bytes(volume_id) == 8 * MIB
    disks.engine(POOL).grow(volume_id, 16 * MIB)
    assert disks.engine(POOL).size_bytes(volume_id) == 16 * MIB
    assert disks.engine(POOL).remove(volume_id)
    assert files(folder) == []


def test_volume_created_by_another_node_is_kept(disks: FileDisks, tmp_path: Path, folder: Path) -> None:
    volume_id = UUID(specs.new_id())
    other = FileDisks(tmp_path / "other", pools=Pools({NAME: folder}), owner="two")
    other.engine(POOL).create(volume_id, size_bytes=16 * MIB)
    disks.engine(POOL).create(volume_id, size_bytes=8 * MIB)
    assert disks.engine(POOL).size_bytes(volume_id) == 16 * MIB


def test_start_removes_only_own_unfinished_files(disks: FileDisks, folder: Path) -> None:
    for owner in ("one", "two"):
        (folder / pools.VOLUMES / f".unfinished-{owner}-x.qcow2").touch()
    disks.restore()
    assert files(folder) == [".unfinished-two-x.qcow2"]


# ---- what was written before there were pools


def test_volumes_without_a_pool_are_in_the_node_folder(tmp_path: Path) -> None:
    path, volume_id = tmp_path / "ledger.sqlite", UUID(specs.new_id())
    past = next(number for number, step in enumerate(MIGRATIONS) if "Volumes may be in a pool" in step)
    old = '{"image_sha256":"","size_bytes":512}'
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for step in MIGRATIONS[:past]:
            database.executescript(step)
        database.execute("INSERT INTO resource VALUES ('volume', ?, 1, 'present', ?)", (str(volume_id), old))
        database.execute(f"PRAGMA user_version = {past}")
    ledger = StateStore(path)
    before = ledger.volumes.accept(Subject(volume_id, 1), VolumeSpec(512, ""), uses=())
    assert before is not None
    assert before.spec == VolumeSpec(512, "", pool="")
    ledger.close()

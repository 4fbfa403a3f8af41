"""A volume that moves from one pool of a real cluster to another: the storage agent's keys, and the node's copy."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.node.adapters.qemu_img import FileDisks
from agents.node.adapters.storage.copying import Copying
from agents.node.adapters.storage.engine import StorageEngine
from agents.node.adapters.storage.keys import VolumeKeys, decoded
from agents.node.adapters.storage.places import Place, RbdSource
from agents.node.errors import AdapterError
from agents.protocol import storage_pb2 as pb
from agents.storage.key_names import key_ends
from tests.agents.specs import MIB
from tests.agents.storage.contents import digest, filled, image, write
from tests.agents.storage.running import DESTINATION, SIZE, SOURCE, StorageAgent, as_node

BULK = "bulk"
FENCED = "ConnectionShutdown"


@pytest.fixture(scope="module")
def agent(ceph: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageAgent]:
    """A storage agent of two pools of the shared cluster."""
    ceph.command("osd pool create", pool=BULK, pg_num=8)
    ceph.command("osd pool application enable", pool=BULK, app="rbd")
    storage = StorageAgent(tmp_path_factory.mktemp("moves") / "agent", ceph, more_pools=(BULK,))
    with storage.serving():
        storage.learn(SOURCE, DESTINATION)
        yield storage


@pytest.fixture
def keys() -> Iterator[VolumeKeys]:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield VolumeKeys(Path(folder) / "volumes")


@pytest.fixture
def disks(tmp_path: Path, keys: VolumeKeys) -> FileDisks:
    return FileDisks(tmp_path / "node", owner="one", keys=keys)


def opened_to_move(agent: StorageAgent, volume: str, pool: str, node: str = SOURCE) -> pb.VolumeKey:
    """Open the volume in the pool for its move; in the destination it is made first."""
    permit = agent.permit(volume, op="volume.move", node=node)
    agent.ensure(volume, pool=pool, permit=permit, is_taken_over=pool == POOL)
    return agent.open(volume, permit=permit, pool=pool)


def engine(disks: FileDisks, key: pb.VolumeKey, *, is_copy: bool = False) -> StorageEngine:
    """Return the place on the node, which has its key."""
    source = RbdSource(key.pool, key.image, tuple(key.monitors), key.client)
    made = disks.engine(Place(key.pool, source), key=decoded(key.key), is_copy=is_copy)
    made.create(UUID(key.image), size_bytes=SIZE)
    return made


def terms() -> Copying:
    return Copying(SIZE, None, 0, lambda percent: None, lambda: False)


def copied(disks: FileDisks, source: pb.VolumeKey, target: pb.VolumeKey) -> None:
    """Copy the volume on the node, and let the copy be the volume there."""
    volume_id, from_there = UUID(source.image), engine(disks, source)
    to_there = engine(disks, target, is_copy=True)
    to_there.copy_from(from_there, volume_id, terms())
    to_there.replace(from_there, volume_id)


def exists(ceph: CephCluster, volume: str, pool: str) -> bool:
    import rbd

    with ceph.client() as client, client.open_ioctx(pool) as ioctx:
        return volume in rbd.RBD().list(ioctx)


def names(agent: StorageAgent, volume: str) -> set[str]:
    """Return the names of all keys of the volume."""
    return {each for each in agent.entities() if volume in each}


def test_volume_is_the_same_in_its_new_pool_and_nothing_is_left(
    agent: StorageAgent, ceph: CephCluster, disks: FileDisks, keys: VolumeKeys
) -> None:
    """Under one id in both pools; what was in the destination before is overwritten, as after an interruption."""
    volume = filled(agent, ceph)
    before, volume_id = digest(ceph, volume), UUID(volume)
    source, target = (opened_to_move(agent, volume, pool) for pool in (POOL, BULK))
    assert source.client != target.client
    with image(ceph, volume, pool=BULK) as there:
        there.write(b"z" * MIB, MIB)
    from_there, to_there = engine(disks, source), engine(disks, target, is_copy=True)
    for _ in range(2):
        to_there.copy_from(from_there, volume_id, terms())
    assert digest(ceph, volume, pool=BULK) == digest(ceph, volume) == before
    to_there.replace(from_there, volume_id)
    assert keys.key(volume_id) == decoded(target.key)
    assert agent.close(volume, is_dead=True).was_open
    assert agent.remove(volume)
    assert (exists(ceph, volume, POOL), exists(ceph, volume, BULK)) == (False, True)
    assert names(agent, volume) == {f"client.{target.client}"}
    assert digest_as_node(ceph, target) == before


def test_volume_comes_back_with_what_was_written_meanwhile(
    agent: StorageAgent, ceph: CephCluster, disks: FileDisks
) -> None:
    """Its former image waits in the trash of the pool, under the same name."""
    volume = filled(agent, ceph)
    places = {pool: opened_to_move(agent, volume, pool) for pool in (POOL, BULK)}
    copied(disks, places[POOL], places[BULK])
    agent.close(volume, is_dead=True)
    assert agent.remove(volume)
    agent.close(volume, is_dead=True, pool=BULK)
    key = agent.open(volume, pool=BULK)
    assert key.client == f"v-{volume}.{key_ends(SOURCE, pool_id=1).of_node}", "as always, once it is opened anew"
    write_as_node(ceph, key, b"n")
    written = digest(ceph, volume, pool=BULK)

    agent.close(volume, is_dead=True, pool=BULK)
    permit = agent.permit(volume, op="volume.move")
    back = agent.open(volume, permit=permit, pool=BULK)
    agent.ensure(volume, permit=permit)
    home = agent.open(volume, permit=permit)
    copied(disks, back, home)
    agent.close(volume, is_dead=True, pool=BULK)
    assert agent.remove(volume, pool=BULK)
    assert (digest(ceph, volume), exists(ceph, volume, BULK)) == (written, False)
    assert names(agent, volume) == {f"client.{home.client}"}


def test_key_of_one_pool_opens_nothing_in_the_other(agent: StorageAgent, ceph: CephCluster) -> None:
    import rbd

    volume = filled(agent, ceph)
    source, target = (opened_to_move(agent, volume, pool) for pool in (POOL, BULK))
    for key, pool in ((source, BULK), (target, POOL)):
        with as_node(ceph, key, pool) as (_, ioctx), pytest.raises(rbd.PermissionError):
            rbd.Image(ioctx, volume)


@pytest.mark.parametrize(("closed", "left"), [(POOL, BULK), (BULK, POOL)])
def test_closing_in_one_pool_leaves_the_key_and_the_client_of_the_other(
    agent: StorageAgent, writing: Callable[..., Any], closed: str, left: str
) -> None:
    """Also where the volume was opened before the move, with the name of the node, and where nothing is open."""
    volume = agent.made()
    agent.open(volume)
    opened = {pool: opened_to_move(agent, volume, pool) for pool in (POOL, BULK)}
    writers = {pool: writing(key) for pool, key in opened.items()}
    for was_open in (True, False):
        assert agent.close(volume, is_dead=True, pool=closed).was_open is was_open
        assert writers[left].write() == "written"
        assert names(agent, volume) == {f"client.{opened[left].client}"}
    assert writers[closed].write() == FENCED


@pytest.mark.parametrize(("removed", "left"), [(POOL, BULK), (BULK, POOL)])
def test_removal_in_one_pool_leaves_volume_and_key_of_the_other(
    agent: StorageAgent, ceph: CephCluster, removed: str, left: str
) -> None:
    volume = filled(agent, ceph)
    opened = {pool: opened_to_move(agent, volume, pool) for pool in (POOL, BULK)}
    opened_to_move(agent, volume, removed, DESTINATION)
    assert agent.remove(volume, pool=removed)
    assert (exists(ceph, volume, removed), exists(ceph, volume, left)) == (False, True)
    assert names(agent, volume) == {f"client.{opened[left].client}"}


def test_close_in_a_pool_without_the_volume_leaves_the_key_that_a_guest_has(
    agent: StorageAgent, writing: Callable[..., Any]
) -> None:
    """The undo of a move that never opened its destination does so."""
    volume = agent.made()
    writer = writing(agent.open(volume))
    assert agent.close(volume, is_dead=True, pool=BULK) == pb.Closed()
    assert not agent.remove(volume, pool=BULK)
    assert writer.write() == "written"
    assert len(names(agent, volume)) == 1


def test_copy_that_is_fenced_at_its_destination_fails_and_leaves_the_source(
    agent: StorageAgent, ceph: CephCluster, disks: FileDisks
) -> None:
    """The node may copy on while the control plane, which lost it, undoes the move."""
    volume = filled(agent, ceph)
    before = digest(ceph, volume)
    source, target = (opened_to_move(agent, volume, pool) for pool in (POOL, BULK))
    places = engine(disks, source), engine(disks, target, is_copy=True)
    agent.close(volume, is_dead=True, pool=BULK)
    with pytest.raises(AdapterError):
        places[1].copy_from(places[0], UUID(volume), terms())
    assert agent.remove(volume, pool=BULK)
    assert digest(ceph, volume) == before
    write(ceph, volume, b"3")


def test_names_of_keys_are_those_that_nodes_accept() -> None:
    ends = [key_ends(node, pool_id=pool) for node in (SOURCE, DESTINATION) for pool in (1, 2)]
    assert len({each.of_pool for each in ends} | {each.of_node for each in ends}) == 6
    assert all(len(end) == 12 and int(end, 16) >= 0 for each in ends for end in (each.of_node, each.of_pool))
    assert all(each.of_node in each and each.of_pool in each for each in ends)
    assert ends[1].of_pool not in ends[0]


def write_as_node(ceph: CephCluster, key: pb.VolumeKey, byte: bytes) -> None:
    import rbd

    with as_node(ceph, key, key.pool) as (_, ioctx), rbd.Image(ioctx, key.image) as opened:
        opened.write(byte * 4096, 0)


def digest_as_node(ceph: CephCluster, key: pb.VolumeKey) -> str:
    import rbd

    with as_node(ceph, key, key.pool) as (_, ioctx), rbd.Image(ioctx, key.image, read_only=True) as opened:
        return hashlib.sha256(opened.read(0, opened.size())).hexdigest()

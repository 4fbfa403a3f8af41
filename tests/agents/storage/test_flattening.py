"""Clones of removed volumes are flattened, and no guest notices."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.node.locks import ResourceLocks
from agents.protocol import storage_pb2 as pb
from agents.storage.errors import ClusterFailed
from agents.storage.flattening import Flattening
from agents.storage.workers import Access, Workers
from tests.agents.announcer.waiting import wait_until
from tests.agents.specs import MIB, new_id
from tests.agents.storage.conftest import Writer
from tests.agents.storage.contents import await_flattening, damaged, digest, filled, image, is_clone, write
from tests.agents.storage.running import StorageAgent, as_node, as_worker
from tests.agents.storage.test_openings import locks
from tests.agents.storage.test_volumes import trash

DAY_S = 24 * 3600


@pytest.fixture(scope="session", autouse=True)
def foreign_pool(ceph: CephCluster) -> str:
    """A pool for RBD that the agent may not read, as others of a cluster."""
    ceph.command("osd pool create", pool="foreign", pg_num=8)
    ceph.command("osd pool application enable", pool="foreign", app="rbd")
    return "foreign"


def chain(storage: StorageAgent, ceph: CephCluster, length: int) -> list[str]:
    """Return volumes each of which is a clone of the one before, and has something of its own."""
    volumes = [filled(storage, ceph)]
    for number in range(1, length):
        volumes.append(storage.clone(storage.snapshot(volumes[-1])))
        write(ceph, volumes[-1], bytes([64 + number]))
    return volumes


def remove_in_order(storage: StorageAgent, ceph: CephCluster, volumes: list[str]) -> None:
    for volume in volumes:
        assert storage.remove(volume)
    for volume in volumes:
        wait_until(lambda volume=volume: volume not in trash(ceph), "the volume's data to be deleted")  # type: ignore[misc]


@pytest.mark.parametrize("order", ["parent first", "clone first"])
def test_volumes_go_in_any_order(storage: StorageAgent, ceph: CephCluster, order: str) -> None:
    volumes = chain(storage, ceph, 3)
    remove_in_order(storage, ceph, volumes if order == "parent first" else volumes[::-1])


def test_clone_of_a_removed_volume_stays_whole(storage: StorageAgent, ceph: CephCluster) -> None:
    first, middle, last = chain(storage, ceph, 3)
    snapshot = storage.snapshot(last)
    before = digest(ceph, last)
    assert storage.remove(middle)
    assert storage.remove(first)
    wait_until(lambda: not {first, middle} & trash(ceph), "the deleted volumes' data to be gone")
    assert not is_clone(ceph, last)
    assert digest(ceph, last) == digest(ceph, last, snapshot.snapshot_id) == before


def test_snapshot_with_a_clone_is_removed_and_the_clone_is_not(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = filled(storage, ceph)
    snapshot = storage.snapshot(volume)
    clone = storage.clone(snapshot)
    before = digest(ceph, clone)
    assert storage.drop(snapshot)
    assert storage.snapshots(volume) == []
    storage.remove(volume)
    wait_until(lambda: volume not in trash(ceph), "the source to be deleted")
    assert digest(ceph, clone) == before


def test_open_clone_is_left_alone(storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Writer]) -> None:
    """Also its parents are: it would read zeros after one of them was flattened and the next deleted."""
    first, middle, last = chain(storage, ceph, 3)
    writer = writing(storage.open(last))
    before = digest(ceph, last)
    assert storage.remove(first)
    await_flattening(storage, ceph)
    assert (is_clone(ceph, middle), is_clone(ceph, last), first in trash(ceph)) == (True, True, True)
    assert (writer.write(), digest(ceph, last)) == ("written", before)
    storage.close(last)
    wait_until(lambda: first not in trash(ceph), "the parent to go when nobody has its clones open")
    assert (is_clone(ceph, middle), is_clone(ceph, last), digest(ceph, last)) == (False, False, before)


def test_clone_of_which_a_node_has_a_key_is_left_alone(storage: StorageAgent, ceph: CephCluster) -> None:
    """The node can open it at any time, as that of a stopped instance."""
    first, last = chain(storage, ceph, 2)
    key = storage.open(last)
    assert storage.remove(first)
    await_flattening(storage, ceph)
    assert is_clone(ceph, last)
    assert storage.open(last) == key
    storage.close(last)
    wait_until(lambda: first not in trash(ceph), "the parent to go")


def test_long_chain_is_cut(storage: StorageAgent, ceph: CephCluster) -> None:
    volumes = chain(storage, ceph, 6)
    before = [digest(ceph, volume) for volume in volumes]
    wait_until(lambda: not is_clone(ceph, volumes[5]), "the clone with five parents to be flattened")
    await_flattening(storage, ceph)
    assert all(is_clone(ceph, volume) for volume in volumes[1:5]), "four are not too many"
    assert [digest(ceph, volume) for volume in volumes] == before


def test_snapshots_of_a_removed_volume_go(storage: StorageAgent, ceph: CephCluster) -> None:
    """Also those that its node made."""
    volume = filled(storage, ceph)
    storage.snapshot(volume)
    with image(ceph, volume) as opened:
        for name in ("foreign", new_id()):
            opened.create_snap(name)
            opened.protect_snap(name)
    assert storage.remove(volume)
    wait_until(lambda: volume not in trash(ceph), "the volume to be deleted")


def test_trash_entry_with_a_later_deferment_is_kept(storage: StorageAgent, ceph: CephCluster) -> None:
    import rbd

    from agents.storage.worker import description
    from agents.storage.worker import trash as worker_trash

    volume = filled(storage, ceph)
    storage.snapshot(volume)
    with ceph.client() as client, client.open_ioctx(POOL) as ioctx:
        with rbd.Image(ioctx, volume, read_only=True) as opened:
            image_id, (number,) = opened.id(), [each["id"] for each in opened.list_snaps()]
        rbd.RBD().trash_move(ioctx, volume, 3600)
        emptied = filled(storage, ceph)
        storage.remove(emptied)
        wait_until(lambda: emptied not in trash(ceph), "the trash to be emptied")
        with as_worker(storage.config.access) as cluster:
            names = [image_id, f"{image_id}@{number}", f"{image_id}@{number + 1}", "0123456789ab"]
            assert worker_trash.erased(cluster, pool=POOL, names=names) == names[2:]
            assert description.trash_state(cluster, POOL)["trash_count"] == len(trash(ceph)) > 0
        (described,) = storage.stub().Describe(pb.DescribeRequest()).pools
        assert described.trash_count > 0 and 0 <= time.time() - described.trash_since_s < DAY_S, "it is Unix time"
        rbd.RBD().trash_restore(ioctx, image_id, volume)
    assert len(storage.snapshots(volume)) == 1


def record(ceph: CephCluster, volume: str, *, pool: str = POOL, **intent: Any) -> None:
    """Write the record of a process of the agent that was killed."""
    import rados

    with ceph.client() as client, client.open_ioctx(pool) as ioctx, rados.WriteOpCtx() as operation:
        ioctx.set_namespace("andromede")
        ioctx.set_omap(operation, (volume,), (json.dumps(intent).encode(),))
        ioctx.operate_write_op(operation, "intents")


def test_lock_of_a_killed_process_is_broken_before_an_opening(
    storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Writer]
) -> None:
    """Also if the node has its key already: it could not break the lock."""
    volume = storage.made()
    key = storage.open(volume)
    killed = writing(key)
    (address,) = storage.ensure(volume).watchers
    killed.process.kill()
    storage.open(volume)
    assert len(locks(ceph, volume)) == 1, "nothing is known of it"
    record(ceph, volume, address=address, detaching=[])
    assert storage.open(volume) == key
    assert locks(ceph, volume) == []
    assert writing(key).write() == "written"


def test_flattening_that_was_killed_at_its_end_is_finished(storage: StorageAgent, ceph: CephCluster) -> None:
    """The parent does not know its clone any more then, and must wait all the same."""
    source = filled(storage, ceph)
    snapshot = storage.snapshot(source)
    clone = storage.clone(snapshot)
    before = digest(ceph, clone)
    with image(ceph, source, read_only=True) as opened:
        source_id, number = opened.id(), opened.snap_get_id(snapshot.snapshot_id)
    record(ceph, clone, address="127.0.0.1:0/1", detaching=[source_id])
    detach(ceph, clone, source_id, number)
    assert storage.remove(source)
    await_flattening(storage, ceph)
    assert source in trash(ceph), "its clone needs it"
    storage.open(clone)
    assert (is_clone(ceph, clone), digest(ceph, clone)) == (False, before)
    wait_until(lambda: source not in trash(ceph), "the source to be deleted")
    assert digest(ceph, clone) == before


def detach(ceph: CephCluster, clone: str, parent_id: str, snapshot: int, *, pool: str = POOL) -> None:
    """Make the parent forget its clone, as librbd does before it makes the clone forget its parent."""
    with image(ceph, clone, pool=pool, read_only=True) as opened:
        clone_id = opened.id().encode()
    with ceph.client() as client, client.open_ioctx(pool) as ioctx:
        entry = child(ioctx.get_pool_id(), clone_id)
        ioctx.execute(f"rbd_header.{parent_id}", "rbd", "child_detach", snapshot.to_bytes(8, "little") + entry)


def child(pool_id: int, image_id: bytes) -> bytes:
    """Return an entry of a parent's list of its clones."""
    body = pool_id.to_bytes(8, "little") + len(image_id).to_bytes(4, "little") + image_id + bytes(4)
    return bytes([2, 1]) + len(body).to_bytes(4, "little") + body


def test_flattening_that_begins_during_a_round_of_the_trash_keeps_its_parent(
    ceph: CephCluster, foreign_pool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill it when the parent does not know its clone any more, in a pool whose trash no agent empties."""
    from agents.storage.worker import intents, parents, trash

    pool, clone = foreign_pool, new_id()
    source_id, number = trashed_parent(ceph, pool, clone)
    find = parents.has_real_clones

    def flatten_first(*arguments: Any) -> bool:
        record(ceph, clone, pool=pool, address="127.0.0.1:0/1", detaching=[source_id])
        detach(ceph, clone, source_id, number, pool=pool)
        return find(*arguments)

    with as_worker(Access(str(ceph.conf), "admin")) as cluster:
        assert trash.empty(cluster, pool=pool, pools=[pool]) == 1, "it has a clone"
        monkeypatch.setattr(parents, "has_real_clones", flatten_first)
        assert trash.empty(cluster, pool=pool, pools=[pool]) == 1, "its clone needs it"
        monkeypatch.undo()
        assert digest(ceph, clone, pool=pool) == hashlib.sha256(b"x" * MIB).hexdigest()
        with cluster.volumes(pool) as ioctx:
            intents.settle(cluster, ioctx, clone, pool=pool)
        assert not is_clone(ceph, clone, pool=pool)
        assert trash.empty(cluster, pool=pool, pools=[pool]) == 0


def trashed_parent(ceph: CephCluster, pool: str, clone: str) -> tuple[str, int]:
    """Make a volume, its clone, and move it to the trash; returns its internal id and the snapshot's number."""
    import rbd

    source = new_id()
    with ceph.client() as client, client.open_ioctx(pool) as ioctx:
        rbd.RBD().create(ioctx, source, MIB)
        with rbd.Image(ioctx, source) as opened:
            opened.write(b"x" * MIB, 0)
            opened.create_snap("one")
            found = opened.id(), opened.snap_get_id("one")
        rbd.RBD().clone(ioctx, source, "one", ioctx, clone, clone_format=2)
        rbd.RBD().trash_move(ioctx, source)
    return found


def test_clones_that_a_node_wrote_into_its_header_keep_no_deleted_volume(
    storage: StorageAgent, ceph: CephCluster
) -> None:
    """Neither one that is not there, nor another volume."""
    volume, other = filled(storage, ceph), storage.made()
    snapshot = storage.snapshot(volume).snapshot_id
    with image(ceph, other, read_only=True) as opened:
        other_id = opened.id().encode()
    with image(ceph, volume, read_only=True) as opened:
        header, number = f"rbd_header.{opened.id()}", opened.snap_get_id(snapshot)
    with as_node(ceph, storage.open(volume)) as (_, ioctx):
        here = ioctx.get_pool_id()
        for pool_id, image_id in (
            (here, b"deadbeef"),
            (here, other_id),
            (here, b"\xff\xfe"),
            (here, b"a" * 3000),
            (here, b""),
            (2**62, other_id),
        ):
            entry = child(pool_id, image_id)
            ioctx.execute(header, "rbd", "child_attach", number.to_bytes(8, "little") + entry)
    assert storage.remove(volume)
    wait_until(lambda: volume not in trash(ceph), "the volume to be deleted")


def test_volume_whose_node_damaged_its_header_keeps_no_other_in_the_trash(
    storage: StorageAgent, ceph: CephCluster
) -> None:
    """A round deletes the others, whichever comes first."""
    volume = filled(storage, ceph)
    clone = storage.clone(storage.snapshot(volume))
    key = storage.open(volume)
    with image(ceph, volume, read_only=True) as opened:
        (number,) = (each["id"] for each in opened.list_snaps())
    with damaged(ceph, key, f"snap_children_{number:016x}"):
        others = [storage.made() for _ in range(8)]
        for each in (volume, *others):
            assert storage.remove(each)
        wait_until(lambda: not {*others} & trash(ceph), "the others to be deleted")
        assert volume in trash(ceph)
    storage.remove(clone)
    wait_until(lambda: volume not in trash(ceph), "the volume to be deleted when its header is mended")


def test_all_flattenings_are_known(ceph: CephCluster, foreign_pool: str) -> None:
    """However many were killed."""
    from agents.storage.worker import intents, records

    volumes = [new_id() for _ in range(300)]
    with as_worker(Access(str(ceph.conf), "admin")) as cluster:
        for volume in volumes:
            records.write(cluster, foreign_pool, intents.RECORDS, volume, {"address": "", "detaching": [volume]})
        try:
            assert intents.detaching(cluster, [foreign_pool]) == {*volumes}
        finally:
            for volume in volumes:
                records.remove(cluster, foreign_pool, intents.RECORDS, volume)


def test_flattening_stops_for_a_call(storage: StorageAgent, ceph: CephCluster, foreign_pool: str) -> None:
    """The clone is as whole as before. In a pool that no agent serves, so that none flattens it meanwhile."""
    import rbd

    size, (source, clone) = 4096 * 4 * MIB, (new_id(), new_id())
    with ceph.client() as client, client.open_ioctx(foreign_pool) as ioctx:
        rbd.RBD().create(ioctx, source, size)
        with rbd.Image(ioctx, source) as opened:
            opened.write(b"x" * 512, size - 512)
            opened.create_snap("one")
        rbd.RBD().clone(ioctx, source, "one", ioctx, clone, clone_format=2)
        rbd.RBD().trash_move(ioctx, source)
    access = Access(str(ceph.conf), "admin")
    workers = Workers(access, count=1, limit_s=storage.limit_s)
    asked = {"volume": clone, "pool": foreign_pool, "pools": [foreign_pool]}
    try:
        with pytest.raises(ClusterFailed, match="has ended"):
            workers.call("flatten_clone", lambda: True, **asked)
        assert is_clone(ceph, clone, pool=foreign_pool)
        assert workers.call("flatten_clone", **asked) is False, "the ended process has it open"
    finally:
        workers.close()
    with image(ceph, clone, pool=foreign_pool, read_only=True) as opened:
        assert opened.read(size - 512, 512) == b"x" * 512


def test_flattening_stays_away_from_a_volume_that_is_called_for() -> None:
    """Calls for it may come at once, and it is flattened when the last of them has ended."""
    flattening = Flattening(Workers(Access("", ""), count=1, limit_s=1), ["p"], locks=ResourceLocks(), interval_s=1)
    volume, other = new_id(), new_id()
    with flattening.kept_from(volume, other):
        with flattening.kept_from(volume):
            assert flattening.is_wanted(volume)
        assert flattening.is_wanted(volume)
    assert not flattening.is_wanted(volume)
    assert not flattening.is_wanted(other)

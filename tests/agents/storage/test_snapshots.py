"""Snapshots, clones and reverts of a storage agent, on a real cluster."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import grpc
import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.protocol import storage_pb2 as pb
from agents.storage.errors import ClusterFailed
from tests.agents.announcer.waiting import wait_until
from tests.agents.conftest import refusal
from tests.agents.specs import new_id
from tests.agents.storage.conftest import Writer
from tests.agents.storage.contents import await_flattening, digest, filled, image, is_clone, write
from tests.agents.storage.running import DESTINATION, SIZE, SOURCE, StorageAgent, as_node, as_worker
from tests.agents.storage.test_volumes import ends
from tests.permits import now

SECOND = "second"


def test_snapshot_stays_as_it_was_while_a_guest_writes(
    storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Writer]
) -> None:
    volume, is_over = storage.made(), Event()
    writer = writing(storage.open(volume))

    def write_on() -> int:
        count = 0
        while not is_over.is_set():
            assert writer.write(f"{count}") == "written"
            count += 1
        return count

    with ThreadPoolExecutor() as threads:
        guest = threads.submit(write_on)
        try:
            taken = [storage.snapshot(volume) for _ in range(3)]
            first = [digest(ceph, volume, each.snapshot_id) for each in taken]
            wait_until(lambda: digest(ceph, volume) not in first, "the guest to write on")
            assert [digest(ceph, volume, each.snapshot_id) for each in taken] == first
        finally:
            is_over.set()
        assert guest.result() > 1
    assert writer.write() == "written"
    assert [(each.volume_id, each.size_bytes) for each in taken] == [(volume, SIZE)] * 3
    assert abs(taken[0].taken_at_ms / 1000 - now().timestamp()) < 3600, "the cluster's clock"


def test_snapshot_is_taken_once(storage: StorageAgent, ceph: CephCluster) -> None:
    volume, snapshot = filled(storage, ceph), new_id()
    first = storage.snapshot(volume, snapshot)
    before = digest(ceph, volume)
    write(ceph, volume, b"9")
    assert storage.snapshot(volume, snapshot) == first, "its answer was lost"
    assert digest(ceph, volume, snapshot) == before
    assert storage.drop(first) is True
    assert storage.drop(first) is False


def test_snapshot_of_another_volume_than_expected_is_refused(storage: StorageAgent) -> None:
    volume, snapshot = new_id(), new_id()
    error = refusal(lambda: storage.snapshot(volume))
    assert (error.code, error.status) == ("storage.volume_missing", grpc.StatusCode.NOT_FOUND)
    assert refusal(lambda: storage.snapshots(volume)).code == "storage.volume_missing"
    assert storage.drop(pb.SnapshotState(volume_id=volume, snapshot_id=snapshot)) is False
    storage.ensure(volume)
    error = refusal(lambda: storage.snapshot(volume, snapshot, 2 * SIZE))
    assert (error.code, error.status) == ("storage.size_differs", grpc.StatusCode.FAILED_PRECONDITION)
    assert storage.snapshots(volume) == []
    storage.snapshot(volume, snapshot)
    assert refusal(lambda: storage.snapshot(volume, snapshot, 2 * SIZE)).code == "storage.size_differs"


def test_removal_that_the_guest_only_claims_fails(
    storage: StorageAgent, ceph: CephCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """librbd hands it over to the QEMU that has the lock, and believes its answer."""
    from agents.storage.worker import snapshots

    volume = storage.made()
    taken = storage.snapshot(volume)

    class Lying:
        """The volume, as the client with its lock shows it."""

        def __init__(self, opened: Any) -> None:
            self._opened = opened

        def remove_snap(self, name: str) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            return getattr(self._opened, name)

    @contextmanager
    def lying(*arguments: Any, **options: Any) -> Iterator[Any]:
        with opened(*arguments, **options) as found:
            yield Lying(found)

    opened = snapshots.opened
    asked = {"volume": volume, "pool": POOL, "snapshot": taken.snapshot_id}
    with as_worker(storage.config.access) as cluster:
        monkeypatch.setattr(snapshots, "opened", lying)
        with pytest.raises(ClusterFailed, match="did not remove"):
            snapshots.remove(cluster, **asked)
        monkeypatch.undo()
        assert storage.snapshots(volume) == [taken]
        assert snapshots.remove(cluster, **asked)
    assert storage.snapshots(volume) == []


def test_snapshots_are_listed_without_those_of_others(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = storage.made()
    taken = sorted((storage.snapshot(volume) for _ in range(3)), key=lambda each: each.snapshot_id)
    with image(ceph, volume) as opened:
        for name in ("base", "../x", f"{new_id()} ", new_id().upper()):
            opened.create_snap(name)
    assert storage.snapshots(volume) == taken
    assert storage.snapshots(volume, taken[0].snapshot_id) == taken[1:]
    assert storage.snapshots(volume, taken[-1].snapshot_id) == []
    assert listed(storage, volume).snapshots == [each.snapshot_id for each in taken]
    assert not listed(storage, volume).has_more_snapshots
    storage.clone(taken[0])
    assert storage.drop(taken[0])
    assert storage.snapshots(volume) == taken[1:], "one that waits for its clone is gone too"
    assert listed(storage, volume).snapshots == [each.snapshot_id for each in taken[1:]]


def listed(storage: StorageAgent, volume: str) -> pb.ListedVolume:
    page = storage.stub().ListVolumes(pb.ListVolumesRequest(pool=POOL, after=volume[:-1])).volumes
    found: pb.ListedVolume = next(each for each in page if each.name == volume)
    return found


@pytest.mark.parametrize("name", ["", "base", "../../etc", f"{SOURCE}@x"])
def test_hostile_names_are_refused(storage: StorageAgent, name: str) -> None:
    volume = storage.made()
    source = pb.SnapshotSource(pool=POOL, volume_id=volume, snapshot_id=name)
    for attempt in (
        lambda: storage.stub().EnsureSnapshot(
            pb.EnsureSnapshotRequest(volume_id=volume, pool=POOL, snapshot_id=name, size_bytes=SIZE)
        ),
        lambda: storage.drop(pb.SnapshotState(volume_id=volume, snapshot_id=name)),
        lambda: storage.revert(pb.SnapshotState(volume_id=volume, snapshot_id=name)),
        lambda: storage.ensure(new_id(), snapshot=source),
    ):
        error = refusal(attempt)
        assert (error.code, error.status) == ("agent.bad_request", grpc.StatusCode.INVALID_ARGUMENT)


def test_volume_has_at_most_one_source(storage: StorageAgent) -> None:
    volume = storage.made()
    source = pb.SnapshotSource(pool=POOL, volume_id=volume, snapshot_id=storage.snapshot(volume).snapshot_id)
    other = pb.SnapshotSource(pool="other", volume_id=volume, snapshot_id=source.snapshot_id)
    for attempt in (
        lambda: storage.ensure(new_id(), snapshot=source, image_sha256="a" * 64),
        lambda: storage.ensure(new_id(), snapshot=source, is_taken_over=True),
        lambda: storage.ensure(volume, snapshot=source),
        lambda: storage.ensure(new_id(), snapshot=other),
    ):
        assert refusal(attempt).code == "agent.bad_request"


def test_clone_is_equal_and_independent(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = filled(storage, ceph)
    before = digest(ceph, volume)
    snapshot = storage.snapshot(volume)
    write(ceph, volume, b"9")
    clone = storage.clone(snapshot)
    assert digest(ceph, clone) == before
    write(ceph, clone, b"c")
    assert digest(ceph, volume, snapshot.snapshot_id) == before
    with image(ceph, storage.clone(snapshot, size_bytes=2 * SIZE), read_only=True) as larger:
        assert hashlib.sha256(larger.read(0, SIZE)).hexdigest() == before
        assert larger.read(SIZE, SIZE) == bytes(SIZE)
    assert refusal(lambda: storage.clone(snapshot, size_bytes=SIZE // 2)).code == "agent.volume_would_shrink"


def test_snapshot_is_erased_after_its_clones(storage: StorageAgent) -> None:
    volume = storage.made()
    kept, plain = storage.snapshot(volume), storage.snapshot(volume)
    clone = storage.clone(kept)
    assert storage.drop(kept)
    assert storage.drop(plain)
    wait_until(lambda: ends(storage, plain.snapshot_id) == ["closed", "erased"], "the receipt of the plain one")
    assert ends(storage, kept.snapshot_id) == ["closed"]
    storage.remove(clone)
    wait_until(lambda: ends(storage, kept.snapshot_id) == ["closed", "erased"], "that of the other one")


def test_clone_of_a_missing_source_is_refused(storage: StorageAgent) -> None:
    volume = storage.made()
    for source in (volume, new_id()):
        error = refusal(lambda source=source: storage.clone(pb.SnapshotState(volume_id=source, snapshot_id=new_id())))  # type: ignore[misc]
        assert (error.code, error.status) == ("storage.snapshot_missing", grpc.StatusCode.NOT_FOUND)


def test_clone_in_another_pool(ceph: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    import rbd

    ceph.command("osd pool create", pool=SECOND, pg_num=8)
    ceph.command("osd pool application enable", pool=SECOND, app="rbd")
    agent = StorageAgent(tmp_path_factory.mktemp("pools") / "agent", ceph, more_pools=(SECOND,))
    with agent.serving():
        agent.learn(SOURCE)
        volume = filled(agent, ceph)
        before = digest(ceph, volume)
        clone = agent.clone(agent.snapshot(volume), pool=SECOND)
        assert digest(ceph, clone, pool=SECOND) == before
        permit = agent.permit(clone, op="instance.start")
        key = agent.open(clone, permit=permit, pool=SECOND)
        with as_node(ceph, key, SECOND) as (_, ioctx), rbd.Image(ioctx, clone) as opened:
            assert hashlib.sha256(opened.read(0, SIZE)).hexdigest() == before
        agent.close(clone, pool=SECOND)
        assert agent.remove(volume)
        wait_until(lambda: not is_clone(ceph, clone, pool=SECOND), "the clone to be flattened")
        assert digest(ceph, clone, pool=SECOND) == before


@pytest.mark.parametrize("is_trashed", [False, True])
def test_key_of_a_clone_reads_its_parents_and_lists_nothing(
    storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Writer], *, is_trashed: bool
) -> None:
    import rados
    import rbd

    source = filled(storage, ceph)
    middle = storage.clone(storage.snapshot(source))
    clone, holder = (storage.clone(storage.snapshot(middle)) for _ in range(2))
    before = digest(ceph, clone)
    writing(storage.open(holder))  # so that nothing is flattened but the clone, which is open below
    key = storage.open(clone)
    with as_node(ceph, key) as (_, ioctx), rbd.Image(ioctx, clone) as opened:
        if is_trashed:
            assert storage.remove(middle)
            assert storage.remove(source)
        with as_node(ceph, key) as (_, reopened), rbd.Image(reopened, clone) as anew:
            assert hashlib.sha256(anew.read(0, SIZE)).hexdigest() == before
        api = rbd.RBD()
        for what, attempt in {
            "list volumes": lambda: api.list(ioctx),
            "list the trash": lambda: list(api.trash_list(ioctx)),
            "open its parent to write": lambda: rbd.Image(ioctx, middle),
            "write to its parent": lambda: ioctx.write_full(f"rbd_header.{opened.parent_id()}", b"x"),
            "delete its parent": lambda: (
                api.trash_remove(ioctx, opened.parent_id()) if is_trashed else api.trash_move(ioctx, middle)
            ),
        }.items():
            with pytest.raises((rbd.PermissionError, rados.PermissionError, rados.PermissionDeniedError)):
                attempt()
                pytest.fail(f"it may {what}")


def test_parent_that_a_node_wrote_into_its_header_is_none(
    storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Writer]
) -> None:
    """Else a node would get the key to another volume, or the agent would copy that for it."""
    import rbd

    victim, volume = filled(storage, ceph), storage.made()
    snapshot = storage.snapshot(victim)
    writing(storage.open(storage.clone(snapshot)))  # so that the victim waits in the trash below
    with image(ceph, victim, read_only=True) as opened:
        number, victim_id = opened.snap_get_id(snapshot.snapshot_id), opened.id()
    with as_node(ceph, storage.open(volume)) as (_, ioctx):
        with rbd.Image(ioctx, volume, read_only=True) as opened:
            header = f"rbd_header.{opened.id()}"
        name = len(victim_id).to_bytes(4, "little") + victim_id.encode()
        numbers = [each.to_bytes(8, "little") for each in (ioctx.get_pool_id(), number, SIZE)]
        ioctx.execute(header, "rbd", "set_parent", numbers[0] + name + numbers[1] + numbers[2])
    assert is_clone(ceph, volume)
    error = refusal(lambda: storage.open(volume, DESTINATION))
    assert (error.code, "does not know it" in error.message) == ("storage.cluster_failed", True)
    assert storage.remove(victim)
    await_flattening(storage, ceph)
    assert is_clone(ceph, volume), "not flattened"


# ---- revert


def test_revert_gives_the_content_back(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = filled(storage, ceph)
    older, before = storage.snapshot(volume), digest(ceph, volume)
    write(ceph, volume, b"9")
    younger, after = storage.snapshot(volume), digest(ceph, volume)
    storage.ensure(volume, 2 * SIZE)
    write(ceph, volume, b"9", SIZE)
    assert storage.revert(older).size_bytes == SIZE
    assert storage.revert(older).size_bytes == SIZE, "its answer was lost"
    assert digest(ceph, volume) == before
    assert storage.snapshots(volume) == sorted([older, younger], key=lambda each: each.snapshot_id)
    assert storage.revert(younger, 2 * SIZE, generation=2).size_bytes == 2 * SIZE
    with image(ceph, volume, read_only=True) as opened:
        assert hashlib.sha256(opened.read(0, SIZE)).hexdigest() == after
        assert opened.read(SIZE, SIZE) == bytes(SIZE), "what was written behind it is gone"


def test_late_repetition_of_a_revert_changes_nothing(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = filled(storage, ceph)
    snapshot, before = storage.snapshot(volume), digest(ceph, volume)
    other = storage.snapshot(volume)
    storage.revert(snapshot, generation=2)
    write(ceph, volume, b"9")
    written = digest(ceph, volume)
    assert storage.revert(snapshot, generation=2).size_bytes == SIZE, "its answer was lost"
    assert digest(ceph, volume) == written != before
    for late, generation in ((snapshot, 1), (other, 1), (other, 2)):
        error = refusal(lambda late=late, generation=generation: storage.revert(late, generation=generation))  # type: ignore[misc]
        assert (error.code, error.status) == ("storage.stale_generation", grpc.StatusCode.FAILED_PRECONDITION)
        assert not error.is_retryable
        assert digest(ceph, volume) == written
    storage.revert(snapshot, generation=3)
    assert digest(ceph, volume) == before


def test_revert_of_a_clone_of_which_there_are_clones(storage: StorageAgent, ceph: CephCluster) -> None:
    clone = storage.clone(storage.snapshot(filled(storage, ceph)))
    snapshot, before = storage.snapshot(clone), digest(ceph, clone)
    other = storage.clone(snapshot)
    write(ceph, clone, b"9")
    storage.revert(snapshot)
    assert digest(ceph, clone) == digest(ceph, other) == before


def test_revert_that_cannot_be_is_refused(storage: StorageAgent) -> None:
    volume = storage.made()
    snapshot = storage.snapshot(volume)
    assert refusal(lambda: storage.revert(snapshot, SIZE // 2)).code == "agent.volume_would_shrink"
    missing = pb.SnapshotState(volume_id=volume, snapshot_id=new_id())
    assert refusal(lambda: storage.revert(missing)).code == "storage.snapshot_missing"
    missing.volume_id = new_id()
    assert refusal(lambda: storage.revert(missing)).code == "storage.volume_missing"


def test_revert_of_an_open_volume_is_refused(
    storage: StorageAgent, ceph: CephCluster, writing: Callable[..., Writer]
) -> None:
    volume = storage.made()
    snapshot = storage.snapshot(volume)
    writer = writing(storage.open(volume))
    before = digest(ceph, volume)
    error = refusal(lambda: storage.revert(snapshot))
    assert (error.code, error.status) == ("agent.volume_in_use", grpc.StatusCode.FAILED_PRECONDITION)
    assert (writer.write(), digest(ceph, volume)) == ("written", before)


def test_revert_of_a_volume_that_a_node_is_about_to_open_is_refused(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = filled(storage, ceph)
    snapshot = storage.snapshot(volume)
    write(ceph, volume, b"9")
    before = digest(ceph, volume)
    storage.open(volume)
    error = refusal(lambda: storage.revert(snapshot))
    assert (error.code, "has a key" in error.message) == ("agent.volume_in_use", True)
    assert digest(ceph, volume) == before
    storage.close(volume)
    storage.revert(snapshot)
    assert digest(ceph, volume) != before


@contextmanager
def sleeper(storage: StorageAgent, ceph: CephCluster, volume: str) -> Iterator[Callable[[], None]]:
    """A client that has the lock and no watch, as one whose machine sleeps; returns a function that writes as it."""
    import rbd

    with as_node(ceph, storage.open(volume)) as (_, ioctx):
        with rbd.Image(ioctx, volume, read_only=True) as opened:
            image_id = opened.id()
        ioctx.lock_exclusive(f"rbd_header.{image_id}", "rbd_lock", "auto 94000000000000")
        yield lambda: ioctx.write(f"rbd_data.{image_id}.{0:016x}", b"late", 0)


def test_revert_fences_a_stopped_client(storage: StorageAgent, ceph: CephCluster) -> None:
    import rados

    volume = filled(storage, ceph)
    with sleeper(storage, ceph, volume) as write_late:
        write_late()
    storage.close(volume, is_dead=True)
    snapshot, before = storage.snapshot(volume), digest(ceph, volume)
    write(ceph, volume, b"9")
    with sleeper(storage, ceph, volume) as write_late:
        storage.close(volume)
        write_late()
        storage.revert(snapshot)
        with pytest.raises((rados.ConnectionShutdown, rados.OSError)):
            write_late()
    assert digest(ceph, volume) == before


def test_snapshot_is_refused_while_a_client_does_not_answer(storage: StorageAgent, ceph: CephCluster) -> None:
    """A sleeper writes as of before the snapshot, so into that; but its guest may be cut off for a moment only."""
    volume = filled(storage, ceph)
    with sleeper(storage, ceph, volume) as write_late:
        error = refusal(lambda: storage.snapshot(volume))
        assert (error.code, "does not answer" in error.message) == ("agent.volume_in_use", True)
        write_late()
        storage.close(volume, is_dead=True)
        assert storage.snapshot(volume).size_bytes == SIZE


def test_progress_of_a_rollback_is_reported(storage: StorageAgent, ceph: CephCluster) -> None:
    """While librbd says nothing, the process does, as long as the cluster answers."""
    from agents.storage.worker.reverts import reported

    volume, reports = storage.made(), []
    with image(ceph, volume, read_only=True) as opened:
        image_id = opened.id()
    with as_worker(storage.config.access, lambda: reports.append(None)) as cluster, reported(cluster, POOL, image_id):
        wait_until(lambda: len(reports) > 1, "two reports")


# ---- permits


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"op": "volume.create"}, "wrong_operation"),
        ({"volume": "another"}, "not_listed"),
        ({"snapshot": "another"}, "wrong_resource"),
        ({"snapshot": ""}, "wrong_resource"),
        ({"epoch": 7}, "stale_facts"),
    ],
)
def test_permit_of_a_snapshot(storage: StorageAgent, changes: dict[str, Any], why: str) -> None:
    volume, snapshot = storage.made(), new_id()
    permit = mutated(storage, {"volume": volume, "snapshot": snapshot, "op": "snapshot.create"}, changes)
    error = refusal(lambda: storage.snapshot(volume, snapshot, permit=permit))
    assert (error.status, error.code) == (grpc.StatusCode.PERMISSION_DENIED, f"agent.permit.{why}")
    assert storage.snapshots(volume) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"op": "snapshot.create"}, "wrong_operation"),
        ({"op": "volume.create"}, "wrong_operation"),
        ({"volume": "another"}, "wrong_resource"),
        ({"snapshot": "another"}, "not_listed"),
        ({"snapshot": ""}, "not_listed"),
        ({"epoch": 7}, "stale_facts"),
    ],
)
def test_permit_of_a_revert(storage: StorageAgent, changes: dict[str, Any], why: str) -> None:
    volume = storage.made()
    snapshot = storage.snapshot(volume)
    listed = {"volume": volume, "snapshot": snapshot.snapshot_id, "op": "volume.revert"}
    permit = mutated(storage, listed, changes)
    error = refusal(lambda: storage.revert(snapshot, permit=permit))
    assert (error.status, error.code) == (grpc.StatusCode.PERMISSION_DENIED, f"agent.permit.{why}")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"op": "volume.grow"}, "wrong_operation"),
        ({"op": "instance.create"}, "wrong_operation"),
        ({"volume": "another"}, "wrong_resource"),
        ({"snapshot": "another"}, "not_listed"),
        ({"snapshot": ""}, "not_listed"),
    ],
)
def test_permit_of_a_volume_from_a_snapshot(storage: StorageAgent, changes: dict[str, Any], why: str) -> None:
    clone, snapshot = new_id(), storage.snapshot(storage.made())
    listed = {"volume": clone, "snapshot": snapshot.snapshot_id, "op": "volume.create"}
    permit = mutated(storage, listed, changes)
    source = pb.SnapshotSource(pool=POOL, volume_id=snapshot.volume_id, snapshot_id=snapshot.snapshot_id)
    error = refusal(lambda: storage.ensure(clone, snapshot=source, permit=permit))
    assert (error.status, error.code) == (grpc.StatusCode.PERMISSION_DENIED, f"agent.permit.{why}")


def mutated(storage: StorageAgent, listed: dict[str, Any], changes: dict[str, Any]) -> pb.Permit:
    """Return a permit for the volume and the snapshot, but for the changes; "another" is a new id."""
    fields = {name: new_id() if value == "another" else value for name, value in (listed | changes).items()}
    return storage.permit(fields.pop("volume"), **fields)

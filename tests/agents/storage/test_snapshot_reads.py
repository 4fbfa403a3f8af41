"""Content of snapshots as a storage agent sends it, on a real cluster."""

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.protocol import storage_pb2 as pb
from tests.agents.announcer.waiting import wait_until
from tests.agents.conftest import refusal
from tests.agents.specs import MIB, new_id
from tests.agents.storage.conftest import Writer
from tests.agents.storage.contents import digest, filled, image, is_clone, set_entry, write
from tests.agents.storage.running import SIZE, StorageAgent, as_node, as_worker

# What would make QEMU read another file, if it were taken for a qcow2 image.
HOSTILE = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 512, 11, 16, SIZE).ljust(512, b"\0") + b"/etc/passwd"


@dataclass
class Content:
    header: pb.SnapshotHeader
    extents: list[pb.SnapshotExtent]
    end: pb.SnapshotEnd

    @property
    def sent_bytes(self) -> int:
        return sum(len(each.data) for each in self.extents)

    def whole(self) -> bytes:
        """Return the content, with zeros for what was left out."""
        result = bytearray(self.header.size_bytes)
        for each in self.extents:
            result[each.offset : each.offset + len(each.data)] = each.data
        return bytes(result)

    def sha256(self) -> str:
        return hashlib.sha256(self.whole()).hexdigest()


def parts(storage: StorageAgent, taken: pb.SnapshotState, permit: pb.Permit | None = None) -> Any:
    permit = permit or storage.permit(taken.volume_id, op="image.create", snapshot=taken.snapshot_id)
    request = pb.ReadSnapshotRequest(permit=permit, volume_id=taken.volume_id, pool=POOL, snapshot_id=taken.snapshot_id)
    return storage.stub().ReadSnapshot(request)


def content(received: Iterator[pb.SnapshotPart]) -> Content:
    first, *extents, last = received
    assert [first.WhichOneof("part"), last.WhichOneof("part")] == ["header", "end"]
    assert {each.WhichOneof("part") for each in extents} <= {"extent"}
    return Content(first.header, [each.extent for each in extents], last.end)


def read(storage: StorageAgent, taken: pb.SnapshotState) -> Content:
    return content(parts(storage, taken))


def test_snapshot_is_read_as_it_was_and_holes_are_left_out(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = storage.made()
    write(ceph, volume, b"1", 4096)
    write(ceph, volume, b"2", 5 * MIB)
    taken = storage.snapshot(volume)
    write(ceph, volume, b"9", 4096)
    write(ceph, volume, b"9", 0)
    found = read(storage, taken)
    assert found.sha256() == digest(ceph, volume, taken.snapshot_id) != digest(ceph, volume)
    assert found.header.size_bytes == SIZE
    assert found.header.used_bytes >= found.end.sent_bytes == found.sent_bytes
    assert [(each.offset // MIB, len(each.data)) for each in found.extents] == [(0, 8192), (5, 4096)]


def test_end_has_the_checksum_of_the_extents(storage: StorageAgent, ceph: CephCluster) -> None:
    found = read(storage, storage.snapshot(filled(storage, ceph)))
    summed = hashlib.sha256()
    for each in found.extents:
        summed.update(struct.pack(">Q", each.offset) + each.data)
    assert found.end.sha256 == summed.hexdigest()


def test_long_extents_are_split(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = storage.made()
    with image(ceph, volume) as opened:
        opened.write(b"a" * (3 * MIB + 512), MIB - 512)
    found = read(storage, storage.snapshot(volume))
    assert found.sent_bytes < 4 * MIB
    assert max(len(each.data) for each in found.extents) == MIB
    assert found.whole()[MIB - 512 : 4 * MIB] == b"a" * (3 * MIB + 512)


def test_discarded_data_are_no_content(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = filled(storage, ceph)
    with image(ceph, volume) as opened:
        opened.discard(0, 4 * MIB)
    found = read(storage, storage.snapshot(volume))
    assert [each.offset for each in found.extents] == [4 * MIB]


def test_clone_is_read_with_its_parents_data(storage: StorageAgent, ceph: CephCluster) -> None:
    """Two generations; the second one is larger than what it comes from."""
    first = storage.clone(storage.snapshot(filled(storage, ceph)))
    write(ceph, first, b"3", 4096)
    clone = storage.clone(storage.snapshot(first), size_bytes=2 * SIZE)
    write(ceph, clone, b"4", 5 * MIB)
    write(ceph, clone, b"5", SIZE + MIB)
    taken = storage.snapshot(clone, size_bytes=2 * SIZE)
    found = read(storage, taken)
    whole = found.whole()
    assert found.header.size_bytes == len(whole) == 2 * SIZE
    assert found.sha256() == digest(ceph, clone, taken.snapshot_id)
    assert [whole[at : at + 1] for at in (0, 4096, 4 * MIB, 5 * MIB, SIZE + MIB)] == [b"1", b"3", b"2", b"4", b"5"]
    assert found.sent_bytes < SIZE


def test_clone_of_a_deleted_volume_is_read(storage: StorageAgent, ceph: CephCluster) -> None:
    source = filled(storage, ceph)
    clone = storage.clone(storage.snapshot(source))
    taken = storage.snapshot(clone)
    expected = digest(ceph, clone, taken.snapshot_id)
    storage.remove(source)
    wait_until(lambda: not is_clone(ceph, clone), "the clone to be flattened")
    assert read(storage, taken).sha256() == expected


def test_volume_that_is_read_is_not_flattened(storage: StorageAgent, ceph: CephCluster) -> None:
    source, other = filled(storage, ceph), filled(storage, ceph)
    clone, later = storage.clone(storage.snapshot(source)), storage.clone(storage.snapshot(other))
    with image(ceph, clone) as opened:
        opened.write(b"x" * SIZE, 0)
    received = parts(storage, storage.snapshot(clone))
    assert next(received).header.size_bytes == SIZE
    storage.remove(source)
    storage.remove(other)
    wait_until(lambda: not is_clone(ceph, later), "another clone to be flattened")
    assert is_clone(ceph, clone)
    list(received)
    wait_until(lambda: not is_clone(ceph, clone), "the clone to be flattened once it was read")


def test_first_sector_of_a_volume_is_data(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = storage.made()
    with image(ceph, volume) as opened:
        opened.write(HOSTILE, 0)
    assert read(storage, storage.snapshot(volume)).whole()[: len(HOSTILE)] == HOSTILE


def test_empty_volume_has_no_extents(storage: StorageAgent) -> None:
    found = read(storage, storage.snapshot(storage.made()))
    assert (found.header.size_bytes, found.header.used_bytes, found.extents) == (SIZE, 0, [])


def test_guest_runs_while_its_volume_is_read(storage: StorageAgent, writing: Callable[..., Writer]) -> None:
    volume = storage.made()
    writer = writing(storage.open(volume))
    taken = storage.snapshot(volume)
    received = parts(storage, taken)
    assert next(received).header.size_bytes == SIZE
    assert writer.write("more") == "written"
    storage.snapshot(volume)
    storage.close(volume)
    assert list(received)[-1].WhichOneof("part") == "end"


def test_zeros_that_were_written_are_progress(
    storage: StorageAgent, ceph: CephCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read of zeros takes long, and nothing of them is sent."""
    from agents.storage.worker import snapshot_reads

    volume = storage.made()
    with image(ceph, volume) as opened:
        opened.write(bytes(3 * MIB), 0)
    taken = storage.snapshot(volume)
    calls: list[bool] = []
    monkeypatch.setattr(snapshot_reads, "extent_windows", lambda cluster, size_bytes: iter([(0, size_bytes)]))
    with as_worker(storage.config.access, lambda: calls.append(True)) as cluster:
        found = snapshot_reads.read(cluster, volume=volume, pool=POOL, snapshot=taken.snapshot_id)
    assert (found["sent_bytes"], len(calls)) == (0, 3)


def test_read_of_a_deleted_snapshot_is_incomplete(
    storage: StorageAgent, ceph: CephCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.storage.errors import SnapshotMissing
    from agents.storage.worker import snapshot_reads

    volume = filled(storage, ceph)
    taken = storage.snapshot(volume)
    sent: list[bytes] = []
    with as_worker(storage.config.access) as cluster:

        def receive(data: bytes) -> None:
            sent.append(data)
            if len(sent) == 1:
                storage.drop(taken)
                storage.snapshot(volume, taken.snapshot_id)

        monkeypatch.setattr(cluster, "send", receive)
        with pytest.raises(SnapshotMissing, match="was removed while it was read"):
            snapshot_reads.read(cluster, volume=volume, pool=POOL, snapshot=taken.snapshot_id)


def test_disconnected_caller_frees_its_slot(storage: StorageAgent, ceph: CephCluster) -> None:
    """More often than there are processes that read."""
    volume = storage.made()
    with image(ceph, volume) as opened:
        opened.write(b"x" * SIZE, 0)
    taken = storage.snapshot(volume)
    for _ in range(4):
        received = parts(storage, taken)
        next(received)
        received.cancel()
    assert read(storage, taken).sent_bytes == SIZE


def test_parent_that_a_node_has_written_is_not_read(storage: StorageAgent, ceph: CephCluster) -> None:
    """A node writes the parent of another clone there, whose data would leave as those of its own volume."""
    import rados

    other = storage.clone(storage.snapshot(filled(storage, ceph)))
    own = storage.made()
    key = storage.open(own)
    with ceph.client() as client, client.open_ioctx(POOL) as admin, rados.ReadOpCtx() as reading:
        entries, _ = admin.get_omap_vals_by_keys(reading, ("parent",))
        admin.operate_read_op(reading, header_of(ceph, other))
        (parent,) = dict(entries).values()
    with as_node(ceph, key) as (_, ioctx):
        set_entry(ioctx, header_of(ceph, own), "parent", parent)
    error = refusal(lambda: list(parts(storage, storage.snapshot(own))))
    assert error.code == "storage.cluster_failed"
    storage.close(own)


def header_of(ceph: CephCluster, volume: str) -> str:
    with image(ceph, volume, read_only=True) as opened:
        return f"rbd_header.{opened.id()}"


def test_call_for_a_missing_snapshot_is_refused(storage: StorageAgent) -> None:
    volume = storage.made()
    for named in (volume, new_id()):
        missing = pb.SnapshotState(volume_id=named, snapshot_id=new_id())
        error = refusal(lambda missing=missing: list(parts(storage, missing)))  # type: ignore[misc]
        assert (error.code, error.status) == ("storage.snapshot_missing", grpc.StatusCode.NOT_FOUND)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"op": "snapshot.create"}, "wrong_operation"),
        ({"op": "volume.create"}, "wrong_operation"),
        ({"snapshot": ""}, "wrong_resource"),
    ],
)
def test_read_needs_a_permit_of_its_own(storage: StorageAgent, changes: dict[str, Any], why: str) -> None:
    taken = storage.snapshot(storage.made())
    asked = {"op": "image.create", "snapshot": taken.snapshot_id} | changes
    permit = storage.permit(taken.volume_id, **asked)
    assert refusal(lambda: list(parts(storage, taken, permit))).code == f"agent.permit.{why}"
    other = storage.permit(new_id(), op="image.create", snapshot=taken.snapshot_id)
    assert refusal(lambda: list(parts(storage, taken, other))).code == "agent.permit.not_listed"

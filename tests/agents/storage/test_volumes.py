"""Volumes and images of a storage agent, on a real cluster."""

import hashlib
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.protocol import storage_pb2 as pb
from agents.storage.servicer import CAPABILITIES
from tests.agents.announcer.waiting import wait_until
from tests.agents.conftest import refusal
from tests.agents.specs import MIB, new_id
from tests.agents.storage.contents import damaged
from tests.agents.storage.running import SIZE, StorageAgent, as_node

PADDING = 16 * MIB


def content(size: int) -> bytes:
    """Return data with holes in it, of which the last bytes are none."""
    return (b"\1" * 4096 + bytes(2 * MIB) + hashlib.sha256(str(size).encode()).digest() * 2048).ljust(
        size - 512, b"\0"
    ) + b"\2" * 512


def stream(data: bytes, **changes: Any) -> list[pb.ImagePart]:
    header = pb.ImageHeader(
        sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), format=pb.IMAGE_FORMAT_RAW, pool=POOL
    )
    header.MergeFrom(pb.ImageHeader(**changes))
    parts = [pb.ImagePart(data=data[start : start + MIB]) for start in range(0, len(data), MIB)]
    return [pb.ImagePart(header=header), *parts]


def send(storage: StorageAgent, data: bytes, **changes: Any) -> pb.ImageState:
    parts = stream(data, **changes)
    header = parts[0].header
    if not header.HasField("permit"):
        header.permit.CopyFrom(storage.permit(op="volume.create", image=header.sha256))
    state: pb.ImageState = storage.stub().EnsureImage(iter(parts))
    return state


def qcow2(path: Path, data: bytes, *options: str) -> bytes:
    raw, made = path / "raw", path / "qcow2"
    raw.write_bytes(data)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", *options, raw, made], check=True)
    return made.read_bytes()


def read(ceph: CephCluster, volume: str, offset: int = 0, length: int = SIZE) -> bytes:
    import rbd

    with ceph.client() as client, client.open_ioctx(POOL) as ioctx, rbd.Image(ioctx, volume, read_only=True) as image:
        data: bytes = image.read(offset, length)
        return data


def trash(ceph: CephCluster) -> set[str]:
    import rbd

    with ceph.client() as client, client.open_ioctx(POOL) as ioctx, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of how the bindings read the time of an entry
        return {entry["name"] for entry in rbd.RBD().trash_list(ioctx)}


def ends(storage: StorageAgent, volume: str) -> list[object]:
    """Return the events of its receipts since it was made."""
    return [event for each in storage.receipts(volume) if (event := each.payload["event"]) != "opened"]


def test_volume_is_empty_grows_and_never_shrinks(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = new_id()
    assert storage.ensure(volume).size_bytes == SIZE
    assert storage.ensure(volume).size_bytes == SIZE, "a repetition"
    assert read(ceph, volume) == bytes(SIZE)
    assert storage.ensure(volume, 2 * SIZE).size_bytes == 2 * SIZE
    error = refusal(lambda: storage.ensure(volume))
    assert (error.code, error.is_retryable) == ("agent.volume_would_shrink", False)
    assert len(read(ceph, volume, 0, 2 * SIZE)) == 2 * SIZE


def test_volume_that_is_taken_over_must_exist(storage: StorageAgent) -> None:
    volume = new_id()
    error = refusal(lambda: storage.ensure(volume, is_taken_over=True))
    assert (error.code, error.status) == ("storage.volume_missing", grpc.StatusCode.NOT_FOUND)
    storage.ensure(volume)
    assert storage.ensure(volume, is_taken_over=True).size_bytes == SIZE


def test_clone_has_the_content_of_its_image(storage: StorageAgent, ceph: CephCluster, tmp_path: Path) -> None:
    data = content(6 * MIB)
    file = qcow2(tmp_path, data)
    sha256 = hashlib.sha256(file).hexdigest()
    missing = refusal(lambda: storage.ensure(new_id(), image_sha256=sha256))
    assert (missing.code, missing.status) == ("storage.image_missing", grpc.StatusCode.NOT_FOUND)
    assert send(storage, file, format=pb.IMAGE_FORMAT_QCOW2).was_cached is False
    assert send(storage, file, format=pb.IMAGE_FORMAT_QCOW2).was_cached is True
    assert not list((storage.folder / "incoming").iterdir())

    volume = storage.made(size_bytes=32 * MIB, image_sha256=sha256)
    assert read(ceph, volume, 0, 32 * MIB) == data.ljust(32 * MIB, b"\0")
    tight = storage.made(size_bytes=6 * MIB, image_sha256=sha256)
    assert read(ceph, tight, 0, 6 * MIB) == data
    error = refusal(lambda: storage.ensure(new_id(), 4 * MIB, image_sha256=sha256))
    assert error.code == "agent.volume_would_shrink"

    with as_node(ceph, storage.open(volume)) as (_, ioctx):
        assert read_as_node(ioctx, volume, 6 * MIB) == data, "a node reads what the image has"


def read_as_node(ioctx: Any, volume: str, length: int) -> bytes:
    import rbd

    with rbd.Image(ioctx, volume) as image:
        data: bytes = image.read(0, length)
        return data


def test_image_has_room_for_a_header(storage: StorageAgent, ceph: CephCluster) -> None:
    import rbd

    data = content(5 * MIB)
    sent = send(storage, data)
    with ceph.client() as client, client.open_ioctx(POOL) as ioctx:
        ioctx.set_namespace("andromede")
        with rbd.Image(ioctx, f"image-{sent.sha256}", snapshot="base", read_only=True) as image:
            assert image.size() == len(data) + PADDING


def test_header_alone_checks_if_the_image_exists(storage: StorageAgent) -> None:
    data = content(3 * MIB)
    header = stream(data)[:1]
    header[0].header.permit.CopyFrom(storage.permit(op="volume.create", image=hashlib.sha256(data).hexdigest()))
    assert refusal(lambda: storage.stub().EnsureImage(iter(header))).code == "agent.image_refused"
    send(storage, data)
    assert storage.stub().EnsureImage(iter(header)).was_cached


def test_image_is_deleted_after_its_last_clone(storage: StorageAgent, ceph: CephCluster) -> None:
    sent = send(storage, content(4 * MIB))
    volume = storage.made(image_sha256=sent.sha256)
    removal = pb.RemoveImageRequest(sha256=sent.sha256, pool=POOL)
    assert refusal(lambda: storage.stub().RemoveImage(removal)).code == "agent.image_in_use"
    assert storage.remove(volume)
    wait_until(lambda: volume not in trash(ceph), "the trash to be emptied")
    assert storage.stub().RemoveImage(removal).was_present
    assert not storage.stub().RemoveImage(removal).was_present


def _with_backing_file(path: Path) -> bytes:
    (path / "base").write_bytes(bytes(MIB))
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", path / "base", path / "made", "1M"]
    subprocess.run(command, check=True)
    return (path / "made").read_bytes()


def _with_data_file(path: Path) -> bytes:
    options = ["-o", f"data_file={path / 'data'},data_file_raw=on"]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, path / "made", "1M"], check=True)
    return (path / "made").read_bytes()


def _too_large_for_its_guest(path: Path) -> bytes:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path / "made", "1G"], check=True)
    return (path / "made").read_bytes()


def _no_qcow2(path: Path) -> bytes:
    return content(3 * MIB + 1024)


@pytest.mark.parametrize("made", [_with_backing_file, _with_data_file, _too_large_for_its_guest, _no_qcow2])
def test_hostile_image_is_refused(storage: StorageAgent, tmp_path: Path, made: Callable[[Path], bytes]) -> None:
    data = made(tmp_path)
    error = refusal(lambda: send(storage, data, format=pb.IMAGE_FORMAT_QCOW2))
    assert (error.code, error.status) == ("agent.image_refused", grpc.StatusCode.FAILED_PRECONDITION)
    sha256 = hashlib.sha256(data).hexdigest()
    assert refusal(lambda: storage.ensure(new_id(), image_sha256=sha256)).code == "storage.image_missing"
    assert not list((storage.folder / "incoming").iterdir())


def test_image_with_another_digest_is_refused(storage: StorageAgent) -> None:
    sha256 = hashlib.sha256(b"another").hexdigest()
    assert refusal(lambda: send(storage, content(3 * MIB), sha256=sha256)).code == "agent.image_refused"
    assert refusal(lambda: storage.ensure(new_id(), image_sha256=sha256)).code == "storage.image_missing"


def test_removed_volume_is_deleted_and_its_keys_are(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = storage.made()
    key = storage.open(volume)
    assert storage.remove(volume) is True
    assert f"client.{key.client}" not in storage.entities()
    wait_until(lambda: volume not in trash(ceph), "the trash to be emptied")
    assert storage.remove(volume) is False


def test_late_removal_spares_the_newer_volume(storage: StorageAgent, ceph: CephCluster) -> None:
    volume = storage.made(generation=3)
    assert storage.remove(volume, generation=3)
    storage.ensure(volume, generation=5)
    storage.ensure(volume, is_taken_over=True, generation=4)  # a call that was overtaken
    error = refusal(lambda: storage.remove(volume, generation=4))
    assert (error.code, error.is_retryable) == ("storage.stale_generation", False)
    assert read(ceph, volume) == bytes(SIZE), "it is there"
    assert storage.remove(volume, generation=6)
    assert not storage.remove(volume, generation=3), "nothing is recorded of what is not there"


def test_volume_that_is_open_is_not_removed(storage: StorageAgent, writing: Callable[..., Any]) -> None:
    volume = storage.made()
    key = storage.open(volume)
    writer = writing(key)
    error = refusal(lambda: storage.remove(volume))
    assert (error.code, error.status) == ("agent.volume_in_use", grpc.StatusCode.FAILED_PRECONDITION)
    assert f"client.{key.client}" in storage.entities(), "its key was not touched"
    assert writer.write() == "written"


def test_volume_with_a_clone_waits_in_the_trash(storage: StorageAgent, ceph: CephCluster) -> None:
    """Until there are snapshots in the API, made by hand."""
    import rbd

    parent, child = storage.made(), new_id()
    with ceph.client() as client, client.open_ioctx(POOL) as ioctx:
        with rbd.Image(ioctx, parent) as image:
            image.create_snap("one")
        rbd.RBD().clone(ioctx, parent, "one", ioctx, child, clone_format=2)
        with rbd.Image(ioctx, parent) as image:
            image.remove_snap("one")
            image_id = image.id()
    assert storage.remove(parent)
    emptied = storage.made()
    storage.remove(emptied)
    wait_until(lambda: emptied not in trash(ceph), "the trash to be emptied")
    assert parent in trash(ceph)
    assert len(read(ceph, child)) == SIZE
    assert ends(storage, parent) == ["closed"]
    wait_until(lambda: ends(storage, emptied) == ["closed", "erased"], "the receipt of the one without a clone")
    storage.remove(child)
    wait_until(lambda: parent not in trash(ceph), "the parent to go after its clone")
    wait_until(lambda: ends(storage, parent) == ["closed", "erased"], "its receipt")
    _, closed, erased = (each.payload for each in storage.receipts(parent))
    assert closed["jti"] == erased["jti"]
    assert closed["measured"] == erased["measured"] == {"pool": POOL, "trash": image_id}


def test_volumes_are_listed_in_pages(storage: StorageAgent) -> None:
    made = sorted(storage.made() for _ in range(3))
    listed: dict[str, int] = {}
    after = ""
    while page := storage.stub().ListVolumes(pb.ListVolumesRequest(pool=POOL, after=after)).volumes:
        names = [each.name for each in page]
        assert names == sorted(names)
        assert names[0] > after
        listed |= {each.name: each.size_bytes for each in page}
        after = names[-1]
    assert {name: listed[name] for name in made} == dict.fromkeys(made, SIZE)


def test_volume_whose_node_damaged_its_header_is_listed(storage: StorageAgent, ceph: CephCluster) -> None:
    """The others are, too."""
    hostile, other = sorted(storage.made() for _ in range(2))
    with damaged(ceph, storage.open(hostile), "size"):
        request = pb.ListVolumesRequest(pool=POOL, after=hostile[:-1])
        listed = {each.name: each.size_bytes for each in storage.stub().ListVolumes(request).volumes}
    assert (listed[hostile], listed[other]) == (0, SIZE)


def test_other_pool_is_refused(storage: StorageAgent) -> None:
    request = pb.RemoveVolumeRequest(volume_id=new_id(), pool="other")
    error = refusal(lambda: storage.stub().RemoveVolume(request))
    assert (error.code, error.status) == ("agent.bad_request", grpc.StatusCode.INVALID_ARGUMENT)


def test_sizes_of_a_pool_are_after_replicas() -> None:
    """The lab has no manager daemon, which reports them."""
    from agents.storage.worker.description import pool_state

    pool = {"pool_name": "volumes", "size": 3, "flags_names": "hashpspool,nearfull", "quota_max_bytes": 0}
    stats = {"bytes_used": 30 * MIB, "max_avail": 90 * MIB, "stored": 40 * MIB}
    assert pool_state(pool, stats) == {
        "name": "volumes",
        "size_bytes": 100 * MIB,
        "used_bytes": 10 * MIB,
        "free_bytes": 90 * MIB,
        "replicas": 3,
        "is_nearly_full": True,
    }


@pytest.mark.parametrize(
    ("quota", "stats", "sizes"),
    [
        (50, {"bytes_used": 30, "max_avail": 90}, (50, 10, 40)),
        (5, {"bytes_used": 30, "max_avail": 90}, (10, 10, 0)),
        (500, {"bytes_used": 30, "max_avail": 90}, (100, 10, 90)),
        (50, None, (50, 0, 50)),
        (0, None, (0, 0, 0)),
    ],
)
def test_pool_is_never_larger_than_its_quota(
    quota: int, stats: dict[str, int] | None, sizes: tuple[int, int, int]
) -> None:
    """Monitors know a quota also while no manager daemon reports sizes (`stats`)."""
    from agents.storage.worker.description import pool_state

    state = pool_state({"pool_name": "volumes", "size": 3, "flags_names": "", "quota_max_bytes": quota}, stats)
    assert (state["size_bytes"], state["used_bytes"], state["free_bytes"]) == sizes


def test_description_has_the_cluster_and_its_pools(storage: StorageAgent, ceph: CephCluster) -> None:
    description = storage.describe()
    assert ceph.plan is not None
    assert description.fsid == ceph.plan.fsid
    assert list(description.monitors) == [f"{ceph.plan.address}:3300"]
    assert [(pool.name, pool.replicas) for pool in description.pools] == [(POOL, 1)]
    assert description.health in ("ok", "degraded")
    assert "ceph version 18" in description.ceph_version
    assert any("no sizes" in problem for problem in description.problems), "the lab has no manager daemon"
    assert (description.keyset_version, description.software_version != "") == (1, True)
    assert tuple(description.capabilities) == CAPABILITIES

"""Contents of volumes, as the administrator of the cluster sees them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.lab.ceph import POOL, CephCluster
from agents.protocol import storage_pb2 as pb
from tests.agents.announcer.waiting import wait_until
from tests.agents.specs import MIB
from tests.agents.storage.running import StorageAgent, as_node


@contextmanager
def image(ceph: CephCluster, volume: str, *, pool: str = POOL, **options: Any) -> Iterator[Any]:
    """Open the volume as the administrator."""
    import rbd

    with ceph.client() as client, client.open_ioctx(pool) as ioctx, rbd.Image(ioctx, volume, **options) as opened:
        yield opened


@contextmanager
def damaged(ceph: CephCluster, key: pb.VolumeKey, entry: str) -> Iterator[None]:
    """Write something that is none into an entry of the volume's header, as its node can; it is mended at the end."""
    import rados

    with image(ceph, key.image, read_only=True) as opened:
        header = f"rbd_header.{opened.id()}"
    with ceph.client() as client, client.open_ioctx(POOL) as admin:
        with rados.ReadOpCtx() as reading:
            entries, _ = admin.get_omap_vals_by_keys(reading, (entry,))
            admin.operate_read_op(reading, header)
            before = dict(entries)
        with as_node(ceph, key) as (_, ioctx):
            set_entry(ioctx, header, entry, b"x")
        try:
            yield
        finally:
            set_entry(admin, header, entry, before[entry])


def set_entry(ioctx: Any, header: str, entry: str, value: bytes) -> None:
    import rados

    with rados.WriteOpCtx() as writing:
        ioctx.set_omap(writing, (entry,), (value,))
        ioctx.operate_write_op(writing, header)


def write(ceph: CephCluster, volume: str, byte: bytes, offset: int = 0) -> None:
    with image(ceph, volume) as opened:
        opened.write(byte * 4096, offset)


def digest(ceph: CephCluster, volume: str, snapshot: str | None = None, *, pool: str = POOL) -> str:
    with image(ceph, volume, pool=pool, snapshot=snapshot, read_only=True) as opened:
        return hashlib.sha256(opened.read(0, opened.size())).hexdigest()


def filled(storage: StorageAgent, ceph: CephCluster) -> str:
    """Return a new volume with something in each of its objects."""
    volume = storage.made()
    write(ceph, volume, b"1")
    write(ceph, volume, b"2", 4 * MIB)
    return volume


def is_clone(ceph: CephCluster, volume: str, *, pool: str = POOL) -> bool:
    import rbd

    with image(ceph, volume, pool=pool, read_only=True) as opened:
        try:
            opened.parent_id()
        except rbd.ImageNotFound:
            return False
        return True


def await_flattening(storage: StorageAgent, ceph: CephCluster) -> None:
    """Wait until a younger volume is flattened: by then the older ones had their turn."""
    source = filled(storage, ceph)
    last = storage.clone(storage.snapshot(source))
    storage.remove(source)
    wait_until(lambda: not is_clone(ceph, last), "a younger volume to be flattened")

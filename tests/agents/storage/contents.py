"""Contents of volumes, as the administrator of the cluster sees them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.lab.ceph import POOL, CephCluster
from tests.agents.announcer.waiting import wait_until
from tests.agents.specs import MIB
from tests.agents.storage.running import StorageAgent


@contextmanager
def image(ceph: CephCluster, volume: str, *, pool: str = POOL, **options: Any) -> Iterator[Any]:
    """Open the volume as the administrator."""
    import rbd

    with ceph.client() as client, client.open_ioctx(pool) as ioctx, rbd.Image(ioctx, volume, **options) as opened:
        yield opened


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

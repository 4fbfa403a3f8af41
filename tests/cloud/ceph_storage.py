"""A real Ceph cluster for the real cloud, as the tests look into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.lab.ceph import POOL, CephCluster, Store
from scripts import ceph_storage as scripted
from tests.cloud.conftest import Tenant

ZONE, NODE, TYPE = "fr-idf-1", "ta", scripted.TYPE
PORT = 8029


class CephStorage:
    """The cluster, as the tests look into it."""

    def __init__(self, cluster: CephCluster) -> None:
        self.cluster = cluster

    def images(self) -> set[str]:
        """Return the names of all volumes that are not in the trash."""
        import rbd

        with self.cluster.client() as connection, connection.open_ioctx(POOL) as ioctx:
            return {name for name in rbd.RBD().list(ioctx) if not name.startswith("image-")}

    def keys(self) -> set[str]:
        """Return the users that open volumes."""
        users = self.cluster.command("auth ls")["auth_dump"]
        return {user["entity"] for user in users if user["entity"].startswith("client.v-")}


@contextmanager
def ceph_storage(
    tenant: Tenant, cluster: CephCluster, folder: Path, *, store: Store = Store.MEMORY
) -> Iterator[CephStorage]:
    """Start the cluster where nodes reach it, and its agent; the nodes of the zone have its pool when this returns."""
    running = scripted.CephStorage(tenant.cloud, cluster, folder, ZONE, PORT, store=store)
    running.start()
    try:
        running.wait_for_pool(tenant.operator.get)
        yield CephStorage(cluster)
    finally:
        running.stop()

"""A real Ceph cluster for the real cloud: a monitor and an OSD, its storage agent, and a volume type of its pool."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.lab.ceph import POOL, CephCluster
from agents.node import enrol, pki
from scripts.polling import wait_until
from tests import processes
from tests.agents.storage.how_to import capabilities
from tests.cloud.conftest import Tenant
from tests.limits import PATIENCE_S

ZONE, NODE, NAME, TYPE, CLIENT = "fr-idf-1", "ta", "ceph-1", "ceph", "andromede"
PORT, SIZE_GIB = 8029, 20
OFFERS = {
    "schema": "andromede.offers/1",
    "flavors": [],
    "volume_types": [{"id": TYPE, "description": "In the Ceph cluster of the zone.", "pool": POOL}],
}


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
def ceph_storage(tenant: Tenant, cluster: CephCluster, folder: Path) -> Iterator[CephStorage]:
    """Start the cluster where nodes reach it, and its agent; the nodes of the zone have its pool when this returns."""
    cloud, state = tenant.cloud, folder / "state"
    cluster.start(address=cloud.lab.machine_address)
    entity = f"client.{CLIENT}"
    cluster.command("auth get-or-create", entity=entity, caps=capabilities())
    keyring = folder / "keyring"
    keyring.write_text(f"[{entity}]\nkey = {cluster.command('auth get', entity=entity)[0]['key']}\n")
    _enrol(tenant, state)
    command = [sys.executable, "-m", "agents.storage", "--state-dir", str(state), "--listen", f"127.0.0.1:{PORT}"]
    command += ["--pool", POOL, "--conf", str(cluster.conf), "--client", CLIENT, "--keyring", str(keyring)]
    offers = folder / "offers.json"
    offers.write_text(json.dumps(OFFERS))
    cloud.stack.manage("import_offers", str(offers))
    with processes.running([*command, "--clock", "kept-elsewhere"]):
        wait_until(
            lambda: _nodes_with_pool(tenant) > 0,
            limit_s=PATIENCE_S,
            or_else=lambda: str([tenant.operator.get(f"/v1/{noun}") for noun in ("storage-clusters", "nodes")]),
        )
        # This cluster has no manager daemon, which alone knows sizes; an unknown size changes nothing.
        tenant.query("UPDATE nodes_pool SET capacity_gib = %s WHERE name = %s RETURNING id", SIZE_GIB, POOL)
        yield CephStorage(cluster)


def _enrol(tenant: Tenant, state: Path) -> None:
    stack, request = tenant.cloud.stack, state.with_suffix(".csr")
    request.write_text(enrol.request(state, NAME))
    options = ["--csr", str(request), "--zone", ZONE, "--address", f"127.0.0.1:{PORT}"]
    certificate = stack.manage("certify_storage_agent", NAME, *options)
    ca, root = ((stack.var / "pki" / name).read_bytes() for name in ("ca.crt", "root.pub"))
    enrol.install(state, certificate=certificate.encode(), ca=ca, root=root, kind=pki.STORAGE)


def _nodes_with_pool(tenant: Tenant) -> int:
    return sum(len(pool["nodes"]) for pool in tenant.operator.get("/v1/pools")["items"] if pool["name"] == POOL)

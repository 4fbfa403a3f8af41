"""A real Ceph cluster in a zone of a real cloud (cloud.py), with its storage agent and a volume type of its pool."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from agents.lab.ceph import POOL, CephCluster, Store, ensure_user
from agents.node import enrol, pki
from agents.storage.capabilities import of_agent
from scripts.cloud import Cloud
from scripts.polling import wait_until

NAME, TYPE, CLIENT = "ceph-1", "ceph", "andromede"
PROCESS = "storage-agent"
SIZE_GIB = 8
GIB = 2**30

Get = Callable[[str], Any]


@dataclass(frozen=True)
class CephStorage:
    """The storage cluster NAME in `zone`, with one OSD and so one copy of everything.

    `folder`: of the agent's state and keyring. `port`: of the agent, on loopback. `store`: of the OSD. `size_gib`: of
    the pool.
    """

    cloud: Cloud
    cluster: CephCluster
    folder: Path
    zone: str
    port: int
    store: Store = Store.FILE
    size_gib: int = SIZE_GIB
    description: str = "In the Ceph cluster of the zone."
    options: tuple[str, ...] = field(default=("--clock", "kept-elsewhere"))

    def start(self) -> None:
        """Start the cluster where nodes reach it, and its agent; running parts are left alone.

        The cloud's nodes are on and its database runs; the control plane need not.

        Raises:
            LabError: the cluster does not start.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        # Nodes over the fake adapter reach no cluster; the agent does on loopback.
        address = None if self.cloud.is_fake else self.cloud.lab.machine_address
        self.cluster.start(address=address, store=self.store)
        # There is no manager daemon, which alone knows how large the pool is: its quota says it.
        self.cluster.command("osd pool set-quota", pool=POOL, field="max_bytes", val=str(self.size_gib * GIB))
        ensure_user(self.cluster, CLIENT, of_agent([POOL]), self._keyring)
        self._enrol()
        self._offer()
        self.start_agent()

    def start_agent(self) -> None:
        """Start the agent unless it runs."""
        if self.cloud.stack.process(PROCESS) is None:
            self.cloud.stack.spawn(PROCESS, self._command)

    def wait_for_pool(self, get: Get) -> None:
        """Wait until nodes of the zone have the pool. `get`: asks the API, as an operator."""
        noun = partial(get, "/v1/storage-clusters")
        wait_until(lambda: self._nodes(get) > 0, or_else=lambda: str([noun(), get("/v1/nodes")]))

    def stop(self) -> None:
        """Stop the agent and the cluster; data and state stay."""
        self.cloud.stack.kill(PROCESS)
        self.cluster.stop()

    @property
    def _state(self) -> Path:
        return self.folder / "state"

    @property
    def _keyring(self) -> Path:
        return self.folder / "keyring"

    @property
    def _address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "agents.storage", "--state-dir", str(self._state), "--listen", self._address]
        command += ["--pool", POOL, "--conf", str(self.cluster.conf), "--client", CLIENT]
        return [*command, "--keyring", str(self._keyring), *self.options]

    def _enrol(self) -> None:
        if (pki.folder(self._state) / "node.crt").exists():
            return
        stack, request = self.cloud.stack, self.folder / "agent.csr"
        request.write_text(enrol.request(self._state, NAME))
        options = ["--csr", str(request), "--zone", self.zone, "--address", self._address]
        certificate = stack.manage("certify_storage_agent", NAME, *options)
        ca, root = ((stack.var / "pki" / name).read_bytes() for name in ("ca.crt", "root.pub"))
        enrol.install(self._state, certificate=certificate.encode(), ca=ca, root=root, kind=pki.STORAGE)

    def _offer(self) -> None:
        offers = self.folder / "offers.json"
        volume_type = {"id": TYPE, "description": self.description, "pool": POOL}
        offers.write_text(json.dumps({"schema": "andromede.offers/1", "flavors": [], "volume_types": [volume_type]}))
        self.cloud.stack.manage("import_offers", str(offers))

    def _nodes(self, get: Get) -> int:
        return sum(len(pool["nodes"]) for pool in get("/v1/pools")["items"] if pool["name"] == POOL)

"""The cloud of a run: two workers, so that one takes over from the other; fake nodes, or those of a lab.

The nodes of a zone share a pool, and those of one zone a real Ceph cluster with its storage agent.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.lab import Lab
from agents.lab.ceph import CephCluster, Store
from bench.common import NO_RATES, print_progress
from scripts import database_template
from scripts.api import Api
from scripts.ceph_storage import CephStorage
from scripts.chaos import volume_types
from scripts.chaos.attestor import Attestor
from scripts.cloud import Cloud
from scripts.control_plane import Stack
from scripts.polling import wait_until

PORT = 8200
FAKE_PORT = 8210
STORAGE_PORT = 8218
PROJECT = "chaos"
FAKE_ZONES = {"fake-a": "fr-idf-1", "fake-b": "fr-idf-1", "fake-c": "fr-idf-2", "fake-d": "fr-idf-2"}
# Of one zone: when a node is lost, guests still move between the other two.
REAL_ZONES = {"real-a": "fr-idf-1", "real-b": "fr-idf-1", "real-c": "fr-idf-1"}
AGENT_TIMEOUT_S = 10
# A lease that a paused worker loses, and calls that give up before their node's strike is over.
SETTINGS = {"OPERATION_LEASE_S": "5", "AGENT_TIMEOUT_S": str(AGENT_TIMEOUT_S), "NODE_LEASE_S": "10", **NO_RATES}
# Capacity for some of the requests, not for all.
SMALL = ("--fake-cores", "8", "--fake-memory-mib", "6144", "--fake-trait", "rbd")
STORAGE_GIB, CLUSTER = 40, "ceph"
INVENTORY_INTERVAL_S = 5


class TwoWorkers(Stack):
    def commands(self) -> dict[str, list[str]]:
        commands = super().commands()
        second = [*commands["worker"], "--hostname", "worker-2@%h"]
        return {**commands, "worker-2": second}


@dataclass(frozen=True)
class World:
    """Tokens of a run.

    `token`: of an owner of the project; `operator`: of an operator; `attestor`: an operator in person.
    """

    cloud: Cloud
    storage: CephStorage
    token: str
    operator: str
    attestor: Attestor

    @property
    def stack(self) -> Stack:
        return self.cloud.stack

    @property
    def var(self) -> Path:
        return self.stack.var

    def nodes_are_ready(self) -> bool:
        with closing(Api(self.stack.url, self.operator)) as api:
            return all(node["state"] == "ready" for node in api.get("/v1/nodes")["items"])


@contextmanager
def chaos_world(var: Path, *, port: int = PORT, is_real: bool = False) -> Iterator[World]:
    """Start the cloud until the block ends; its folder with all logs stays until the next run.

    PostgreSQL is as durable as in production, since it will be killed.
    """
    stack = TwoWorkers(var, port=port, settings=SETTINGS)
    options = ("--inventory-interval-s", str(INVENTORY_INTERVAL_S), *(() if is_real else SMALL))
    cloud = Cloud(
        stack,
        REAL_ZONES if is_real else FAKE_ZONES,
        is_fake=not is_real,
        agent_options=options,
        pools=pools_of(stack, is_real=is_real),
        fake_port=port + FAKE_PORT - PORT,
        log=print_progress,
    )
    cluster = CephCluster(var / CLUSTER)
    agent_port = port + STORAGE_PORT - PORT
    storage = CephStorage(
        cloud, cluster, var / "storage", volume_types.ZONE, agent_port, store=Store.MEMORY, size_gib=STORAGE_GIB
    )
    cloud.down()
    cluster.remove()
    cloud.forget()
    database_template.copy_cluster_into(var)
    try:
        cloud.up_nodes(*(["tiny"] if is_real else []))
        storage.start()
        cloud.up_control_plane()
        yield _furnished(cloud, storage)
    finally:
        cloud.down()
        storage.stop()


def pools_of(stack: Stack, *, is_real: bool) -> dict[str, Path]:
    """Return the pools: a lab has one shared pool; of fake nodes, each zone has its own."""
    if is_real:
        return dict.fromkeys(REAL_ZONES, Lab(stack.var / "lab").pool_folder)
    return {name: stack.var / "pools" / zone for name, zone in FAKE_ZONES.items()}


def _furnished(cloud: Cloud, storage: CephStorage) -> World:
    token, operator = cloud.make_project(PROJECT)
    world = World(cloud, storage, token, operator, Attestor.hired(cloud.stack))
    offers = cloud.stack.var / "offers.json"
    offers.write_text(json.dumps(volume_types.OFFERS))
    cloud.stack.manage("import_offers", str(offers))
    if cloud.is_fake:
        disk = cloud.stack.var / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "16M"], check=True)
        cloud.stack.manage("import_image", "tiny", str(disk), "--format", "qcow2")
        for number, name in enumerate(FAKE_ZONES, start=1):  # agents on loopback: no router could reach them
            cloud.stack.manage("set_underlay", name, f"10.99.0.{number}")
    wait_until(world.nodes_are_ready)
    with closing(Api(cloud.stack.url, world.operator)) as api:
        storage.wait_for_pool(api.get)
        for volume_type in volume_types.MADE:
            api.post("/v1/volume-types", volume_type)
        for number, zone in enumerate(sorted(set((FAKE_ZONES if cloud.is_fake else REAL_ZONES).values()))):
            cidrs = [f"203.0.113.{16 * number}/28"]
            api.post("/v1/address-pools", {"name": f"public-{zone}", "zone": zone, "family": "ipv4", "cidrs": cidrs})
    with closing(Api(cloud.stack.url, world.token, project=PROJECT)) as api:
        api.post("networks", {"name": "lan", "cidr": "10.30.0.0/22"})
    return world

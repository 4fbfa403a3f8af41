"""A control plane in processes of its own, with nodes whose adapters are fake, for tests of the provider."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until
from tests.fake_storage import NODE_OPTIONS, start_storage

VAR = ROOT / "var" / "test-terraform"
ZONES = {"fa": "fr-idf-1", "fb": "fr-idf-2"}
PORT = 8180
IMAGES = ("tiny", "other", "debian-13")
POOL = {"name": "public", "zone": "fr-idf-1", "family": "ipv4", "cidrs": ["203.0.113.0/24"]}
VOLUME_TYPE = {"id": "fast", "description": "The disk of one node, limited.", "iops": 100}
# In the same place as the type `rbd` of the storage cluster.
LIMITED = {"id": "rbd-limited", "description": "In the storage cluster, limited.", "pool": "rbd", "iops": 1000}
TOGETHER = {"id": "rbd-together", "description": "For several instances.", "pool": "rbd", "is_multi_attach": True}
LATE = {"id": "late", "description": "Beside its first instance.", "binding": "first_use"}
SETTINGS = {"QUOTA_VOLUMES": "500", "OPERATION_LEASE_S": "5"}


@contextmanager
def fake_cloud() -> Iterator[tuple[Cloud, Api]]:
    """Start a cloud with the project `test`, a token for it, and empty images."""
    stack = Stack(VAR, port=PORT, is_durable=False, settings=SETTINGS)
    # Its agents' ports are behind the API and its streams.
    cloud = Cloud(stack, ZONES, is_fake=True, fake_port=PORT + 2, agent_options=NODE_OPTIONS)
    cloud.down()
    cloud.forget()
    try:
        cloud.up()
        add_images(cloud)
        token, operator = cloud.make_project("test")
        nodes = Api(cloud.stack.url, operator)
        wait_until(lambda: all(node["state"] == "ready" for node in nodes.get("/v1/nodes")["items"]))
        nodes.post("/v1/address-pools", POOL)
        nodes.post("/v1/volume-types", VOLUME_TYPE)
        nodes.post("/v1/volume-types", LATE)
        start_storage(stack, nodes, zone="fr-idf-1")
        nodes.post("/v1/volume-types", LIMITED)
        nodes.post("/v1/volume-types", TOGETHER)
        nodes.close()
        api = Api(cloud.stack.url, token, project="test")
        yield cloud, api
        api.close()
    finally:
        cloud.down()


def add_images(cloud: Cloud) -> None:
    for name in IMAGES:
        file = make_image(cloud.stack.var / f"{name}.qcow2")
        cloud.stack.manage("import_image", name, str(file), "--format", "qcow2")


def make_image(path: Path) -> Path:
    """Make an image, a different one each time: qemu-img gives each a size of its own name."""
    size_kib = 1024 + sum(path.name.encode())
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), f"{size_kib}K"], check=True)
    return path

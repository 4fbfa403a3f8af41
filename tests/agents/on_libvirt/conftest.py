"""A node of the lab with real libvirt, and images for its guests."""

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agents.lab import Lab, LabNode
from agents.lab.ceph import CephCluster
from agents.lab.images import build
from agents.lab.shell import run
from agents.node.hook.server import HookServer
from tests.agents.on_libvirt import rbd_volumes

VAR = Path(__file__).parents[3] / "var"


@pytest.fixture(scope="package")
def lab_node() -> Iterator[LabNode]:
    """Return a node with libvirtd, powered on, in a lab of this process's own."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    for folder in (VAR / "agent-labs").glob("*"):
        if not Path("/proc", folder.name).exists():
            Lab(folder).remove()
    lab = Lab(VAR / "agent-labs" / str(os.getpid()))
    (node,) = lab.up(["hv1"])
    yield node
    lab.remove()


class _Agreement:
    """A gate that lets every guest start."""

    def may_start(self, instance_id: UUID, operation: str, domain: ET.Element) -> str | None:
        return None

    def report(self, instance_id: UUID, operation: str, sub_operation: str) -> None:
        """Ignore the event."""


@pytest.fixture(scope="module")
def agreeing_node(lab_node: LabNode) -> Iterator[LabNode]:
    """Return the node for tests of an adapter alone: a gate in place of an agent allows every start."""
    lab_node.agent_folder.mkdir(exist_ok=True)
    server = HookServer(lab_node.agent_folder / "hook.sock", _Agreement())
    yield lab_node
    server.stop()


@pytest.fixture(scope="package")
def tiny_image() -> Path:
    path = VAR / "images" / "tiny.qcow2"
    build("tiny", path)
    return path


@pytest.fixture(scope="package")
def cluster(make_ceph: Callable[[str], CephCluster], lab_node: LabNode) -> CephCluster:
    """Return a cluster that the nodes of the lab reach."""
    cluster = make_ceph("nodes")
    cluster.start(address=rbd_volumes.address_for(lab_node))
    return cluster


@pytest.fixture(scope="package")
def ssh_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a private key; the public one is beside it as .pub."""
    path = tmp_path_factory.mktemp("ssh") / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)])
    return path

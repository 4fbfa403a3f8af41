"""Many nodes in one process: callers see each as a node of its own."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import grpc
import pytest

from agents.protocol import agent_pb2 as pb
from agents.protocol.agent_pb2_grpc import AgentStub
from scripts.polling import wait_until
from tests.agents import specs
from tests.permits import Authority, PermittedStub
from tests.pki import Issued, TestCA, issue_node, node_dns_name
from tests.processes import line_with, running

AUTHORITY = Authority()
NODES = [UUID(int=number) for number in (1, 2)]


@pytest.fixture
def fleet(tmp_path: Path, ca: TestCA, worker: Issued) -> Iterator[tuple[subprocess.Popen[str], list[PermittedStub]]]:
    for number, node in enumerate(NODES):
        folder = tmp_path / f"node-{number}"
        folder.mkdir()
        issue_node(ca, folder, node_id=node, zone=specs.ZONE, root=AUTHORITY.root.public_pem)
    port = free_ports()
    command = [sys.executable, "-m", "agents.node.fleet", "--folder", str(tmp_path), "--first-port", str(port)]
    with running(command, stderr=subprocess.PIPE) as process, ExitStack() as opened:
        line_with("serving 2 nodes", process.stderr)
        credentials = grpc.ssl_channel_credentials(worker.ca, worker.key, worker.certificate)
        stubs = []
        for number, node in enumerate(NODES):
            name = [("grpc.ssl_target_name_override", node_dns_name(node))]
            channel = opened.enter_context(grpc.secure_channel(f"127.0.0.1:{port + number}", credentials, options=name))
            stubs.append(PermittedStub(AgentStub(channel), AUTHORITY, node=node, zone=specs.ZONE))
            stubs[-1].EnsureTrust(AUTHORITY.trust(node, specs.ZONE))
        yield process, stubs


def free_ports() -> int:
    """Two that follow one another."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def test_each_node_of_a_fleet_is_separate_and_guests_stop_with_it(
    fleet: tuple[subprocess.Popen[str], list[PermittedStub]],
) -> None:
    process, (one, other) = fleet
    inventories = [stub.Describe(pb.DescribeRequest()).inventory for stub in (one, other)]
    assert [inventory.node_id for inventory in inventories] == [str(node) for node in NODES]
    root = specs.volume()
    one.EnsureVolume(root)
    one.EnsureInstance(specs.instance(root))
    assert not other.Describe(pb.DescribeRequest()).instances
    process.send_signal(signal.SIGUSR1)
    wait_until(lambda: [each.power for each in one.Describe(pb.DescribeRequest()).instances] == [pb.POWER_OFF])

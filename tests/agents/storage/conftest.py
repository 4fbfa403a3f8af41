"""A storage agent of the shared cluster."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agents.lab.ceph import CephCluster
from agents.protocol import storage_pb2 as pb
from tests import processes
from tests.agents.storage.running import DESTINATION, LATER, SOURCE, StorageAgent

PROGRAM = Path(__file__).with_name("node_client.py")


@pytest.fixture(scope="package")
def storage(ceph: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageAgent]:
    """A storage agent that knows three nodes; tests share it, and leave its trust as it is.

    It ends with the tests of this folder: its rounds, five in a second, cost processor time.
    """
    agent = StorageAgent(tmp_path_factory.mktemp("storage") / "agent", ceph)
    with agent.serving():
        agent.learn(SOURCE, DESTINATION, LATER)
        yield agent


@pytest.fixture(scope="session")
def apart(make_ceph: Callable[[str], CephCluster]) -> CephCluster:
    """Return a cluster that `storage` does not serve: that agent finishes each interrupted revert that it finds."""
    cluster = make_ceph("apart")
    cluster.start()
    return cluster


class Writer:
    """A process that has a volume open as a node's QEMU has it."""

    def __init__(self, process: "subprocess.Popen[str]", key: bytes) -> None:
        self.process = process
        self._send(key.decode())

    def write(self, text: str = "x") -> str:
        """Write it at the beginning of the volume; returns "written", or the name of the error."""
        self._send(text)
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@pytest.fixture
def writing() -> Iterator[Callable[..., Writer]]:
    """Start processes that have a volume open with a node's key. `within`: a network namespace."""
    with ExitStack() as stack:

        def start(key: pb.VolumeKey, within: str = "") -> Writer:
            monitors = ",".join(f"v2:{each}" for each in key.monitors)
            namespace = ["ip", "netns", "exec", within] if within else []
            command = [*namespace, sys.executable, str(PROGRAM), monitors, key.client, key.pool, key.image]
            process = stack.enter_context(processes.running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            writer = Writer(process, key.key)
            assert writer.write() == "written"
            return writer

        yield start

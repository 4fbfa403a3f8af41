"""A cluster that does not answer: calls fail in time, and go on when it does."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from agents.lab.ceph import CephCluster
from agents.storage.errors import ClusterFailed
from agents.storage.servicer import CAPABILITIES
from agents.storage.workers import Access, Workers
from tests.agents.announcer.waiting import wait_until
from tests.agents.conftest import refusal
from tests.agents.specs import new_id
from tests.agents.storage.running import SIZE, SOURCE, StorageAgent
from tests.limits import PATIENCE_S


@contextmanager
def stopped(ceph: CephCluster, daemon: str) -> Iterator[None]:
    pids = ceph.pids(daemon)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def is_made(agent: StorageAgent, volume: str) -> bool:
    try:
        return agent.ensure(volume).size_bytes == SIZE
    except grpc.RpcError:
        return False


def test_cluster_that_is_silent_hangs_no_call(ceph: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    agent = StorageAgent(tmp_path_factory.mktemp("silent") / "agent", ceph, limit_s=2)
    volume = new_id()
    with agent.serving(), ThreadPoolExecutor() as threads:
        agent.learn(SOURCE)
        wait_until(lambda: agent.describe().health != "silent", "the cluster to be described")
        with stopped(ceph, "osd.0"):
            making = threads.submit(refusal, lambda: agent.ensure(volume))
            description, error = agent.describe(), making.result()
            assert (description.health, description.fsid) == ("silent", "")
            assert tuple(description.capabilities) == CAPABILITIES, "the agent's, not the cluster's"
            assert (error.code, error.is_retryable) == ("storage.cluster_silent", True)
            assert error.status is grpc.StatusCode.UNAVAILABLE
        wait_until(lambda: is_made(agent, volume), "the volume to be made after all")
        wait_until(lambda: agent.describe().health != "silent", "the cluster to be described again")


def test_agent_starts_without_its_cluster(ceph: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("process") / "agent"
    agent = StorageAgent(folder, ceph)
    with agent.process("--conf", folder / "missing.conf") as process:
        description = agent.describe()
        assert (description.health, list(description.pools)) == ("error", [])
        assert "Ceph failed" in description.problems[0]
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_refusal_of_the_ceph_user_is_reported(ceph: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    keyring = tmp_path_factory.mktemp("keyring") / "keyring"
    keyring.write_text("[client.andromede]\nkey = AQAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA==\n")
    workers = Workers(Access(str(ceph.conf), "andromede", str(keyring)), count=1, limit_s=60)
    try:
        with pytest.raises(ClusterFailed, match="Ceph failed"):
            workers.call("describe", pools=["volumes"])
    finally:
        workers.close()

"""Calls that wait for another one of the same volume: what they were allowed then, they need not be any more."""

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.node.locks import ResourceLocks
from agents.node.trust.clock import Clock, kept_elsewhere
from agents.protocol import storage_pb2 as pb
from agents.storage import server
from tests.agents.conftest import refusal
from tests.agents.specs import new_id
from tests.agents.storage.running import SIZE, SOURCE, StorageAgent
from tests.limits import PATIENCE_S
from tests.permits import now


class WatchedLocks(ResourceLocks):
    """Tells of each call that is about to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: queue.SimpleQueue[object] = queue.SimpleQueue()

    @contextmanager
    def hold(self, *resources: tuple[str, UUID | str]) -> Iterator[None]:
        self.asked.put(resources)
        with super().hold(*resources):
            yield


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> WatchedLocks:
    """The locks of the servers that are started next."""
    made = WatchedLocks()
    monkeypatch.setattr(server, "ResourceLocks", lambda: made)
    return made


@contextmanager
def busy(locks: WatchedLocks, volume: str) -> Iterator[None]:
    """Keep the volume's lock, as another call does."""
    with ResourceLocks.hold(locks, ("volume", volume)):
        while not locks.asked.empty():
            locks.asked.get()
        yield


@pytest.fixture
def agent(ceph: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> StorageAgent:
    return StorageAgent(tmp_path_factory.mktemp("waiting") / "agent", ceph)


def test_call_of_a_disconnected_caller_has_no_effect(agent: StorageAgent, locks: WatchedLocks) -> None:
    with agent.serving():
        agent.learn(SOURCE)
        volume, snapshot = agent.made(), new_id()
        asked: dict[str, Any] = {"volume_id": volume, "pool": POOL, "snapshot_id": snapshot, "size_bytes": SIZE}
        permit = agent.permit(volume, op="snapshot.create", snapshot=snapshot)
        with busy(locks, volume):
            call = agent.stub().EnsureSnapshot.future(pb.EnsureSnapshotRequest(permit=permit, **asked))
            locks.asked.get(timeout=PATIENCE_S)
            call.cancel()
            agent.describe()  # the server has read the end of the call when it answers a later one
        agent.close(volume)  # waits for the lock, too
        with ResourceLocks.hold(locks, ("volume", volume)):
            assert agent.snapshots(volume) == []


def test_permit_that_ends_while_its_call_waits_is_refused(agent: StorageAgent, locks: WatchedLocks) -> None:
    times: list[datetime] = []
    clock = Clock(lambda: times[-1] if times else now(), kept_elsewhere)
    with agent.serving(clock=clock), ThreadPoolExecutor() as threads:
        agent.learn(SOURCE)
        volume = agent.made()
        permit = agent.permit(volume, op="instance.start")
        with busy(locks, volume):
            opening = threads.submit(refusal, lambda: agent.open(volume, permit=permit))
            locks.asked.get(timeout=PATIENCE_S)
            times.append(now() + timedelta(minutes=20))
        assert opening.result().code == "agent.permit.expired"

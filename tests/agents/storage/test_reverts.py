"""Reverts that are interrupted after their copy has begun, on a real cluster: they are finished without a permit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from agents.lab.ceph import POOL, CephCluster
from agents.protocol import storage_pb2 as pb
from tests.agents.announcer.waiting import wait_until
from tests.agents.conftest import refusal
from tests.agents.specs import MIB, new_id
from tests.agents.storage.contents import digest, filled, write
from tests.agents.storage.running import SIZE, SOURCE, StorageAgent, as_worker

NEVER_S = 3600.0


@dataclass
class Interrupted:
    """A volume that has parts of two contents. `wanted`: the digest of the snapshot."""

    volume: str
    snapshot: pb.SnapshotState
    other: pb.SnapshotState
    wanted: str


@pytest.fixture
def agent(apart: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> StorageAgent:
    return StorageAgent(tmp_path_factory.mktemp("reverts") / "agent", apart)


@contextmanager
def half(*_: Any) -> Iterator[None]:
    """The process that copies ends."""
    import rbd

    raise rbd.Error("killed")
    yield


def interrupted(agent: StorageAgent, ceph: CephCluster, monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """Begin a revert, and end its process, which has copied the first of two objects, and has the lock.

    No agent takes part: one that serves finishes what it finds, and fences the process.
    """
    import rbd

    from agents.storage.worker import reverts, snapshots, volumes

    volume, (first, second) = new_id(), (new_id(), new_id())
    asked = {"volume": volume, "pool": POOL, "size_bytes": SIZE}
    with as_worker(agent.config.access) as cluster, monkeypatch.context() as patch:
        volumes.ensure(cluster, source=None, is_taken_over=False, **asked)
        write(ceph, volume, b"1")
        write(ceph, volume, b"2", 4 * MIB)
        snapshots.ensure(cluster, snapshot=first, **asked)
        wanted = digest(ceph, volume)
        write(ceph, volume, b"8")
        write(ceph, volume, b"9", 4 * MIB)
        snapshots.ensure(cluster, snapshot=second, **asked)
        patch.setattr(reverts, "reported", half)
        with pytest.raises(rbd.Error, match="killed"):
            reverts.revert(cluster, snapshot=first, generation=1, **asked)
    write(ceph, volume, b"1")
    snapshot, other = (pb.SnapshotState(volume_id=volume, snapshot_id=each) for each in (first, second))
    return Interrupted(volume, snapshot, other, wanted)


@contextmanager
def left_interrupted(agent: StorageAgent, ceph: CephCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interrupted]:
    """Serve, and interrupt a revert after the round in which the agent looks for them at its start."""
    found = interrupted(agent, ceph, monkeypatch)
    with agent.serving(trash_interval_s=NEVER_S):
        agent.learn(SOURCE)
        wait_until(lambda: digest(ceph, found.volume) == found.wanted, "the copy to be finished")
        yield interrupted(agent, ceph, monkeypatch)


def test_agent_finishes_a_revert_when_it_starts(
    agent: StorageAgent, apart: CephCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = interrupted(agent, apart, monkeypatch)
    assert digest(apart, left.volume) != left.wanted
    with agent.serving(trash_interval_s=NEVER_S):
        wait_until(lambda: digest(apart, left.volume) == left.wanted, "the copy to be finished")
        assert agent.finish_revert(left.snapshot)
        write(apart, left.volume, b"7")
        written = digest(apart, left.volume)
        assert agent.finish_revert(left.snapshot), "its answer was lost"
        assert digest(apart, left.volume) == written != left.wanted


def test_mixture_of_two_contents_is_used_for_nothing_before_the_call_that_finishes_it(
    agent: StorageAgent, apart: CephCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with left_interrupted(agent, apart, monkeypatch) as left:
        for attempt in (
            lambda: agent.open(left.volume),
            lambda: agent.snapshot(left.volume),
            lambda: agent.ensure(left.volume, 2 * SIZE),
            lambda: agent.drop(left.snapshot),
        ):
            error = refusal(attempt)
            assert (error.code, error.status) == ("storage.revert_unfinished", grpc.StatusCode.UNAVAILABLE)
            assert error.is_retryable
        assert agent.drop(left.other)
        assert agent.finish_revert(left.snapshot)
        assert digest(apart, left.volume) == left.wanted
        agent.open(left.volume)
        agent.close(left.volume)


def test_later_revert_replaces_one_that_was_interrupted(
    agent: StorageAgent, apart: CephCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with left_interrupted(agent, apart, monkeypatch) as left:
        agent.revert(left.other, generation=2)
        assert digest(apart, left.volume) == digest(apart, left.volume, left.other.snapshot_id)
        assert refusal(lambda: agent.finish_revert(left.snapshot)).code == "storage.stale_generation"
        agent.open(left.volume)
        agent.close(left.volume)


def test_later_revert_that_has_not_begun_opens_no_mixture(
    agent: StorageAgent, apart: CephCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with left_interrupted(agent, apart, monkeypatch) as left:
        assert not agent.finish_revert(left.other, generation=2)
        assert refusal(lambda: agent.open(left.volume)).code == "storage.revert_unfinished"
        assert agent.finish_revert(left.snapshot)
        agent.open(left.volume)
        agent.close(left.volume)


def test_revert_that_has_not_begun_is_not_begun_by_the_call_that_finishes(
    storage: StorageAgent, ceph: CephCluster
) -> None:
    volume = filled(storage, ceph)
    snapshot = storage.snapshot(volume)
    write(ceph, volume, b"9")
    before = digest(ceph, volume)
    assert not storage.finish_revert(snapshot)
    assert not storage.finish_revert(snapshot), "its answer was lost"
    error = refusal(lambda: storage.revert(snapshot, generation=1))
    assert (error.code, digest(ceph, volume)) == ("storage.stale_generation", before), "a call that was late"
    storage.revert(snapshot, generation=2)
    assert not storage.finish_revert(snapshot, generation=3)
    assert digest(ceph, volume) != before
    storage.open(volume)
    storage.close(volume)
    missing = pb.SnapshotState(volume_id=volume, snapshot_id="../x")
    assert refusal(lambda: storage.finish_revert(missing)).code == "agent.bad_request"
    assert not storage.finish_revert(pb.SnapshotState(volume_id=new_id(), snapshot_id=new_id()))

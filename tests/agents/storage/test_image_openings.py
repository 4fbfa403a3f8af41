"""Openings of images by the calls of the storage agent: each one takes several milliseconds, most of a call."""

from collections.abc import Callable
from typing import Any

import pytest

from agents.lab.ceph import POOL, CephCluster
from tests.agents.specs import MIB, new_id
from tests.agents.storage.running import SIZE, SOURCE, StorageAgent, as_worker

EXPECTED = {
    "make": 1,  # it is not there
    "open": 2,  # its parents, its clients
    "snapshot": 2,  # its clients
    "clone": 2,  # of the size of the snapshot
    "larger clone": 3,  # and grow it
    "open clone": 3,  # its parent
    "close": 1,
    "revert": 3,  # its snapshot, its clients, and to copy
    "remove": 1,
}


@pytest.fixture
def agent(apart: CephCluster, tmp_path_factory: pytest.TempPathFactory) -> StorageAgent:
    return StorageAgent(tmp_path_factory.mktemp("openings") / "agent", apart)


def test_a_call_opens_an_image_no_more_often_than_it_must(agent: StorageAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    import rbd

    from agents.storage.worker import openings, reverts, snapshots, volumes

    opened: list[object] = []

    class Counted(rbd.Image):  # type: ignore[misc]  # Debian's bindings have no types
        def __init__(self, *given: Any, **named: Any) -> None:
            opened.append(given)
            super().__init__(*given, **named)

    monkeypatch.setattr(rbd, "Image", Counted)
    counts: dict[str, int] = {}
    volume, clone, larger, snapshot = (new_id() for _ in range(4))
    source = {"pool": POOL, "volume": volume, "snapshot": snapshot}
    with as_worker(agent.config.access) as cluster:

        def count(what: str, call: Callable[..., object], **asked: object) -> None:
            before = len(opened)
            call(cluster, pool=POOL, **asked)
            counts[what] = len(opened) - before

        new = {"is_taken_over": False, "size_bytes": SIZE}
        count("make", volumes.ensure, volume=volume, source=None, **new)
        count("open", openings.open_volume, volume=volume, node=SOURCE)
        count("snapshot", snapshots.ensure, volume=volume, snapshot=snapshot, size_bytes=SIZE)
        count("clone", volumes.ensure, volume=clone, source=source, **new)
        count("larger clone", volumes.ensure, volume=larger, source=source, **(new | {"size_bytes": SIZE + MIB}))
        count("open clone", openings.open_volume, volume=clone, node=SOURCE)
        count("close", openings.close_volume, volume=volume, node=SOURCE, is_dead=True)
        asked = {"snapshot": snapshot, "size_bytes": SIZE, "generation": 1}
        count("revert", reverts.revert, volume=volume, **asked)
        for each in (larger, clone):
            count("remove", volumes.remove, volume=each)
        assert snapshots.remove(cluster, volume=volume, pool=POOL, snapshot=snapshot)
        assert volumes.remove(cluster, volume=volume, pool=POOL)
    assert counts == EXPECTED

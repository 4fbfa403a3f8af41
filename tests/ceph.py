"""Ceph clusters for tests; a plugin of pytest, so that a test in any folder can use them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.lab.ceph import CephCluster

FOLDER = Path(__file__).parents[1] / "var/test-ceph"


@pytest.fixture(scope="session")
def make_ceph() -> Iterator[Callable[[str], CephCluster]]:
    """Make clusters by name, not started. All are removed at the end, and those of killed test processes before."""
    for folder in FOLDER.glob("*"):
        if not Path("/proc", folder.name.split("-")[0]).exists():
            CephCluster(folder).remove()
    made: list[CephCluster] = []

    def make(name: str) -> CephCluster:
        made.append(CephCluster(FOLDER / f"{os.getpid()}-{name}"))
        return made[-1]

    yield make
    for cluster in made:
        cluster.remove()


@pytest.fixture(scope="session")
def ceph(make_ceph: Callable[[str], CephCluster]) -> CephCluster:
    """Return the test process's cluster, one OSD in memory: tests share it, and leave it running."""
    cluster = make_ceph("shared")
    cluster.start()
    return cluster

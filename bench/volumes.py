"""Benchmark of volumes in a Ceph cluster: create, snapshot, clone, revert, delete, each beside librbd itself in turns.

Ours is from the request to the end of the operation, through API, worker, signer and storage agent; a volume that is
made is also opened for its node. The floor is the same change of an RBD image by librbd, with the cluster's own key.
One OSD with its objects in a file. Needs root. `ARGS="--rounds 2"` takes less time.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents.lab.ceph import POOL, CephCluster
from bench.common import bench_cloud, print_progress, report, spread
from scripts.api import Api
from scripts.ceph_storage import TYPE, CephStorage
from scripts.control_plane import ROOT

ROUNDS, SIZE_GIB, WRITTEN_MIB = 20, 1, 64
MIB = 2**20
PORT = 8039
ACTS = ("create", "snapshot", "clone", "revert", "delete_clone", "delete_snapshot", "delete")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    cluster = CephCluster(ROOT / "var" / "bench-volumes-ceph")
    cluster.remove()
    with bench_cloud("volumes", is_fake=False, nodes=1) as (cloud, api), tempfile.TemporaryDirectory() as folder:
        (zone,) = cloud.zones.values()
        storage = CephStorage(cloud, cluster, Path(folder) / "agent", zone, PORT)
        try:
            storage.start()
            _, operator = cloud.make_project("bench-operator")
            with closing(Api(cloud.stack.url, operator)) as platform:
                storage.wait_for_pool(platform.get)
            report(compare(measure(api, cluster, rounds)))
        finally:
            storage.stop()
            cluster.remove()


def measure(api: Api, cluster: CephCluster, rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Return the seconds of each act: ours, and the floor's. One round before them is not counted."""
    samples: dict[str, tuple[list[float], list[float]]] = {act: ([], []) for act in ACTS}
    with cluster.client() as client, client.open_ioctx(POOL) as ioctx:
        for number in range(rounds + 1):
            print_progress(f"round {number} of {rounds}")
            turns: tuple[Ours | Floor, ...] = (Ours(api), Floor(ioctx))
            for place, turn in enumerate(turns):
                for act in ACTS:
                    if act == "revert":
                        write(ioctx, turn.image)
                    seconds = timed(getattr(turn, act))
                    if number:
                        samples[act][place].append(seconds)
    return samples


def timed(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def compare(samples: dict[str, tuple[list[float], list[float]]]) -> dict[str, Any]:
    document: dict[str, Any] = {"size_gib": SIZE_GIB, "written_mib": WRITTEN_MIB}
    for act, (ours, floor) in samples.items():
        mine, raw = spread(ours), spread(floor)
        document[act] = {
            "andromede": mine,
            "floor": raw,
            "over_floor_ms": round(mine["p50_ms"] - raw["p50_ms"], 1),
        }
    return document


def write(ioctx: Any, name: str) -> None:
    """Write to the image what a revert has to bring back."""
    import rbd  # Debian's build: the list of benchmarks is read without it

    with rbd.Image(ioctx, name) as image:
        for offset in range(0, WRITTEN_MIB * MIB, MIB):
            image.write(b"\1" * MIB, offset)
        image.flush()


class Ours:
    """A round through the API."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.image = ""

    def create(self) -> None:
        self.image = self._do("volumes", {"name": "data", "size_gib": SIZE_GIB, "volume_type": TYPE})["id"]

    def snapshot(self) -> None:
        self._do("snapshots", {"name": "then", "volume": "data"})

    def clone(self) -> None:
        self._do("volumes", {"name": "clone", "snapshot": "then"})

    def revert(self) -> None:
        self._do("volumes/data/actions/revert", {"snapshot": "then"})

    def delete_clone(self) -> None:
        self._api.delete_if_there("volumes/clone")

    def delete_snapshot(self) -> None:
        self._api.delete_if_there("snapshots/then")

    def delete(self) -> None:
        self._api.delete_if_there("volumes/data")

    def _do(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        answer = self._api.post(path, body)
        ended = self._api.wait(answer["operation"])
        if ended["state"] != "succeeded":
            raise SystemExit(f"{path}: {ended['error']}")
        return dict(answer)


class Floor:
    """A round by librbd."""

    def __init__(self, ioctx: Any) -> None:
        import rbd

        self._ioctx, self._rbd, self._open = ioctx, rbd.RBD(), rbd.Image
        self.image, self._clone = str(uuid4()), str(uuid4())

    def create(self) -> None:
        self._rbd.create(self._ioctx, self.image, SIZE_GIB * 2**30)

    def snapshot(self) -> None:
        with self._open(self._ioctx, self.image) as image:
            image.create_snap("then")

    def clone(self) -> None:
        self._rbd.clone(self._ioctx, self.image, "then", self._ioctx, self._clone, clone_format=2)

    def revert(self) -> None:
        with self._open(self._ioctx, self.image) as image:
            image.rollback_to_snap("then")

    def delete_clone(self) -> None:
        self._rbd.trash_move(self._ioctx, self._clone)

    def delete_snapshot(self) -> None:
        with self._open(self._ioctx, self.image) as image:
            image.remove_snap("then")

    def delete(self) -> None:
        self._rbd.trash_move(self._ioctx, self.image)


if __name__ == "__main__":
    main()

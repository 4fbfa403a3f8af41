"""Changes of volumes beside the raw tool: in a storage cluster beside librbd, of files beside qemu-img."""

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from agents.lab.ceph import POOL, CephCluster
from bench.common import print_progress
from scripts.api import Api
from scripts.ceph_storage import TYPE

SIZE_GIB, WRITTEN_MIB = 1, 64
MIB = 2**20
ACTS = ("create", "snapshot", "clone", "revert", "delete_clone", "delete_snapshot", "delete")
FILE_ACTS = ("create", "delete")

Samples = dict[str, tuple[list[float], list[float]]]


def changes(api: Api, cluster: CephCluster, rounds: int) -> Samples:
    """Return the seconds of each act in the cluster: ours, and the floor's. One round before them is not counted."""
    samples: Samples = {act: ([], []) for act in ACTS}
    with cluster.client() as client, client.open_ioctx(POOL) as ioctx:
        for number in range(rounds + 1):
            print_progress(f"changes, round {number} of {rounds}")
            turns: tuple[Ours | Floor, ...] = (Ours(api), Floor(ioctx))
            for place, turn in enumerate(turns):
                for act in ACTS:
                    if act == "revert":
                        write(ioctx, turn.image)
                    seconds = timed(getattr(turn, act))
                    if number:
                        samples[act][place].append(seconds)
    return samples


def file_changes(api: Api, folder: Path, rounds: int, volume_type: str) -> Samples:
    """Return the seconds of each act of an engine of files, as changes() does. `folder`: of the floor's files."""
    samples: Samples = {act: ([], []) for act in FILE_ACTS}
    for number in range(rounds + 1):
        print_progress(f"{volume_type}, round {number} of {rounds}")
        turns: tuple[_Files, ...] = (Ours(api, volume_type), FileFloor(folder))
        for place, turn in enumerate(turns):
            for act in FILE_ACTS:
                seconds = timed(getattr(turn, act))
                if number:
                    samples[act][place].append(seconds)
    return samples


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def carried_out(api: Api, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    """Request a change and wait for its end. Returns the answer to the request."""
    answer = api.post(path, dict(body))
    ended = api.wait(answer["operation"])
    if ended["state"] != "succeeded":
        raise SystemExit(f"{path}: {ended['error']}")
    return dict(answer)


def write(ioctx: Any, name: str) -> None:
    """Write to the image what a revert has to bring back."""
    import rbd  # Debian's build: the list of benchmarks is read without it

    with rbd.Image(ioctx, name) as image:
        for offset in range(0, WRITTEN_MIB * MIB, MIB):
            image.write(b"\1" * MIB, offset)
        image.flush()


class _Files(Protocol):
    def create(self) -> None: ...

    def delete(self) -> None: ...


class Ours:
    """A round through the API."""

    def __init__(self, api: Api, volume_type: str = TYPE) -> None:
        self._api = api
        self._type = volume_type
        self.image = ""

    def create(self) -> None:
        body = {"name": "data", "size_gib": SIZE_GIB, "volume_type": self._type}
        self.image = str(carried_out(self._api, "volumes", body)["id"])

    def snapshot(self) -> None:
        carried_out(self._api, "snapshots", {"name": "then", "volume": "data"})

    def clone(self) -> None:
        carried_out(self._api, "volumes", {"name": "clone", "snapshot": "then"})

    def revert(self) -> None:
        carried_out(self._api, "volumes/data/actions/revert", {"snapshot": "then"})

    def delete_clone(self) -> None:
        self._api.delete_if_there("volumes/clone")

    def delete_snapshot(self) -> None:
        self._api.delete_if_there("snapshots/then")

    def delete(self) -> None:
        self._api.delete_if_there("volumes/data")


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


class FileFloor:
    """A round by qemu-img."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"{uuid4()}.qcow2"

    def create(self) -> None:
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(self._file), f"{SIZE_GIB}G"], check=True)

    def delete(self) -> None:
        self._file.unlink()

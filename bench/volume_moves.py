"""Moves of detached volumes between a node's disk and a storage cluster, beside qemu-img with the same formats."""

import subprocess
from pathlib import Path
from uuid import uuid4

from agents.lab.ceph import POOL, CephCluster
from bench.common import print_progress
from bench.volume_changes import Samples, carried_out, timed
from scripts.api import Api
from scripts.ceph_storage import TYPE

LOCAL = "local"
PIECE_MIB = 64
TO_CLUSTER, TO_NODE = MOVES = ("to_cluster", "to_node")


def moves(api: Api, cluster: CephCluster, volumes: Path, rounds: int, size_mib: int) -> Samples:
    """Return the seconds of each move of so much data: ours, and qemu-img's. One round before them is not counted.

    `volumes`: the folder of the node's volumes.
    """
    samples: Samples = {move: ([], []) for move in MOVES}
    size_gib = -(-size_mib // 1024)
    for number in range(rounds + 1):
        print_progress(f"moves, round {number} of {rounds}")
        volume = carried_out(api, "volumes", {"name": "moved", "size_gib": size_gib, "volume_type": LOCAL})
        fill(volumes / f"{volume['id']}.qcow2", size_mib)
        floor = Floor(cluster, volumes.parent / f"{uuid4()}.qcow2", size_gib, size_mib)
        for move, to in ((TO_CLUSTER, TYPE), (TO_NODE, LOCAL)):
            ours = timed(lambda to=to: carried_out(api, "volumes/moved/actions/retype", {"volume_type": to}))  # type: ignore[misc]
            raw = timed(getattr(floor, move))
            if number:
                samples[move][0].append(ours)
                samples[move][1].append(raw)
        floor.remove()
        api.delete_if_there("volumes/moved")
    return samples


def fill(file: Path, size_mib: int) -> None:
    """Write data to a qcow2 file that nothing has open, in requests of at most PIECE_MIB."""
    pieces = [(at, min(PIECE_MIB, size_mib - at)) for at in range(0, size_mib, PIECE_MIB)]
    writes = [word for at, length in pieces for word in ("-c", f"write -q -P 7 {at}M {length}M")]
    subprocess.run(["qemu-io", "-f", "qcow2", *writes, str(file)], check=True, stdout=subprocess.DEVNULL)


class Floor:
    """A file that qemu-img copies to an image of the cluster, and back to a new file."""

    def __init__(self, cluster: CephCluster, file: Path, size_gib: int, size_mib: int) -> None:
        self._cluster, self._file, self._size = cluster, file, f"{size_gib}G"
        self._image = str(uuid4())
        self._rbd = f"rbd:{POOL}/{self._image}:conf={cluster.conf}"
        self._make(file)
        fill(file, size_mib)

    def to_cluster(self) -> None:
        import rbd  # Debian's build: the list of benchmarks is read without it

        with self._cluster.client() as client, client.open_ioctx(POOL) as ioctx:
            rbd.RBD().create(ioctx, self._image, int(self._size[:-1]) * 2**30)
        self._convert("qcow2", str(self._file), "raw", self._rbd)

    def to_node(self) -> None:
        target = self._file.with_suffix(".back")
        self._make(target)
        self._convert("raw", self._rbd, "qcow2", str(target), "--target-is-zero")

    def remove(self) -> None:
        import rbd

        for file in (self._file, self._file.with_suffix(".back")):
            file.unlink()
        with self._cluster.client() as client, client.open_ioctx(POOL) as ioctx:
            rbd.RBD().remove(ioctx, self._image)

    def _make(self, file: Path) -> None:
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(file), self._size], check=True)

    def _convert(self, source_format: str, source: str, target_format: str, target: str, *options: str) -> None:
        formats = ["-f", source_format, "-O", target_format]
        subprocess.run(["qemu-img", "convert", "-n", "-t", "writeback", *options, *formats, source, target], check=True)

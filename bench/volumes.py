"""Benchmark of volumes on each storage engine, each figure beside the raw tool (librbd, qemu-img, libvirt) in turns.

Ours is from the request to the end of the operation, through API, worker, signer and agents; a volume that is made in
the cluster is also opened for its node. The floor is the same by the raw tool, with the cluster's own key. The cluster
has one OSD with its objects in a file. Needs root.

`changes`: create, snapshot, clone, revert, delete. `moves`: retypes to another engine, in MB/s. `images`: one of
`--image-gib` to a started guest. `clones`: one to the first line on the console. `pauses`: how long a guest is paused
or frozen for the snapshots of its disks; for the consistency `filesystem` it is Debian, which boots for minutes.
`ARGS="--rounds 2 --only changes"` takes less time.
"""

import argparse
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from agents.lab import Lab
from agents.lab.ceph import CephCluster
from bench import volume_guests
from bench.common import bench_cloud, report, spread
from bench.volume_changes import Samples, changes, file_changes
from bench.volume_guests import Place
from bench.volume_moves import LOCAL, moves
from scripts.api import Api
from scripts.ceph_storage import TYPE, CephStorage
from scripts.cloud import POOL
from scripts.control_plane import ROOT

PARTS = ("changes", "moves", "images", "clones", "pauses")
CONSISTENCIES = ("crash", "filesystem")
ROUNDS, IMAGE_GIB, MOVE_MIB = 20, 10, 1024
MIB, MB = 2**20, 10**6
SIDES = ("andromede", "floor")
PORT = 8039
FOLDER = "in-folder"
ENGINES = (LOCAL, FOLDER, TYPE)
POOL_GIB = 64


def main() -> None:
    arguments = parsed()
    cluster = CephCluster(ROOT / "var" / "bench-volumes-ceph")
    cluster.remove()
    pool = Lab(ROOT / "var" / "bench-volumes" / "lab").pool_folder
    bench = bench_cloud("volumes", is_fake=False, nodes=1, pool=pool)
    with bench as (cloud, api), tempfile.TemporaryDirectory() as folder:
        (zone,) = cloud.zones.values()
        storage = CephStorage(cloud, cluster, Path(folder) / "agent", zone, PORT, size_gib=POOL_GIB)
        try:
            storage.start()
            _, operator = cloud.make_project("bench-operator")
            with closing(Api(cloud.stack.url, operator)) as platform:
                storage.wait_for_pool(platform.get)
                in_folder = {"id": FOLDER, "description": "In a folder that nodes mount.", "pool": POOL}
                platform.post("/v1/volume-types", in_folder)
                report(measured(Place(cloud, cluster, api, platform, arguments.image_gib), arguments))
        finally:
            storage.stop()
            cluster.remove()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--image-gib", type=int, default=IMAGE_GIB)
    parser.add_argument("--move-mib", type=int, default=MOVE_MIB)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; again for more")
    parser.add_argument("--consistency", choices=CONSISTENCIES, action="append", help="of the pauses; again for more")
    return parser.parse_args()


def measured(place: Place, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures by engine and act."""
    parts, rounds = arguments.only or PARTS, arguments.rounds
    own = place.cloud.node(place.name).agent_folder
    figures: dict[str, Any] = {engine: {} for engine in ENGINES}
    if "changes" in parts:
        figures[TYPE] |= compared(changes(place.api, place.cluster, rounds))
        for engine in (LOCAL, FOLDER):
            figures[engine] |= compared(file_changes(place.api, own, rounds, engine))
    if "moves" in parts:
        samples = moves(place.api, place.cluster, own / "volumes", rounds, arguments.move_mib)
        figures["moves"] = with_rates(compared(samples), arguments.move_mib)
    if "images" in parts:
        place.offer()
        for engine in ENGINES:
            figures[engine] |= compared(volume_guests.image_to_started(place, rounds, engine))
    if "clones" in parts:
        figures[TYPE] |= compared(volume_guests.clone_to_first_line(place, rounds))
    for consistency in arguments.consistency or CONSISTENCIES if "pauses" in parts else ():
        figures[TYPE] |= compared(volume_guests.pauses(place, rounds, consistency))
    return {"image_gib": arguments.image_gib, "move_mib": arguments.move_mib, **figures}


def compared(samples: Samples) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for act, (ours, floor) in samples.items():
        mine, raw = spread(ours), spread(floor)
        document[act] = {
            "andromede": mine,
            "floor": raw,
            "over_floor_ms": round(mine["p50_ms"] - raw["p50_ms"], 1),
            "ratio": round(mine["p50_ms"] / raw["p50_ms"], 2),
        }
    return document


def with_rates(figures: Mapping[str, Any], size_mib: int) -> dict[str, Any]:
    """Add the MB/s of each copy, whole operations in ours."""
    rates = {
        act: {f"{side}_mb_per_s": round(size_mib * MIB / MB / each[side]["p50_ms"] * 1000) for side in SIDES}
        for act, each in figures.items()
    }
    return {act: {**each, **rates[act]} for act, each in figures.items()}


if __name__ == "__main__":
    main()

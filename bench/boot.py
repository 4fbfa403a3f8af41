"""Benchmark of boots: from POST to "domain started" and to the guest's first console output, beside a floor.

The floor is libvirt's define and create of the same XML on the same node, one after the other. Needs root.

libvirt does not call the agent about the floor's guest, which has no permit: its folder of hooks is covered meanwhile.
`ARGS="--instances 2"` takes fewer.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import libvirt

from agents.lab import LabNode
from agents.node.hook.script import DEFAULT_PATH
from bench.common import bench_cloud, instance_body, moment, print_progress, report, spread
from scripts.api import Api
from scripts.polling import wait_until

INSTANCES = 20
HOOKS = DEFAULT_PATH.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=INSTANCES)
    instances = parser.parse_args().instances
    with bench_cloud("boot", is_fake=False, nodes=1) as (cloud, api):
        (name,) = cloud.zones
        _, operator = cloud.make_project("bench-operator")
        ours: list[tuple[float, float]] = []
        floor: list[tuple[float, float]] = []
        with closing(Api(cloud.stack.url, operator)) as platform:
            for number in range(instances + 1):
                print_progress(f"instance {number} of {instances}")
                wait_until(lambda: is_cordoned_without_hook(platform, name))
                pair = measure(api, cloud.node(name), f"boot-{number}")
                if number:  # the first one also brings the image to the node
                    ours.append(pair[0])
                    floor.append(pair[1])
        report(compare(ours, floor))


def is_cordoned_without_hook(platform: Api, name: str) -> bool:
    """Return whether the node is ready and has its hook; uncordon it then.

    A heartbeat during a floor reports no hook; the node is then cordoned, and gets no permits until the next heartbeat.
    """
    node = platform.get(f"/v1/nodes/{name}")
    is_sound = bool(node["state"] == "ready" and not node["trust"]["hook_problem"])
    if is_sound and node["is_cordoned"]:
        platform.post(f"/v1/nodes/{name}/actions/uncordon")
    return is_sound


def compare(ours: list[tuple[float, float]], floor: list[tuple[float, float]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for index, what in enumerate(("started", "first_console_line")):
        mine, raw = spread([pair[index] for pair in ours]), spread([pair[index] for pair in floor])
        document[what] = {
            "andromede": mine,
            "floor": raw,
            "over_floor_ms": round(mine["p50_ms"] - raw["p50_ms"], 1),
            "ratio": round(mine["p50_ms"] / raw["p50_ms"], 2),
        }
    return document


def measure(api: Api, node: LabNode, name: str) -> tuple[tuple[float, float], tuple[float, float]]:
    begun = time.time()
    instance = api.post("instances", instance_body(name))
    log = node.agent_folder / "instances" / instance["id"] / "console.log"
    first_line = seconds_until_longer(log, 0, begun)
    ended = api.wait(instance["operation"])
    started = next(step for step in ended["steps"] if step["name"] == "start")["finished_at"]
    floor = measure_baseline(node, instance["id"], log)
    api.wait(api.delete(f"instances/{name}")["operation"])
    return (moment(started) - begun, first_line), floor


def measure_baseline(node: LabNode, instance_id: str, log: Path) -> tuple[float, float]:
    """Measure the same domain by libvirt alone."""
    connection = libvirt.open(node.libvirt_uri)
    domain = connection.lookupByUUIDString(instance_id)
    xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    domain.destroy()
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    size = log.stat().st_size
    with without_hooks(node):
        begun = time.time()
        connection.defineXML(xml).create()
        started = time.time() - begun
    return started, seconds_until_longer(log, size, begun)


@contextmanager
def without_hooks(node: LabNode) -> Iterator[None]:
    """Cover libvirt's hooks in the node's mount namespace.

    The files themselves stay untouched: a change of one needs a restart of libvirtd.
    """
    empty = node.folder / "no-hooks"
    empty.mkdir(exist_ok=True)
    node.exec(["mount", "--bind", str(empty), str(HOOKS)])
    try:
        yield
    finally:
        node.exec(["umount", str(HOOKS)])


def seconds_until_longer(log: Path, size: int, begun: float) -> float:
    wait_until(lambda: log.exists() and log.stat().st_size > size, every_s=0.002, rarest_s=0.002)
    return time.time() - begun


if __name__ == "__main__":
    main()

"""Benchmark of the watcher: many nodes with a heartbeat every three seconds, its load and its delay.

The nodes are those of agents.node.fleet, 250 in a process: each has a server, TLS, a stream and a lease of its own.
"""

import argparse
import time
from datetime import datetime
from signal import SIGUSR1
from typing import Any

from bench import processes
from bench.common import UNLIMITED, print_progress
from bench.operation_load import OperationLoad, query, wait_for_operations
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import BIN, ROOT, Stack
from scripts.polling import wait_until

PORT, FIRST_PORT = 8010, 21000
ZONE = "fr-idf-1"
IN_A_PROCESS = 250
READY_LIMIT_S = 600
HEARTBEAT_LIMIT_S = 120
LOOK_EVERY_S = 1.0
MEASURED = ("watcher", "worker", "periodic", "signer", "postgresql")
STATES = "SELECT count(*) FILTER (WHERE state = 'ready' AND is_attested), count(*) FROM nodes_node"
OLDEST = "SELECT extract(epoch FROM clock_timestamp() - min(last_heartbeat_at)) FROM nodes_node"
UNREACHABLE = "SELECT count(*) FROM events_event WHERE kind = 'node.unreachable' AND created_at >= %s"
OFF = """
SELECT extract(epoch FROM power_state_at - %s) FROM compute_instance WHERE power_state = 'off' ORDER BY power_state_at
"""
REPORTED = """
SELECT extract(epoch FROM created_at - %s) FROM events_event WHERE kind = 'instance.stopped' ORDER BY created_at
"""


def measure(options: argparse.Namespace) -> dict[str, Any]:
    stack = Stack(ROOT / "var" / "bench-fleet", port=PORT, settings=UNLIMITED)
    cloud = Cloud(stack, {}, is_fake=True, log=print_progress)
    cloud.down()
    cloud.forget()
    try:
        stack.prepare()
        cloud.add_image("tiny")
        names = start(stack, options.nodes)
        stack.start()
        began = time.monotonic()
        wait_until(lambda: ready(stack) == options.nodes, limit_s=READY_LIMIT_S, or_else=lambda: f"{ready(stack)}")
        figures = {"nodes": options.nodes, "all_ready_after_s": round(time.monotonic() - began, 1)}
        print_progress(f"{options.nodes} nodes send heartbeats")
        figures |= watched(cloud, names, options.seconds)
        return figures | events(cloud, names, min(options.guests, options.nodes))
    finally:
        cloud.down()


def start(stack: Stack, count: int) -> list[str]:
    """Enrol the nodes and start the processes that serve them."""
    names = []
    for first in range(0, count, IN_A_PROCESS):
        name, port = f"fleet-{first // IN_A_PROCESS}", FIRST_PORT + first
        folder = stack.var / "agents" / name
        amount = min(IN_A_PROCESS, count - first)
        print_progress(f"{name}: {amount} nodes")
        stack.python("-m", "bench.node_enrolment", str(folder), str(port), str(amount), ZONE)
        command = ["-m", "agents.node.fleet", "--folder", str(folder), "--first-port", str(port)]
        stack.spawn(name, [str(BIN / "python"), *command])
        names.append(name)
    return names


def ready(stack: Stack) -> int:
    return int(query(stack, STATES)[0][0])


def watched(cloud: Cloud, names: list[str], seconds: int) -> dict[str, Any]:
    stack = cloud.stack
    since, before, ages = now(stack), cpu_s(cloud, names), []
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        time.sleep(LOOK_EVERY_S)
        ages.append(float(query(stack, OLDEST)[0][0]))
    taken = time.monotonic() - begun
    after = cpu_s(cloud, names)
    return {
        "percent_of_a_core": {name: round((after[name] - before[name]) * 100 / taken, 1) for name in after},
        "oldest_heartbeat_s": {"p50": round(sorted(ages)[len(ages) // 2], 1), "max": round(max(ages), 1)},
        "lost_meanwhile": int(query(stack, UNREACHABLE, since)[0][0]),
    }


def cpu_s(cloud: Cloud, names: list[str]) -> dict[str, float]:
    used = {name: reading.cpu_s for name, reading in processes.read(cloud).items() if name in MEASURED}
    running = [process for name in names if (process := cloud.stack.process(name))]
    return used | {"all nodes": sum(processes.family_cpu_s(process) for process in running)}


def events(cloud: Cloud, names: list[str], guests: int) -> dict[str, Any]:
    """Power off guests of many nodes at once; returns the moments of the rows' changes and of their events."""
    token, _ = cloud.make_project("bench")
    api = Api(cloud.stack.url, token, project="bench")
    api.post("networks", {"name": "lan", "cidr": "10.0.0.0/16"})
    accepted = OperationLoad(cloud, api, project="bench").ask("instances", guests)
    wait_for_operations(cloud.stack, accepted.begun, guests)
    api.close()
    off_at = now(cloud.stack)
    for name in names:
        if process := cloud.stack.process(name):
            process.send_signal(SIGUSR1)
    late = {"rows": after(cloud.stack, OFF, off_at, guests), "told": after(cloud.stack, REPORTED, off_at, guests)}
    return {"guests_that_power_off": guests, "known_after": late}


def after(stack: Stack, statement: str, moment: datetime, amount: int) -> dict[str, float]:
    """Return the seconds."""

    def found() -> list[float]:
        return [float(late) for (late,) in query(stack, statement, moment)]

    wait_until(lambda: len(found()) >= amount, limit_s=HEARTBEAT_LIMIT_S, or_else=lambda: f"{len(found())} of {amount}")
    late = found()
    return {"p50_s": round(late[len(late) // 2], 2), "max_s": round(late[-1], 2)}


def now(stack: Stack) -> datetime:
    moment: datetime = query(stack, "SELECT clock_timestamp()")[0][0]
    return moment

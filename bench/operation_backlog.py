"""Benchmark of a backlog: operations requested while no worker ran.

None may be lost or run twice, and the workers' memory must not grow.
"""

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import Any

import redis

from bench import processes
from bench.common import bench_cloud, print_progress
from bench.operation_load import ENDS, OperationLoad, query, wait_for_operations
from bench.throughput import ROOMY, WARM_UP, burst
from bench.workers import Workers
from scripts.cloud import Cloud

CLIENTS = 8
MEASURED = ("worker", "signer", "periodic", "redis", "postgresql")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with bench_cloud("queue", is_fake=True, agent_options=ROOMY) as (cloud, api):
        asker = OperationLoad(cloud, api, project="bench")
        burst(cloud, asker, "volumes", WARM_UP)
        return worked_off(cloud, asker, options.queued)


def worked_off(cloud: Cloud, asker: OperationLoad, amount: int) -> dict[str, Any]:
    with Workers(cloud).paused():
        print_progress(f"{amount} operations requested")
        accepted = asker.ask("volumes", amount, clients=CLIENTS)
        waiting = redis_length(cloud)
    memory: dict[str, dict[str, float]] = {}
    print_progress("processing the backlog")
    begun = now(cloud)
    wait_for_operations(cloud.stack, accepted.begun, amount, ends=ENDS, seen=at_half(cloud, memory, amount))
    memory["end"] = mib(cloud)
    taken = (now(cloud) - begun).total_seconds()
    return {
        "operations": amount,
        "messages_at_begin": waiting,
        "messages_at_end": redis_length(cloud),
        "seconds": round(taken, 1),
        "per_s": round(amount / taken, 1),
        **outcome(cloud, accepted.begun),
        "memory_mib": memory,
    }


def now(cloud: Cloud) -> datetime:
    moment: datetime = query(cloud.stack, "SELECT clock_timestamp()")[0][0]
    return moment


def at_half(cloud: Cloud, memory: dict[str, dict[str, float]], amount: int) -> Callable[[int], None]:
    def seen(number: int) -> None:
        if number and "begin" not in memory:  # a worker that has not begun is not there yet
            memory["begin"] = mib(cloud)
        if number * 2 >= amount and "half" not in memory:
            memory["half"] = mib(cloud)

    return seen


def mib(cloud: Cloud) -> dict[str, float]:
    readings = processes.read(cloud)
    return {name: round(readings[name].pss_mib, 1) for name in MEASURED}


def redis_length(cloud: Cloud) -> int:
    with redis.Redis(unix_socket_path=str(cloud.stack.var / "run" / "redis.sock")) as client:
        return int(client.llen("operations"))


def outcome(cloud: Cloud, since: datetime) -> dict[str, Any]:
    """Return the outcome of all operations, and the number of those whose end was published once."""
    states = query(
        cloud.stack, "SELECT state, count(*) FROM operations_operation WHERE created_at >= %s GROUP BY 1", since
    )
    rows = query(
        cloud.stack,
        "SELECT count(*) FILTER (WHERE told = 1), count(*) FILTER (WHERE told <> 1) FROM ("
        " SELECT count(e.id) AS told FROM operations_operation o"
        " LEFT JOIN events_event e ON e.operation_id = o.id AND e.kind = 'operation.' || o.state"
        " WHERE o.created_at >= %s GROUP BY o.id) AS ends",
        since,
    )
    return {"states": dict(states), "told_once": rows[0][0], "told_otherwise": rows[0][1]}

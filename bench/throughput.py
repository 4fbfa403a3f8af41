"""Benchmark of operations per second, with several worker processes, in turns with the floor."""

import argparse
import multiprocessing
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import create
from bench.common import bench_cloud, print_progress, spread
from bench.operation_load import OperationLoad, connected, wait_for_operations
from bench.workers import Workers
from scripts.cloud import Cloud
from scripts.control_plane import Stack

# Nodes that do not become full.
ROOMY = ("--fake-cores", "4096", "--fake-memory-mib", str(2**22), "--fake-disk-gib", "200000")
# Of the operations that are asked for here: their steps, when they are asked for and begun, and their end.
TRANSACTIONS = {"instances": 5 + 3, "volumes": 2 + 3}
WARM_UP = 10


def measure(options: argparse.Namespace) -> dict[str, Any]:
    with bench_cloud("operations", is_fake=True, agent_options=ROOMY) as (cloud, api):
        asker = OperationLoad(cloud, api, project="bench")
        for kind in TRANSACTIONS:
            burst(cloud, asker, kind, WARM_UP)
        figures = by_workers(cloud, asker, options)
        print_progress("burst as in bench.create")
        return figures | {"as_create_burst_4": create.burst(cloud, api, 4, options.operations)}


def by_workers(cloud: Cloud, asker: OperationLoad, options: argparse.Namespace) -> dict[str, Any]:
    """Measure by number of workers; one runs again afterwards."""
    prepare_baseline(cloud.stack)
    workers, figures = Workers(cloud), {}
    for count in options.workers:
        workers.be(count)
        burst(cloud, asker, "volumes", count)
        figures[f"workers_{count}"] = {kind: rounds(cloud, workers, asker, kind, options) for kind in TRANSACTIONS}
    workers.be(1)
    return figures


def rounds(
    cloud: Cloud, workers: Workers, asker: OperationLoad, kind: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Run rounds of ours and the floor, in turns."""
    ours, floor, answered = [], [], []
    before = workers.cpu_s()
    cpu = dict.fromkeys(before, 0.0)
    for number in range(options.rounds):
        print_progress(f"{options.operations} {kind} with {len(workers.names)} workers, round {number + 1}")
        before = workers.cpu_s()
        per_s, took = burst(cloud, asker, kind, options.operations)
        cpu = {name: cpu[name] + after - before[name] for name, after in workers.cpu_s().items()}
        ours.append(per_s)
        answered += took
        floor.append(baseline_per_s(cloud.stack, kind, options.operations, len(workers.names)))
    return {
        "per_s": round(statistics.median(ours), 1),
        "rounds": [round(each, 1) for each in ours],
        "floor_per_s": round(statistics.median(floor), 1),
        "ratio": round(statistics.median(a / b for a, b in zip(ours, floor, strict=True)), 3),
        "answered": spread(answered),
        "cpu_ms_each": {
            name: round(each * 1000 / options.operations / options.rounds, 1) for name, each in cpu.items()
        },
    }


def burst(cloud: Cloud, asker: OperationLoad, kind: str, amount: int) -> tuple[float, list[float]]:
    """Return operations per second, from the first request until the last end."""
    accepted = asker.ask(kind, amount)
    return amount / wait_for_operations(cloud.stack, accepted.begun, amount), accepted.answered_s


def prepare_baseline(stack: Stack) -> None:
    with connected(stack) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS floor")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS floor.operation (id serial PRIMARY KEY, position int, steps jsonb)"
        )


def baseline_per_s(stack: Stack, kind: str, amount: int, processes: int) -> float:
    """Return operations per second of their transactions alone."""
    context = multiprocessing.get_context("fork")
    shares = [amount // processes + (number < amount % processes) for number in range(processes)]
    begun = time.perf_counter()
    children = [context.Process(target=_run_baseline, args=(stack, share, TRANSACTIONS[kind])) for share in shares]
    for child in children:
        child.start()
    for child in children:
        child.join()
    if any(child.exitcode for child in children):
        raise SystemExit("The baseline has failed; its output is above.")
    return amount / (time.perf_counter() - begun)


def _run_baseline(stack: Stack, amount: int, transactions: int) -> None:
    def work(share: int) -> None:
        with connected(stack) as connection:
            for _ in range(share):
                statement = "INSERT INTO floor.operation (position, steps) VALUES (0, '[]') RETURNING id"
                ((row,),) = connection.execute(statement).fetchall()
                for position in range(1, transactions):
                    connection.execute(
                        'UPDATE floor.operation SET position = %s, steps = steps || \'{"state": "done"}\' '
                        "WHERE id = %s AND position = %s",
                        [position, row, position - 1],
                    )

    threads = min(stack.worker_threads, amount)
    if threads:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, [amount // threads + (n < amount % threads) for n in range(threads)]))

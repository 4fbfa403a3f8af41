"""Benchmark of the API: requests per second and latency with 1, 8 and 32 clients, beside a floor.

The floor is Django and REST framework alone (bench/baseline.py). Both alternate under the same gunicorn and PostgreSQL,
which flushes to disk: one row written, one read, a page of 50 read, among 10 000.

Accepted operations are not carried out: there are no workers here.

`ARGS="--rounds 2 --seconds 1 --rows 100"` takes less time; `ARGS="--only get post --clients 8"` measures these alone.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import psutil

from bench import processes
from bench.common import UNLIMITED, bench_database, print_progress, report
from bench.load import Bounds, Call, Run, run
from scripts.control_plane import ROOT, Stack
from scripts.polling import wait_until

PORT = 8030
FLOOR_PORT = 8032
ROWS = 10_000
CLIENTS = (1, 8, 32)
ROUTES = ("post", "get", "list")
ROUNDS = 5
SECONDS = 2.0
REQUESTS = 4_000  # of one turn at most
WARM_UP = Bounds(1.0, 200)


@dataclass(frozen=True)
class Side:
    """One of the two sides: a server, and its requests."""

    process: psutil.Process
    port: int
    calls: Mapping[str, Call]
    numbers: Iterator[int]


@dataclass(frozen=True)
class Turn:
    """One run of the load generator, with the CPU time of the server and PostgreSQL."""

    run: Run
    web_cpu_s: float
    postgresql_cpu_s: float

    @property
    def cpu_s(self) -> float:
        """Return the CPU seconds of each request; other processes disturb them less than the rate."""
        return (self.web_cpu_s + self.postgresql_cpu_s) / len(self.run.samples_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--only", nargs="+", choices=ROUTES, default=ROUTES)
    parser.add_argument("--clients", nargs="+", type=int, default=CLIENTS)
    arguments = parser.parse_args()
    stack = Stack(ROOT / "var" / "bench-api", port=PORT, settings=UNLIMITED)
    with bench_database(stack):
        sides = {"ours": start_ours(stack, arguments.rows), "floor": start_baseline(stack, arguments.rows)}
        bounds = Bounds(arguments.seconds, REQUESTS)
        figures: dict[str, Any] = {"rows": arguments.rows, "rounds": arguments.rounds}
        for route in arguments.only:
            figures[route] = {
                str(each): measure(stack, sides, route, each, bounds, arguments.rounds) for each in arguments.clients
            }
        report(figures)


def start_ours(stack: Stack, rows: int) -> Side:
    """Start the control plane's web process, with a full project."""
    from bench import sample_project

    print_progress(f"{rows} instances")
    instance_id = sample_project.fill(rows)
    stack.start_process("web")
    stack.wait_for_api()
    path = "/v1/projects/bench/instances"
    calls = {
        "post": Call("POST", path, 201, sample_project.TOKEN, lambda number: sample_project.body(f"new-{number}")),
        "get": Call("GET", f"{path}/{instance_id}", 200, sample_project.TOKEN),
        "list": Call("GET", f"{path}?limit=50", 200, sample_project.TOKEN),
    }
    return Side(running(stack, "web"), PORT, calls, count(1))


def start_baseline(stack: Stack, rows: int) -> Side:
    """Start the floor: the same gunicorn without our hooks, and a database of its own in the same PostgreSQL."""
    from bench import sample_project

    print_progress(f"{rows} rows of the baseline")
    stack.manage(
        "shell", "--command", "from django.db import connection as c; c.cursor().execute('CREATE DATABASE floor')"
    )
    fill = [sys.executable, "-m", "bench.baseline", str(rows)]
    filled = subprocess.run(fill, cwd=ROOT, env=stack.environment(), stdout=subprocess.PIPE, text=True, check=True)
    *options, _ = stack.commands()["web"]
    options[options.index("--bind") + 1] = f"127.0.0.1:{FLOOR_PORT}"
    config = options.index("--config")
    del options[config : config + 2]
    stack.spawn("floor", [*options, "bench.baseline"])
    machine = Call("GET", f"/machines/{filled.stdout.strip()}", 200)
    calls = {
        "post": Call("POST", "/machines", 201, body=lambda number: sample_project.body(f"new-{number}")),
        "get": machine,
        "list": Call("GET", "/machines", 200),
    }
    side = Side(running(stack, "floor"), FLOOR_PORT, calls, count(1))
    wait_until(lambda: bool(running(stack, "floor").net_connections()))
    return side


def running(stack: Stack, name: str) -> psutil.Process:
    process = stack.process(name)
    if process is None:
        raise SystemExit(f"{name} has ended; see {stack.var}/log/{name}.log.")
    return process


def measure(
    stack: Stack, sides: Mapping[str, Side], route: str, clients: int, bounds: Bounds, rounds: int
) -> dict[str, Any]:
    """The two in turns; who begins changes with each round."""
    print_progress(f"{route} with {clients} clients")
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for number in range(-1, rounds):
        for name in sorted(sides, reverse=bool(number % 2)):
            turn = take(stack, sides[name], route, clients, bounds if number >= 0 else WARM_UP)
            if number >= 0:
                turns[name].append(turn)
    pairs = list(zip(turns["ours"], turns["floor"], strict=True))
    ratios = sorted(ours.run.per_s / floor.run.per_s for ours, floor in pairs)
    return {
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "cpu_ratio": round(statistics.median(floor.cpu_s / ours.cpu_s for ours, floor in pairs), 2),
        **{name: described(taken) for name, taken in turns.items()},
    }


def take(stack: Stack, side: Side, route: str, clients: int, bounds: Bounds) -> Turn:
    web, postgresql = processes.family_cpu_s(side.process), processes.postgresql_cpu_s(stack)
    load_run = run(side.port, side.calls[route], clients, bounds, side.numbers)
    return Turn(load_run, processes.family_cpu_s(side.process) - web, processes.postgresql_cpu_s(stack) - postgresql)


def described(turns: Sequence[Turn]) -> dict[str, float]:
    """Return the figures. `load_share`: the load generator's part of the CPU time of all three."""
    samples = sorted(sample for turn in turns for sample in turn.run.samples_s)
    count_, seconds = len(samples), sum(turn.run.seconds for turn in turns)
    web, postgresql = sum(turn.web_cpu_s for turn in turns), sum(turn.postgresql_cpu_s for turn in turns)
    load = sum(turn.run.cpu_s for turn in turns)
    return {
        "n": count_,
        "per_s": round(count_ / seconds, 1),
        "p50_ms": round(samples[count_ // 2] * 1000, 2),
        "p99_ms": round(samples[min(count_ - 1, int(count_ * 0.99))] * 1000, 2),
        "web_cpu_ms": round(web * 1000 / count_, 2),
        "postgresql_cpu_ms": round(postgresql * 1000 / count_, 2),
        "load_share": round(load / (load + web + postgresql), 3),
    }


if __name__ == "__main__":
    main()

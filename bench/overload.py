"""Benchmark of overload: unauthenticated and slow clients.

Measured are GET /v1/healthz and the creation of an instance while 256 connections send the body of a request slowly and
256 long polls wait, beside the same server without them, in turns.

All requests pass nginx as the playbook configures it. There are no workers here. `ARGS="--rounds 1 --seconds 1"` takes
less time.
"""

import argparse
import select
import socket
import statistics
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

from bench.common import UNLIMITED, bench_database, print_progress, report
from bench.load import Bounds, Call, run
from scripts.control_plane import ROOT, Stack

PORT = 8034
ROWS = 100
SLOW, POLLS = 256, 256
ROUNDS, SECONDS, REQUESTS = 5, 2.0, 500
SETTINGS = UNLIMITED | {"LONG_POLLS_PER_CREDENTIAL": str(POLLS)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    stack = Stack(ROOT / "var" / "bench-overload", port=PORT, settings=SETTINGS, has_front=True)
    bounds = Bounds(arguments.seconds, REQUESTS)
    with bench_database(stack):
        token = start(stack)
        calls, numbers = routes(token), count(1)
        samples: dict[str, list[float]] = {f"{name}_{when}": [] for name in calls for when in ("quiet", "crowded")}
        for number in range(arguments.rounds):
            print_progress(f"round {number + 1}")
            for name, call in calls.items():
                samples[f"{name}_quiet"].append(median_ms(call, bounds, numbers))
            with crowd_of(token):
                for name, call in calls.items():
                    samples[f"{name}_crowded"].append(median_ms(call, bounds, numbers))
        report({"slow_bodies": SLOW, "long_polls": POLLS, **{name: found(samples, name) for name in calls}})


def start(stack: Stack) -> str:
    """Start the cloud. Returns the secret of a token."""
    from bench import sample_project

    sample_project.fill(ROWS)
    for name in ("web", "stream", "front"):
        stack.start_process(name)
    stack.wait_for_api()
    return sample_project.TOKEN


def routes(token: str) -> Mapping[str, Call]:
    from bench import sample_project

    create = Call(
        "POST", "/v1/projects/bench/instances", 201, token, lambda number: sample_project.body(f"new-{number}")
    )
    return {"healthz": Call("GET", "/v1/healthz", 200), "create": create}


def median_ms(call: Call, bounds: Bounds, numbers: Iterator[int]) -> float:
    return statistics.median(run(PORT, call, 1, bounds, numbers).samples_s) * 1000


@contextmanager
def crowd_of(token: str) -> Iterator[None]:
    """Keep all clients connected while the block runs."""
    head = "HTTP/1.1\r\nHost: localhost\r\n"
    post = f"POST /v1/sessions {head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
    poll = f"GET /v1/events?after=now&kind=image.*&wait=60s {head}Authorization: Bearer {token}\r\n\r\n"
    crowd: list[socket.socket] = []
    with ExitStack() as opened:
        for text in [post] * SLOW + [poll] * POLLS:
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", PORT), timeout=30))
            connection.sendall(text.encode())
            crowd.append(connection)
        yield
        answered, _, _ = select.select(crowd, [], [], 0)
        if answered:
            raise SystemExit(f"{len(answered)} of {len(crowd)} connections were answered or closed instead of waiting.")


def found(samples: Mapping[str, list[float]], name: str) -> dict[str, Any]:
    quiet, crowded = samples[f"{name}_quiet"], samples[f"{name}_crowded"]
    ratios = [there / here for there, here in zip(crowded, quiet, strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        "quiet_ms": round(statistics.median(quiet), 2),
        "crowded_ms": round(statistics.median(crowded), 2),
    }


if __name__ == "__main__":
    main()

"""Benchmark of operations through the API, Celery and fake nodes.

Measured are operations per second with 1, 2 and 4 worker processes, in turns with a floor; 1 000 nodes with heartbeats,
and their delay; and a backlog of 10 000 operations, of which none may be lost, with constant memory.

The floor has the guarantees of these operations and nothing else: a row, and a durable transaction at the request, at
the start, after each step and at the end; by as many processes, with as many threads each.

`ARGS="--parts throughput --operations 20 --rounds 1"` is a small one.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from bench import heartbeats, operation_backlog, throughput
from bench.common import report

PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "throughput": throughput.measure,
    "fleet": heartbeats.measure,
    "queue": operation_backlog.measure,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    report({part: PARTS[part](options) for part in options.parts})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench.operations", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--workers", nargs="+", type=int, default=[1, 2, 4], help="numbers of worker processes to measure"
    )
    parser.add_argument("--operations", type=int, default=100, help="operations of each kind in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", type=int, default=1000, help="nodes of the fleet")
    parser.add_argument("--seconds", type=int, default=60, help="seconds of the measurement of the idle fleet")
    parser.add_argument("--guests", type=int, default=100, help="guests that power off without an operation")
    parser.add_argument("--queued", type=int, default=10_000)
    return parser


if __name__ == "__main__":
    main()

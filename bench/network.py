"""Benchmark of networks: requests to first packets, packets between guests, a full node, and the control plane's share.

Needs root. `ARGS="--only traffic --rounds 3"` takes one part: requests, traffic, node, documents, identities.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from bench import identity_documents, network_documents, network_requests, network_traffic
from bench.common import print_progress, report

PARTS = ("requests", "traffic", "node", "documents", "identities")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--instances", type=int, default=10_000)
    arguments = parser.parse_args()
    figures = {}
    for name in arguments.only or PARTS:
        print_progress(name)
        # A process each: two of them have Django, which knows one database.
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            figures[name] = process.submit(measure, name, arguments).result()
    report(figures)


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "requests": lambda: network_requests.measure(arguments.rounds, arguments.members),
        "traffic": lambda: network_traffic.measure(arguments.rounds, arguments.seconds),
        "node": lambda: network_traffic.node_footprint(arguments.networks, 10, arguments.rounds),
        "documents": lambda: network_documents.measure(arguments.nodes, arguments.networks, arguments.rounds),
        "identities": lambda: identity_documents.measure(arguments.instances),
    }
    return parts[name]()


if __name__ == "__main__":
    main()

"""Cost of port rules for the control plane: what the signer compares and the reconciler asks, with pretended nodes.

No document is signed or sent. The floor is a count of the bindings in the same database.
"""

import time
from collections.abc import Callable
from typing import Any

from bench.common import bench_database, print_progress, spread
from scripts.control_plane import ROOT, Stack

PORT = 8019


def measure(nodes: int, networks: int, rounds: int) -> dict[str, Any]:
    """Measure with so many nodes and networks; each network has ten ports on nodes of one zone, in two groups."""
    with bench_database(Stack(ROOT / "var" / "bench-network-documents", port=PORT)):
        from bench import fleet_rows, network_rows  # with Django

        print_progress(f"{nodes} nodes, {networks} networks")
        fleet_rows.state_facts()
        fleet_rows.build(nodes)
        network_rows.build(networks)
        return _measure(rounds) | {"nodes": nodes, "networks": networks, "ports": 10 * networks}


def _measure(rounds: int) -> dict[str, Any]:
    from controlplane.network import port_rules_content as content
    from controlplane.network.models import PortBinding
    from controlplane.reconcilers import port_rules
    from controlplane.signer import port_rules as signer

    needed = content.needed_documents()
    one = next(key for key in needed if key.network is not None)
    ways: dict[str, Callable[[], object]] = {
        "floor_count_of_bindings": lambda: PortBinding.objects.count(),
        "signer_list_of_documents": content.needed_documents,
        "signer_content_of_one_list": lambda: content.payload(one, 1),
        "signer_comparison_of_all": lambda: list(signer.changed_documents(trusted=())),
        "reconciler_due": port_rules.due,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            started = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - started)
    return {"documents": len(needed), **{name: spread(times) for name, times in taken.items()}}

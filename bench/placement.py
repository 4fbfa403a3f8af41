"""Benchmark of decisions and claims over fleets of 100 to 100 000 nodes, in a PostgreSQL of its own, without agents.

`ARGS="--no-fsync"` leaves out the disk; `ARGS="--nodes 1000 10000"` measures these fleets alone.
"""

import argparse
import json
import time
from contextlib import suppress
from typing import Any

import psutil

from bench import claim_processes
from bench.common import bench_database, print_progress, report
from scripts.control_plane import ROOT, Stack

FLEETS = (100, 1_000, 10_000, 100_000)
PROCESSES = (1, 4, 8)
DECISIONS = 500
CLAIMS = 1_200
CHANGES = 40
LIMIT_S = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=FLEETS)
    parser.add_argument("--no-fsync", action="store_true")
    arguments = parser.parse_args()
    stack = Stack(ROOT / "var" / "bench-placement", is_durable=not arguments.no_fsync)
    with bench_database(stack):
        postmaster = psutil.Process(int((stack.var / "pg" / "postmaster.pid").read_text().split()[0]))
        report({"is_durable": stack.is_durable, "fleets": measure(arguments.nodes, postmaster)})


def measure(sizes: list[int], postmaster: psutil.Process) -> dict[int, Any]:
    from bench import fleet_rows

    fleet_rows.state_facts()
    project = fleet_rows.make_tenant()
    figures: dict[int, Any] = {}
    for nodes in sizes:
        print_progress(f"{nodes} nodes")
        fleet_rows.build(nodes)
        figures[nodes] = measure_fleet(project, postmaster)
    return figures


def measure_fleet(project: Any, postmaster: psutil.Process) -> dict[str, Any]:
    from controlplane.placement.models import Allocation

    document = reading() | deciding(project) | taking_up_a_node() | taking_up_a_fact(project)
    for processes in PROCESSES:
        print_progress(f"  claims by {processes} processes")
        bounds = claim_processes.Bounds(processes, CLAIMS, LIMIT_S)
        begun = cpu_s(postmaster)
        ours = claim_processes.together(claim_processes.claim, project.pk, bounds)
        ended = cpu_s(postmaster)
        first = Allocation.objects.earliest("pk")
        Allocation.objects.exclude(pk=first.pk).delete()
        between = cpu_s(postmaster)
        floor = claim_processes.together(claim_processes.run_baseline, project.pk, bounds)
        document[f"claim_{processes}"] = compare(ours, floor) | {
            "cpu_ms_per_claim": cpu_per_claim(ours, ended - begun),
            "floor_cpu_ms_per_claim": cpu_per_claim(floor, cpu_s(postmaster) - between),
        }
        Allocation.objects.all().delete()
    return document


def cpu_s(postmaster: psutil.Process) -> float:
    """Return PostgreSQL's CPU seconds so far: of the living servers, and of the postmaster with the ended ones."""
    total = 0.0
    for server in postmaster.children():
        with suppress(psutil.NoSuchProcess):
            total += sum(server.cpu_times()[:2])
    return total + sum(postmaster.cpu_times()[:4])


def cpu_per_claim(runs: list[claim_processes.Run], postgresql_s: float) -> dict[str, float]:
    claims = sum(len(run.samples_s) for run in runs)
    ours = sum(run.cpu_s for run in runs)
    return {"worker": round(ours * 1000 / claims, 2), "postgresql": round(postgresql_s * 1000 / claims, 2)}


def reading() -> dict[str, Any]:
    """Measure reading the whole fleet, which a process does once."""
    from andromede_core.placement.fleet import COLUMNS
    from controlplane.placement.fleet_cache import FleetCache

    begun = time.perf_counter()
    fleet = FleetCache().current()
    seconds = time.perf_counter() - begun
    columns = sum(getattr(fleet, name).nbytes for name in COLUMNS)
    return {"first_reading_ms": round(seconds * 1000, 1), "columns_mib": round(columns / 2**20, 2)}


def deciding(project: Any) -> dict[str, Any]:
    """Measure decisions, which are not stored.

    `decide`: the core alone; `decide_from_database`: with all of its inputs, read or found unchanged.
    """
    from andromede_core.placement.decide import decide
    from andromede_core.placement.decision import as_document
    from controlplane.placement.decisions import decide_placement
    from controlplane.placement.fleet_cache import FLEET

    decision = decide_placement(claim_processes.placement_request(project)).decision
    fleet, request, assessment = FLEET.current(), decision.request, decision.assessment
    alone, whole = claim_processes.Run(), claim_processes.Run()
    seeds = iter(range(DECISIONS))
    claim_processes.sample(alone, lambda: decide(request, fleet, assessment, seed=next(seeds)), DECISIONS, LIMIT_S)
    claim_processes.sample(
        whole, lambda: decide_placement(claim_processes.placement_request(project)), DECISIONS, LIMIT_S
    )
    return {
        "clauses": sum(len(policy.clauses) for policy in request.policies),
        "zones_admitted": len(decision.admitted_zones),
        "decide": latency(alone.samples_s),
        "decide_per_s": claim_processes.per_second([alone]),
        "decide_from_database": latency(whole.samples_s),
        "decide_from_database_per_s": claim_processes.per_second([whole]),
        "document_bytes": len(json.dumps(as_document(decision))),
    }


def taking_up_a_node() -> dict[str, Any]:
    """Measure the time from the commit of a change until a process that already knew the fleet has it."""
    from controlplane.nodes.models import Node
    from controlplane.placement.fleet_cache import FLEET

    node = Node.objects.earliest("pk")
    samples: list[float] = []
    for number in range(CHANGES):
        FLEET.current()
        Node.objects.filter(pk=node.pk).update(admin_state="cordoned" if number % 2 == 0 else "in-service")
        begun = time.perf_counter()
        fleet = FLEET.current()
        samples.append(time.perf_counter() - begun)
        assert fleet.is_cordoned[fleet.positions[str(node.pk)]] == (number % 2 == 0)
    return {"changed_node_taken_up": latency(samples)}


def taking_up_a_fact(project: Any) -> dict[str, Any]:
    """Measure a decision after the correction of a fact: all facts are read, and all clauses evaluated on all zones."""
    from bench import fleet_rows
    from controlplane.placement.decisions import decide_placement

    samples: list[float] = []
    for number in range(CHANGES):
        territory = ("US", "FR")[number % 2]
        fleet_rows.restate("fr-idf-1", "location.territory", territory)
        begun = time.perf_counter()
        decision = decide_placement(claim_processes.placement_request(project)).decision
        samples.append(time.perf_counter() - begun)
        assert ("fr-idf-1" in decision.admitted_zones) == (territory == "FR")
    return {"changed_fact_taken_up": latency(samples)}


def compare(runs: list[claim_processes.Run], floors: list[claim_processes.Run]) -> dict[str, Any]:
    claims = sum(len(run.samples_s) for run in runs)
    refused = sum(run.refused for run in runs)
    ours, floor = claim_processes.per_second(runs), claim_processes.per_second(floors)
    return {
        "claims": claims,
        "claims_per_s": ours,
        "claim": latency([sample for run in runs for sample in run.samples_s]),
        "conflicts_per_claim": round(refused / claims, 4),
        "rss_mib_of_a_process": round(max(run.rss_mib for run in runs), 1),
        "floor_per_s": floor,
        "floor": latency([sample for run in floors for sample in run.samples_s]),
        "ratio": round(ours / floor, 2),
    }


def latency(samples_s: list[float]) -> dict[str, float]:
    """Return the latency in milliseconds."""
    ordered = sorted(samples_s)
    return {
        "n": len(ordered),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 2),
    }


if __name__ == "__main__":
    main()

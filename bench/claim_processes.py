"""Processes that claim capacity as fast as they can, as workers do, and their floor.

The floor's processes write the same rows with SQL alone, on nodes chosen beforehand.
"""

import multiprocessing
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from typing import Any
from uuid import UUID

GATE_S = 120


@dataclass
class Run:
    """One run. `refused`: chosen places that were taken by the time of the claim."""

    samples_s: list[float] = field(default_factory=list)
    begun: float = 0.0
    ended: float = 0.0
    refused: int = 0
    cpu_s: float = 0.0
    rss_mib: float = 0.0


@dataclass(frozen=True)
class Bounds:
    """Limits: `count` claims over all processes; fewer if they take longer than `limit_s`."""

    processes: int
    count: int
    limit_s: float


def together(how: Callable[[UUID, int, float], Run], project_id: UUID, bounds: Bounds) -> list[Run]:
    """Run the function in this number of processes, which begin together."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(bounds.processes)
    with context.Pool(bounds.processes, initializer=_begin, initargs=(gate,)) as pool:
        job = (how, project_id, bounds.count // bounds.processes, bounds.limit_s)
        return pool.map(_run, [job] * bounds.processes, chunksize=1)


_gate: Barrier


def _begin(gate: Barrier) -> None:
    global _gate
    _gate = gate


def _run(job: tuple[Callable[..., Run], UUID, int, float]) -> Run:
    import django

    django.setup()
    how, project_id, count, limit_s = job
    return how(project_id, count, limit_s)


def claim(project_id: UUID, count: int, limit_s: float) -> Run:
    """Claim through the product's service."""
    import psutil

    from controlplane.identity.models import Project
    from controlplane.placement import claims
    from controlplane.placement import services as placement

    run = Run()
    insert = claims.insert_claim

    def counted(request: Any, taken: Any, node_id: UUID) -> Any:
        run.refused += 1
        allocation = insert(request, taken, node_id)
        run.refused -= allocation is not None
        return allocation

    claims.insert_claim = counted
    project = Project.objects.select_related("organization").get(pk=project_id)
    placement.check_placement(placement_request(project))  # the process is no longer cold: it knows the fleet
    _gate.wait(GATE_S)
    sample(run, lambda: placement.claim(placement_request(project)), count, limit_s)
    run.rss_mib = psutil.Process().memory_info().rss / 2**20
    return run


def placement_request(project: Any) -> Any:
    from controlplane.kernel.ids import new_id
    from controlplane.placement.decisions import PlacementRequest

    return PlacementRequest("instance.create", project, new_id(), "instance", vcpus=2, memory_mib=4096, disk_gib=20)


FLOOR_NODES = """
SELECT id FROM nodes_node JOIN nodes_inventory ON node_id = id WHERE memory_mib_used < 300000 AND zone_id = ANY(%s)
"""
FLOOR_DECISION = """
INSERT INTO placement_decision (id, created_at, updated_at, operation, consumer_id, is_admitted, document, project_id,
    facts_epoch, platform_version, organization_version, policies_id, roles, classifications, admitted_zones)
SELECT %s, now(), now(), operation, %s, is_admitted, document, project_id,
    facts_epoch, platform_version, organization_version, policies_id, roles, classifications, admitted_zones
FROM placement_decision WHERE id = %s
"""
FLOOR_EVIDENCE = """
INSERT INTO audit_evidencerecord (id, created_at, updated_at, kind, organization_id, project_id, resource_id,
    subject_id, stream, document, salt, content_hash)
SELECT %s, now(), now(), kind, organization_id, project_id, resource_id,
    subject_id, stream, document, salt, content_hash
FROM audit_evidencerecord WHERE id = %s
"""
FLOOR_ALLOCATION = """
INSERT INTO placement_allocation (id, created_at, updated_at, consumer_id, kind, vcpus, memory_mib, disk_gib, node_id,
    project_id, decision_id)
VALUES (%s, now(), now(), %s, 'instance', 2, 4096, 20, %s, %s, %s)
"""


def run_baseline(project_id: UUID, count: int, limit_s: float) -> Run:
    """Write the same rows by SQL alone: three inserts with all their triggers, and a commit.

    There is no decision: the stored one is a copy, and the nodes were chosen beforehand.
    """
    import psycopg
    from django.db import connection

    from controlplane.audit.models import EvidenceRecord
    from controlplane.kernel.ids import new_id
    from controlplane.placement.models import Allocation

    run = Run()
    like = Allocation.objects.filter(project=project_id).values_list("decision_id", "decision__admitted_zones").first()
    evidence = EvidenceRecord.objects.filter(kind="decision").first()
    assert like is not None and evidence is not None
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: parameters[name] for name in names if name in parameters}) as raw:
        nodes = [row[0] for row in raw.execute(FLOOR_NODES, [like[1]]).fetchall()]
        raw.commit()

        def write() -> None:
            consumer, decision = new_id(), new_id()
            raw.execute(FLOOR_DECISION, [decision, consumer, like[0]])
            raw.execute(FLOOR_EVIDENCE, [new_id(), evidence.pk])
            raw.execute(FLOOR_ALLOCATION, [new_id(), consumer, random.choice(nodes), project_id, decision])
            raw.commit()

        _gate.wait(GATE_S)
        sample(run, write, count, limit_s)
    return run


def sample(run: Run, call: Callable[[], object], count: int, limit_s: float) -> None:
    run.begun, cpu = time.time(), time.process_time()
    for _ in range(count):
        begun = time.perf_counter()
        call()
        run.samples_s.append(time.perf_counter() - begun)
        if time.time() - run.begun > limit_s:
            break
    run.ended, run.cpu_s = time.time(), time.process_time() - cpu


def per_second(runs: Sequence[Run]) -> float:
    total = sum(len(run.samples_s) for run in runs)
    return round(total / (max(run.ended for run in runs) - min(run.begun for run in runs)), 1)

"""Placement decisions, and their JSON form, which is stored with the operation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from andromede_core.documents.parsing import as_rfc3339
from andromede_core.facts.world import ZoneStatus
from andromede_core.placement.filters import ADMITTED, FILTERS
from andromede_core.placement.fleet import Fleet
from andromede_core.placement.request import ResolvedRequest, Resources
from andromede_core.policy.assessment import Assessment, ZoneVerdict
from andromede_core.policy.clauses import ClauseRef
from andromede_core.policy.evaluation import ClauseResult

SCHEMA = "andromede.placement.decision/2"
KEPT_NODES = 10  # node ids kept per list; counts always cover all nodes

Document = Mapping[str, Any]
Verdict = Literal["admitted", "no_capacity", "inadmissible", "unsatisfiable"]


@dataclass(frozen=True, slots=True)
class Elimination:
    """Nodes with this filter and reason as their first refusal.

    It has their number, and the first few by id when no node was admitted.
    """

    filter: str
    code: str
    count: int
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """The counts of a zone.

    `codes` counts the refused nodes by reason, `kept_out` those that policies or classifications refuse; `status` is
    None for an unknown zone.
    """

    zone: str
    status: ZoneStatus | None
    nodes: int
    admitted: int
    codes: Mapping[str, int]
    kept_out: int
    results: tuple[ClauseResult, ...]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A refused node that came close: every reason against it, what it lacks, and its free capacity."""

    node: str
    name: str
    zone: str
    codes: tuple[str, ...]
    shortfall: Mapping[str, int]
    free: Resources
    missing_traits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relaxation:
    """One change that alone would admit the request. `nodes` is how many nodes it would admit.

    `change` is the filter to relax, or "size" for a smaller request; `facts` has the extent:

    policy: policy, level, atom, zones · zone_asked, zone_open, routed: zones · traits: traits · size: vcpus,
    memory_mib, disk_gib · cleared, attested, ready, cordon, excluded: nodes (the first few) · host, pool,
    pool_room, pool_nearly_full, near, affinity, anti_affinity: nothing.
    """

    change: str
    nodes: int
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """The reasons of every node, computed on first use."""

    fleet: Fleet
    zones: tuple[ZoneVerdict, ...]
    first_refusal: NDArray[np.uint8]

    def refusals(self) -> dict[str, str]:
        codes = [[each.codes(zone)[0] for each in FILTERS] for zone in self.zones]
        refused = np.flatnonzero(self.first_refusal != ADMITTED)
        cells = zip(self.fleet.zone_index[refused].tolist(), self.first_refusal[refused].tolist(), strict=True)
        ids = (self.fleet.ids[position] for position in refused.tolist())
        return {node: codes[zone][reason] for node, (zone, reason) in zip(ids, cells, strict=True)}


@dataclass(frozen=True, slots=True)
class Decision:
    """A placement decision with its reasons.

    `admitted` nodes may take the request; `candidates` are the best of them, best first. Every other node is counted in
    exactly one of `eliminated`.

    `eliminated` has one entry per filter, in order, and one per reason where clauses give several; `zones` has one per
    zone, by id. `nearest` and `relaxations` are there when nothing was admitted. `verdict` is the cause: the
    policies contradict each other (unsatisfiable), no node may take the request whatever its size (inadmissible), or
    some may but have no room (no_capacity).
    """

    verdict: Verdict
    request: ResolvedRequest
    seed: int
    admitted: int
    candidates: tuple[str, ...]
    eliminated: tuple[Elimination, ...]
    zones: tuple[ZoneReport, ...]
    nearest: tuple[NearMiss, ...]
    relaxations: tuple[Relaxation, ...]
    assessment: Assessment = field(repr=False)
    nodes: Nodes = field(repr=False, compare=False)

    @property
    def is_admitted(self) -> bool:
        return self.admitted > 0

    @property
    def unsatisfiable(self) -> tuple[ClauseRef, ...]:
        return self.assessment.conflict

    @property
    def admitted_zones(self) -> tuple[str, ...]:
        return tuple(zone.zone for zone in self.zones if zone.admitted)

    @property
    def valid_until(self) -> datetime | None:
        """Return when an input of the decision may change by itself."""
        return self.assessment.valid_until

    def refusals(self) -> dict[str, str]:
        """Return the reason code of every refused node."""
        return self.nodes.refusals()


def as_document(decision: Decision) -> dict[str, object]:
    """Return plain JSON values; equal decisions give equal documents.

    Results of clauses are stored as numbers, since there are millions of decisions: a zone's `results` has, for each of
    `clauses` [policy, level, atom], an index into `outcomes` [result, code, detail]. `expand_results` reads them.
    """
    table = decision.assessment.table
    return {
        "schema": SCHEMA,
        "verdict": decision.verdict,
        "request": _request(decision.request),
        "seed": decision.seed,
        "candidates": {"count": decision.admitted, "nodes": list(decision.candidates)},
        "eliminated": [
            {"filter": each.filter, "code": each.code, "count": each.count, "nodes": list(each.nodes)}
            for each in decision.eliminated
        ],
        "clauses": table.clauses,
        "outcomes": table.outcomes,
        "zones": [
            {
                "zone": report.zone,
                "status": report.status,
                "nodes": report.nodes,
                "admitted": report.admitted,
                "codes": dict(report.codes),
                "results": table.results.get(report.zone, []),
            }
            for report in decision.zones
        ],
        "nearest": [_near_miss(miss) for miss in decision.nearest],
        "relaxations": [
            {"change": each.change, "nodes": each.nodes, "facts": dict(each.facts)} for each in decision.relaxations
        ],
        "unsatisfiable": [_ref(ref) for ref in decision.unsatisfiable],
        "sets": [
            {"kind": kind, "name": name, "valid_from": as_rfc3339(since)}
            for (kind, name), since in decision.assessment.sets.items()
        ],
    }


def expand_results(document: Document) -> dict[str, Any]:
    """Return the document with the results of every zone in words.

    They have the form [{policy, level, atom, result, code, detail}].
    """
    rest = {name: value for name, value in document.items() if name not in ("clauses", "outcomes")}
    zones = [{**zone, "results": _results(document, zone)} for zone in document["zones"]]
    return rest | {"zones": zones}


def _results(document: Document, zone: Document) -> list[dict[str, Any]]:
    outcomes = (document["outcomes"][number] for number in zone["results"])
    return [
        {"policy": policy, "level": level, "atom": clause, "result": result, "code": code, "detail": detail}
        for (policy, level, clause), (result, code, detail) in zip(document["clauses"], outcomes, strict=False)
    ]


def _request(request: ResolvedRequest) -> dict[str, object]:
    return {
        "consumer": request.consumer,
        "resources": request.resources._asdict(),
        "zones": None if request.zones is None else list(request.zones),
        "routed_to": sorted(request.routed_to),
        "mtu_zones": None if request.mtu_zones is None else sorted(request.mtu_zones),
        "traits": sorted(request.traits),
        "groups": [
            {"rule": group.rule, "is_hard": group.is_hard, "nodes": sorted(group.nodes)} for group in request.groups
        ],
        "near": sorted(request.near),
        "host": request.host,
        "excluded_nodes": sorted(request.excluded_nodes),
        "policies": [policy.id for policy in request.policies],
        "roles": list(request.roles),
        "classifications": list(request.classifications),
        "is_there": request.is_there,
        "pools": [{"pool": share.pool, "gib": share.gib} for share in request.shares],
    }


def _near_miss(miss: NearMiss) -> dict[str, object]:
    return {
        "node": miss.node,
        "name": miss.name,
        "zone": miss.zone,
        "codes": list(miss.codes),
        "shortfall": dict(miss.shortfall),
        "free": miss.free._asdict(),
        "missing_traits": list(miss.missing_traits),
    }


def _ref(ref: ClauseRef) -> dict[str, object]:
    return {"policy": ref.policy, "level": ref.level, "atom": ref.clause}

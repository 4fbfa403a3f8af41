"""What a decision says, and its JSON form, which is stored with the operation that asked for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .evaluate import AtomResult
from .facts import ZoneStatus
from .policy import AtomRef
from .reading import as_rfc3339
from .request import Request, Resources

SCHEMA = "andromede.placement.decision/1"
KEPT_NODES = 100  # node ids kept per list in a document; counts always cover all nodes

Verdict = Literal["admitted", "no_capacity", "inadmissible", "unsatisfiable"]


@dataclass(frozen=True, slots=True)
class Elimination:
    """The nodes whose first refusal was this filter's, for this reason."""

    filter: str
    code: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """`codes` counts the refused nodes by reason; `status` is None when nothing is known of the zone."""

    zone: str
    status: ZoneStatus | None
    nodes: int
    admitted: int
    codes: Mapping[str, int]
    results: tuple[AtomResult, ...]
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A refused node that came close: every reason against it, what it lacks, and what it has left."""

    node: str
    name: str
    zone: str
    codes: tuple[str, ...]
    shortfall: Mapping[str, int]
    free: Resources
    missing_traits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relaxation:
    """One change that alone would let the request through. `nodes` is how many nodes it would admit.

    `change` is the filter that would have to give way, or "size" for a smaller request; `facts` says how far:

    policy: policy, level, atom, zones · zone_asked, zone_open: zones · traits: traits · size: vcpus,
    memory_mib, disk_gib · ready, cordon, excluded: nodes (the first few) · near, affinity, anti_affinity:
    nothing.
    """

    change: str
    nodes: int
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Decision:
    """`candidates` are ranked, best first. Every other node is in exactly one of `eliminated`.

    `eliminated` has one entry per filter, in order, and one per reason where clauses give several; `zones` one per
    zone, by id.
    `verdict` tells apart why nothing was admitted: the policies contradict each other (unsatisfiable), no
    node may take the request whatever its size (inadmissible), or some may but have no room (no_capacity).
    `sets`: which version of the named sets and classes of schemes was used, by kind and name: since when it holds.
    """

    verdict: Verdict
    request: Request
    seed: int
    candidates: tuple[str, ...]
    eliminated: tuple[Elimination, ...]
    zones: tuple[ZoneReport, ...]
    nearest: tuple[NearMiss, ...]
    relaxations: tuple[Relaxation, ...]
    unsatisfiable: tuple[AtomRef, ...]
    sets: Mapping[tuple[str, str], datetime]

    @property
    def is_admitted(self) -> bool:
        return bool(self.candidates)

    def refusals(self) -> dict[str, str]:
        """The reason code of every refused node."""
        return {node: each.code for each in self.eliminated for node in each.nodes}


def as_document(decision: Decision) -> dict[str, object]:
    """Plain JSON values; equal decisions give equal documents. Long lists of nodes are cut at KEPT_NODES."""
    return {
        "schema": SCHEMA,
        "verdict": decision.verdict,
        "request": _request(decision.request),
        "seed": decision.seed,
        "candidates": _nodes(decision.candidates),
        "eliminated": [{"filter": each.filter, "code": each.code} | _nodes(each.nodes) for each in decision.eliminated],
        "zones": [_zone(report) for report in decision.zones],
        "nearest": [_near_miss(miss) for miss in decision.nearest],
        "relaxations": [
            {"change": each.change, "nodes": each.nodes, "facts": dict(each.facts)} for each in decision.relaxations
        ],
        "unsatisfiable": [_ref(ref) for ref in decision.unsatisfiable],
        "sets": [
            {"kind": kind, "name": name, "valid_from": as_rfc3339(since)}
            for (kind, name), since in decision.sets.items()
        ],
    }


def _nodes(nodes: tuple[str, ...]) -> dict[str, object]:
    return {"count": len(nodes), "nodes": list(nodes[:KEPT_NODES])}


def _request(request: Request) -> dict[str, object]:
    return {
        "consumer": request.consumer,
        "resources": request.resources._asdict(),
        "zones": None if request.zones is None else list(request.zones),
        "traits": sorted(request.traits),
        "groups": [
            {"rule": group.rule, "is_hard": group.is_hard, "nodes": sorted(group.nodes)} for group in request.groups
        ],
        "near": sorted(request.near),
        "excluded_nodes": sorted(request.excluded_nodes),
        "policies": [policy.id for policy in request.policies],
        "roles": list(request.roles),
        "is_there": request.is_there,
    }


def _zone(report: ZoneReport) -> dict[str, object]:
    return {
        "zone": report.zone,
        "status": report.status,
        "nodes": report.nodes,
        "admitted": report.admitted,
        "codes": dict(report.codes),
        "results": [
            _ref(each.ref) | {"result": each.result, "code": each.code, "detail": each.detail}
            for each in report.results
        ],
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


def _ref(ref: AtomRef) -> dict[str, object]:
    return {"policy": ref.policy, "level": ref.level, "atom": ref.atom}

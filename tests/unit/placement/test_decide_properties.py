"""Properties of every decision, for any fleet and request."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from andromede_core.facts.world import Zone
from andromede_core.placement.capacity import fits, largest
from andromede_core.placement.decide import admits, decide
from andromede_core.placement.decision import KEPT_NODES, Decision, Relaxation, as_document
from andromede_core.placement.explanation import operator, tenant, tenant_view
from andromede_core.placement.fleet import Fleet, NodeRow
from andromede_core.placement.ranking import TOLERANCE
from andromede_core.placement.request import ResolvedRequest, Resources
from andromede_core.policy.clauses import Policy
from tests.unit.placement.examples import (
    OPEN_ZONES,
    ask,
    assessed,
    node,
    policies,
    requests,
    row_lists,
    seeds,
    world_of,
    zone_lists,
)

Zones = list[Zone]
Rows = list[NodeRow]


def decided(request: ResolvedRequest, nodes: Fleet | Rows, zones: Zones, *, seed: int = 0) -> Decision:
    fleet = nodes if isinstance(nodes, Fleet) else Fleet.from_rows(nodes)
    return decide(request, fleet, assessed(request, world_of(zones)), seed=seed)


def admitted(decision: Decision, rows: Rows) -> set[str]:
    return {row.id for row in rows} - decision.refusals().keys()


def found(attribute: str, zone: Zone) -> object:
    timeline = zone.timeline(attribute)
    return zone.id if attribute == "zone.id" else timeline[0].value if timeline else None


def may_take(request: ResolvedRequest, row: NodeRow, zones: Zones) -> bool:
    """The rules once more, per node and without arrays."""
    zone = {zone.id: zone for zone in zones}.get(row.zone)
    clauses = [clause for policy in request.policies for clause in policy.clauses]
    hard = [group for group in request.groups if group.is_hard]
    return (
        zone is not None
        and zone.status == "open"
        and all(isinstance(clause.value, tuple) and found(clause.attr, zone) in clause.value for clause in clauses)
        and (request.zones is None or row.zone in request.zones)
        and row.is_ready
        and not row.is_cordoned
        and row.id not in request.excluded_nodes
        and request.traits <= row.traits
        and all(row.id == node for node in request.near)
        and all(not group.nodes or row.id in group.nodes for group in hard if group.rule == "affinity")
        and all(row.id not in group.nodes for group in hard if group.rule == "anti-affinity")
        and all(
            requested == 0 or used + requested <= capacity
            for requested, used, capacity in zip(request.resources, row.used, row.capacity, strict=True)
        )
    )


@given(requests, row_lists, zone_lists, seeds)
def test_exactly_the_nodes_that_keep_every_rule_are_admitted(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int
) -> None:
    decision = decided(request, rows, zones, seed=seed)
    may = {row.id for row in rows if may_take(request, row, zones)}
    assert admitted(decision, rows) == may
    assert decision.admitted == len(may)
    assert len(set(decision.candidates) & may) == len(decision.candidates) == min(len(may), KEPT_NODES)


@given(requests, row_lists, zone_lists, seeds)
def test_every_node_is_admitted_or_has_exactly_one_reason(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int
) -> None:
    decision = decided(request, rows, zones, seed=seed)
    refusals = decision.refusals()
    assert decision.admitted + sum(each.count for each in decision.eliminated) == len(rows)
    assert len(refusals) == len(rows) - decision.admitted
    for each in decision.eliminated:
        assert set(each.nodes) <= refusals.keys()
        assert len(each.nodes) == (0 if decision.is_admitted else min(each.count, KEPT_NODES))
    by_zone = Counter((row.zone, refusals[row.id]) for row in rows if row.id in refusals)
    assert by_zone == {(zone.zone, code): count for zone in decision.zones for code, count in zone.codes.items()}
    assert sum(zone.admitted for zone in decision.zones) == decision.admitted
    assert (decision.verdict == "admitted") == decision.is_admitted


@given(requests, row_lists, zone_lists, seeds)
def test_admission_check_agrees_with_the_decision(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int
) -> None:
    is_admitted = admits(request, Fleet.from_rows(rows), assessed(request, world_of(zones)))
    assert is_admitted == decided(request, rows, zones, seed=seed).is_admitted


@given(requests, row_lists, zone_lists, seeds, st.randoms())
def test_the_order_of_rows_and_zones_changes_nothing(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int, random: Random
) -> None:
    first = decided(request, rows, zones, seed=seed)
    random.shuffle(rows)
    random.shuffle(zones)
    repeated = decided(request, rows, zones, seed=seed)
    assert repeated == first
    assert repeated.refusals() == first.refusals()
    assert json.dumps(as_document(repeated)) == json.dumps(as_document(first))


@given(requests, row_lists, row_lists, zone_lists, seeds)
def test_updated_fleet_decides_like_a_new_one(
    request: ResolvedRequest, rows: Rows, later: Rows, zones: Zones, seed: int
) -> None:
    before = Fleet.from_rows(rows)
    was = decided(request, before, zones, seed=seed)
    updated = before.with_rows(later)
    anew = {row.id: row for row in (*rows, *later)}
    first, second = (decided(request, fleet, zones, seed=seed) for fleet in (updated, Fleet.from_rows(anew.values())))
    assert first == second
    assert first.refusals() == second.refusals()
    assert decided(request, before, zones, seed=seed) == was, "who still reads the older fleet sees no change"


@given(requests, policies, row_lists, zone_lists, seeds)
def test_another_policy_never_admits_more(
    request: ResolvedRequest, extra: Policy, rows: Rows, zones: Zones, seed: int
) -> None:
    loose = decided(request, rows, zones, seed=seed)
    tight = decided(_with(request, policies=(*request.policies, extra)), rows, zones, seed=seed)
    assert admitted(tight, rows) <= admitted(loose, rows)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), seeds)
def test_best_nodes_come_first_and_the_seed_orders_only_equal_ones(used: list[int], seed: int) -> None:
    size = Resources(vcpus=1000, memory_mib=1000, disk_gib=1000)
    rows = [node(f"n{number:02}", capacity=size, used=Resources(20 * n, 0, 0)) for number, n in enumerate(used)]
    amounts = {row.id: row.used.vcpus for row in rows}
    chosen = decided(ask(resources=Resources(1, 1, 1)), rows, list(OPEN_ZONES), seed=seed).candidates
    near_equal = 3 * 3 * TOLERANCE * size.vcpus  # a third of a score is the node's room, a third of that its vcpus
    for earlier, later in pairwise(chosen):
        assert amounts[earlier] <= amounts[later] + near_equal
    not_chosen = [amount for name, amount in amounts.items() if name not in chosen]
    assert (
        all(amounts[name] <= min(not_chosen) + near_equal for name in chosen)
        if not_chosen
        else len(chosen) == len(rows)
    )


@given(requests, row_lists, zone_lists, seeds)
def test_claims_one_after_the_other_never_oversell(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int
) -> None:
    assume(any(request.resources))
    request = _with(request, groups=())
    fleet = Fleet.from_rows(rows)
    promised = fits(request, fleet, assessed(request, world_of(zones)))
    state = {row.id: row for row in rows}
    claims = 0
    while (decision := decided(request, fleet, zones, seed=seed + claims)).is_admitted:
        chosen = state[decision.candidates[0]]
        used = Resources(*(have + more for have, more in zip(chosen.used, request.resources, strict=True)))
        changed = [now for now, before in zip(used, chosen.used, strict=True) if now != before]
        limits = [limit for limit, now, before in zip(chosen.capacity, used, chosen.used, strict=True) if now != before]
        assert all(now <= limit for now, limit in zip(changed, limits, strict=True))
        state[chosen.id] = chosen._replace(used=used)
        fleet = fleet.with_rows([state[chosen.id]])
        claims += 1
    assert claims == promised


@given(requests, row_lists, zone_lists, seeds)
def test_largest_size_fits_and_is_missing_only_when_none_fits(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int
) -> None:
    assume(any(request.resources))
    size = largest(request, Fleet.from_rows(rows), assessed(request, world_of(zones)))
    if size is None:
        assert not decided(request, rows, zones, seed=seed).is_admitted
    else:
        assert decided(_with(request, resources=size), rows, zones, seed=seed).is_admitted


@given(requests, row_lists, zone_lists, seeds)
def test_each_relaxation_admits_its_number_of_nodes(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int
) -> None:
    for relaxation in decided(request, rows, zones, seed=seed).relaxations:
        easier, ready_rows, open_zones = _relaxed(relaxation, request, rows, zones)
        assert decided(easier, ready_rows, open_zones, seed=seed).admitted == relaxation.nodes > 0, relaxation


def _relaxed(
    relaxation: Relaxation, request: ResolvedRequest, rows: Rows, zones: Zones
) -> tuple[ResolvedRequest, Rows, Zones]:
    """Apply the relaxation to request, rows and zones."""
    change, facts = relaxation.change, dict(relaxation.facts)
    if change == "zone_open":
        return request, rows, [replace(zone, status="open") for zone in zones]
    if change == "ready":
        return request, [row._replace(is_ready=True) for row in rows], zones
    if change == "cordon":
        return request, [row._replace(is_cordoned=False) for row in rows], zones
    return _with(request, **_easier(change, facts, request)), rows, zones


def _easier(change: str, facts: dict[str, Any], request: ResolvedRequest) -> dict[str, object]:
    rule = change.replace("_", "-")
    easier: dict[str, Callable[[], dict[str, object]]] = {
        "policy": lambda: {"policies": _without_clause(request.policies, facts)},
        "zone_asked": lambda: {"zones": tuple(facts["zones"])},
        "routed": lambda: {"routed_to": frozenset()},
        "mtu": lambda: {"mtu_zones": None},
        "excluded": lambda: {"excluded_nodes": frozenset()},
        "traits": lambda: {"traits": request.traits - set(facts["traits"])},
        "host": lambda: {"host": None},
        "near": lambda: {"near": frozenset()},
        "affinity": lambda: {"groups": tuple(group for group in request.groups if group.rule != rule)},
        "anti_affinity": lambda: {"groups": tuple(group for group in request.groups if group.rule != rule)},
        "size": lambda: {"resources": Resources(**facts)},
    }
    return easier[change]()


def _without_clause(layers: tuple[Policy, ...], facts: dict[str, Any]) -> tuple[Policy, ...]:
    return tuple(
        Policy(
            layer.id,
            layer.level,
            tuple(clause for clause in layer.clauses if (layer.id, clause.id) != (facts["policy"], facts["atom"])),
        )
        for layer in layers
    )


def _with(request: ResolvedRequest, **changes: Any) -> ResolvedRequest:
    fields = {name: getattr(request, name) for name in ResolvedRequest.__dataclass_fields__}
    return ResolvedRequest(**fields | changes)


@given(requests, row_lists, zone_lists, seeds, st.sampled_from(["en", "fr-FR", "de"]))
def test_stored_decision_is_explained_without_nodes_to_tenants(
    request: ResolvedRequest, rows: Rows, zones: Zones, seed: int, language: str
) -> None:
    named = [row._replace(name=f"secret-{row.id}") for row in rows]
    stored = json.loads(json.dumps(as_document(decided(request, named, zones, seed=seed))))
    explanation = tenant(stored, language)
    assert all(explanation) and (stored["verdict"] == "admitted" or len(explanation) > 1)
    assert operator(stored, language)[0] == explanation[0]
    visible = json.dumps([explanation, tenant_view(stored)])
    assert not any(row.id in visible for row in rows)

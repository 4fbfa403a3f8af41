"""What holds for every decision, whatever the fleet and the request."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from controlplane.placement.core.capacity import fits, largest
from controlplane.placement.core.decide import decide
from controlplane.placement.core.decision import Relaxation, as_document
from controlplane.placement.core.explain import operator, tenant, tenant_view
from controlplane.placement.core.facts import Zone
from controlplane.placement.core.filters import FILTERS
from controlplane.placement.core.fleet import Fleet, NodeRow
from controlplane.placement.core.policy import Policy
from controlplane.placement.core.request import Request, Resources
from tests.unit.placement.examples import NOW, policies, requests, row_lists, seeds, world_of, zone_lists

Zones = list[Zone]
Rows = list[NodeRow]


def may_take(request: Request, row: NodeRow, zones: Zones) -> bool:
    """The rules once more, per node and without arrays."""
    status = {zone.id: zone.status for zone in zones}.get(row.zone)
    values = [atom.value for policy in request.policies for atom in policy.atoms]
    hard = [group for group in request.groups if group.is_hard]
    return (
        status == "open"
        and all(isinstance(value, tuple) and row.zone in value for value in values)
        and (request.zones is None or row.zone in request.zones)
        and row.is_ready
        and not row.is_cordoned
        and row.id not in request.excluded_nodes
        and request.traits <= row.traits
        and all(row.id == node for node in request.near)
        and all(not group.nodes or row.id in group.nodes for group in hard if group.rule == "affinity")
        and all(row.id not in group.nodes for group in hard if group.rule == "anti-affinity")
        and all(
            asked == 0 or used + asked <= capacity
            for asked, used, capacity in zip(request.resources, row.used, row.capacity, strict=True)
        )
    )


@given(requests, row_lists, zone_lists, seeds)
def test_exactly_the_nodes_that_keep_every_rule_are_admitted(
    request: Request, rows: Rows, zones: Zones, seed: int
) -> None:
    decision = decide(request, Fleet.from_rows(rows), world_of(zones), now=NOW, seed=seed)
    assert set(decision.candidates) == {row.id for row in rows if may_take(request, row, zones)}


@given(requests, row_lists, zone_lists, seeds)
def test_every_node_is_admitted_or_has_exactly_one_reason(
    request: Request, rows: Rows, zones: Zones, seed: int
) -> None:
    decision = decide(request, Fleet.from_rows(rows), world_of(zones), now=NOW, seed=seed)
    named = [*decision.candidates, *(node for each in decision.eliminated for node in each.nodes)]
    assert sorted(named) == sorted(row.id for row in rows)
    assert set(decision.refusals().values()) <= {each.code for each in FILTERS}
    assert sum(zone.admitted + sum(zone.codes.values()) for zone in decision.zones) == len(rows)
    assert (decision.verdict == "admitted") == decision.is_admitted


@given(requests, row_lists, zone_lists, seeds, st.randoms())
def test_the_order_of_rows_and_zones_changes_nothing(
    request: Request, rows: Rows, zones: Zones, seed: int, random: Random
) -> None:
    first = decide(request, Fleet.from_rows(rows), world_of(zones), now=NOW, seed=seed)
    random.shuffle(rows)
    random.shuffle(zones)
    again = decide(request, Fleet.from_rows(rows), world_of(zones), now=NOW, seed=seed)
    assert again == first
    assert json.dumps(as_document(again)) == json.dumps(as_document(first))


@given(requests, policies, row_lists, zone_lists, seeds)
def test_another_policy_never_admits_more(request: Request, extra: Policy, rows: Rows, zones: Zones, seed: int) -> None:
    fleet = Fleet.from_rows(rows)
    loose = decide(request, fleet, world_of(zones), now=NOW, seed=seed)
    tight = decide(_with(request, policies=(*request.policies, extra)), fleet, world_of(zones), now=NOW, seed=seed)
    assert set(tight.candidates) <= set(loose.candidates)


@given(requests, row_lists, zone_lists, seeds)
def test_claims_one_after_the_other_never_oversell(request: Request, rows: Rows, zones: Zones, seed: int) -> None:
    assume(any(request.resources))
    request = _with(request, groups=())
    promised = fits(request, Fleet.from_rows(rows), world_of(zones), now=NOW)
    state = {row.id: row for row in rows}
    taken = 0
    while (
        decision := decide(request, Fleet.from_rows(state.values()), world_of(zones), now=NOW, seed=seed + taken)
    ).is_admitted:
        chosen = state[decision.candidates[0]]
        used = Resources(*(have + more for have, more in zip(chosen.used, request.resources, strict=True)))
        changed = [now for now, before in zip(used, chosen.used, strict=True) if now != before]
        limits = [limit for limit, now, before in zip(chosen.capacity, used, chosen.used, strict=True) if now != before]
        assert all(now <= limit for now, limit in zip(changed, limits, strict=True))
        state[chosen.id] = chosen._replace(used=used)
        taken += 1
    assert taken == promised


@given(requests, row_lists, zone_lists, seeds)
def test_the_largest_that_fits_does_fit_and_there_is_none_only_when_nothing_does(
    request: Request, rows: Rows, zones: Zones, seed: int
) -> None:
    assume(any(request.resources))
    fleet = Fleet.from_rows(rows)
    size = largest(request, fleet, world_of(zones), now=NOW)
    if size is None:
        assert not decide(request, fleet, world_of(zones), now=NOW, seed=seed).is_admitted
    else:
        assert decide(_with(request, resources=size), fleet, world_of(zones), now=NOW, seed=seed).is_admitted


@given(requests, row_lists, zone_lists, seeds)
def test_each_relaxation_alone_admits_as_many_nodes_as_it_says(
    request: Request, rows: Rows, zones: Zones, seed: int
) -> None:
    for relaxation in decide(request, Fleet.from_rows(rows), world_of(zones), now=NOW, seed=seed).relaxations:
        changed = _relaxed(relaxation, request, rows, zones)
        admitted = decide(changed[0], Fleet.from_rows(changed[1]), world_of(changed[2]), now=NOW, seed=seed).candidates
        assert len(admitted) == relaxation.nodes > 0, relaxation


def _relaxed(relaxation: Relaxation, request: Request, rows: Rows, zones: Zones) -> tuple[Request, Rows, Zones]:
    """What the relaxation proposes, done."""
    change, facts = relaxation.change, dict(relaxation.facts)
    if change == "zone_open":
        return request, rows, [Zone(zone.id) for zone in zones]
    if change == "ready":
        return request, [row._replace(is_ready=True) for row in rows], zones
    if change == "cordon":
        return request, [row._replace(is_cordoned=False) for row in rows], zones
    return _with(request, **_easier(change, facts, request)), rows, zones


def _easier(change: str, facts: dict[str, Any], request: Request) -> dict[str, object]:
    rule = change.replace("_", "-")
    easier: dict[str, Callable[[], dict[str, object]]] = {
        "policy": lambda: {"policies": _without_atom(request.policies, facts)},
        "zone_asked": lambda: {"zones": tuple(facts["zones"])},
        "excluded": lambda: {"excluded_nodes": frozenset()},
        "traits": lambda: {"traits": request.traits - set(facts["traits"])},
        "near": lambda: {"near": frozenset()},
        "affinity": lambda: {"groups": tuple(group for group in request.groups if group.rule != rule)},
        "anti_affinity": lambda: {"groups": tuple(group for group in request.groups if group.rule != rule)},
        "size": lambda: {"resources": Resources(**facts)},
    }
    return easier[change]()


def _without_atom(layers: tuple[Policy, ...], facts: dict[str, Any]) -> tuple[Policy, ...]:
    return tuple(
        Policy(
            layer.id,
            layer.level,
            tuple(atom for atom in layer.atoms if (layer.id, atom.id) != (facts["policy"], facts["atom"])),
        )
        for layer in layers
    )


def _with(request: Request, **changes: Any) -> Request:
    fields = {name: getattr(request, name) for name in Request.__dataclass_fields__}
    return Request(**fields | changes)


@given(requests, row_lists, zone_lists, seeds, st.sampled_from(["en", "fr-FR", "de"]))
def test_every_decision_can_be_told_from_its_stored_form_without_naming_nodes_to_tenants(
    request: Request, rows: Rows, zones: Zones, seed: int, language: str
) -> None:
    named = [row._replace(name=f"secret-{row.id}") for row in rows]
    stored = json.loads(
        json.dumps(as_document(decide(request, Fleet.from_rows(named), world_of(zones), now=NOW, seed=seed)))
    )
    told = tenant(stored, language)
    assert all(told) and (stored["verdict"] == "admitted" or len(told) > 1)
    assert operator(stored, language)[0] == told[0]
    seen = json.dumps([told, tenant_view(stored)])
    assert not any(row.id in seen for row in rows)

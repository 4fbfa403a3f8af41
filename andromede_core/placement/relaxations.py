"""Relaxations of a refused request: the nodes that came closest and the smallest single changes."""

from collections.abc import Iterator, Sequence

import numpy as np

from andromede_core.placement.decision import NearMiss, Relaxation
from andromede_core.placement.filters import ADMITTED, CAPACITY, FILTERS, Filter, FilterResult, Zones
from andromede_core.placement.fleet import Counts, Fleet, Mask, Positions, Scores
from andromede_core.placement.request import DIMENSIONS, ResolvedRequest, Resources
from andromede_core.policy.evaluation import UNSUPPORTED, ClauseResult

NEAREST = 5
NAMED_NODES = 5


def nearest(request: ResolvedRequest, fleet: Fleet, zones: Zones, filtered: FilterResult) -> tuple[NearMiss, ...]:
    """Return refused nodes, closest first: fewest reasons, then the latest first reason, then the least lacking."""
    stage = np.minimum(filtered.first_refusal, len(FILTERS) - len(CAPACITY))
    lacking = _relative_shortfall(request, fleet).sum(axis=0)
    # One number that orders as the three do: the stage is less than 32, the shortfall is scaled below 1.
    distance = filtered.refusals_of_each() * 32.0 - stage + lacking / (1 + lacking)
    refused = np.flatnonzero(filtered.first_refusal != ADMITTED)
    closest = _least(distance[refused], NEAREST)
    return tuple(
        _near_miss(request, fleet, zones, (position, filtered.failing(position)))
        for position in refused[closest].tolist()
    )


def _least(keys: Scores, count: int) -> Positions:
    """Return the positions of the smallest values, smallest first; among equals the first ones."""
    if len(keys) > count:
        limit = np.partition(keys, count - 1)[count - 1]
        pool = np.flatnonzero(keys <= limit)
    else:
        pool = np.arange(len(keys))
    ordered: Positions = pool[np.argsort(keys[pool], kind="stable")[:count]]
    return ordered


def _near_miss(request: ResolvedRequest, fleet: Fleet, zones: Zones, refused: tuple[int, list[Filter]]) -> NearMiss:
    position, by = refused
    zone = zones[fleet.zone_index[position]]
    lacking = _shortfall(request, fleet)[:, position].tolist()
    return NearMiss(
        node=fleet.ids[position],
        name=fleet.names[position],
        zone=zone.zone,
        codes=tuple(dict.fromkeys(code for each in by for code in each.codes(zone))),
        shortfall={name: amount for name, amount in zip(DIMENSIONS, lacking, strict=True) if amount},
        free=Resources(*fleet.free[:, position].tolist()),
        missing_traits=tuple(sorted(request.traits - _traits(fleet, position))),
    )


def _shortfall(request: ResolvedRequest, fleet: Fleet) -> Counts:
    requested = np.array(request.resources, dtype=np.int64)[:, np.newaxis]
    lacking: Counts = np.where(requested > 0, np.clip(requested - fleet.free, 0, None), 0)
    return lacking


def _relative_shortfall(request: ResolvedRequest, fleet: Fleet) -> Scores:
    """Return the part of the request that is lacking: 0 to 1, more where a node is overfull."""
    requested = np.maximum(np.array(request.resources), 1)[:, np.newaxis]
    relative: Scores = _shortfall(request, fleet) / requested
    return relative


def _traits(fleet: Fleet, position: int) -> set[str]:
    return {name for name, has in zip(fleet.dictionary.traits, fleet.traits[:, position], strict=True) if has}


def relaxations(request: ResolvedRequest, fleet: Fleet, zones: Zones, filtered: FilterResult) -> tuple[Relaxation, ...]:
    """Return the changes that alone would admit the request now; none when only several together would."""
    return (
        *_policy(fleet, zones, filtered),
        *_nodes("cleared", fleet, filtered),
        *_nodes("attested", fleet, filtered),
        *_zones("zone_asked", fleet, filtered),
        *_zones("routed", fleet, filtered),
        *_rule("host", filtered),
        *_zones("zone_open", fleet, filtered),
        *_nodes("ready", fleet, filtered),
        *_nodes("cordon", fleet, filtered),
        *_nodes("excluded", fleet, filtered),
        *_missing_traits(request, fleet, filtered),
        *_rule("pool", filtered),
        *_rule("near", filtered),
        *_rule("affinity", filtered),
        *_rule("anti_affinity", filtered),
        *_rule("pool_room", filtered),
        *_rule("pool_nearly_full", filtered),
        *_size(request, fleet, filtered),
    )


def _policy(fleet: Fleet, zones: Zones, filtered: FilterResult) -> Iterator[Relaxation]:
    """Return, per clause, the zones that only this clause refuses."""
    may = _names_of_zones(fleet, filtered.passing(but_for=("policy", "facts")))
    alone: dict[object, tuple[dict[str, object], list[str]]] = {}
    for zone in zones:
        if zone.zone in may and zone.status is not None and _is_one_clause(zone.failing):
            ref = zone.failing[0].ref
            facts: dict[str, object] = {"policy": ref.policy, "level": ref.level, "atom": ref.clause}
            alone.setdefault(ref, (facts, []))[1].append(zone.zone)
    for facts, names in alone.values():
        yield Relaxation("policy", sum(may[name] for name in names), {**facts, "zones": names})


def _is_one_clause(failing: Sequence[ClauseResult]) -> bool:
    """Tell if one clause that its owner could remove is the cause."""
    return len(failing) == 1 and failing[0].code != UNSUPPORTED


def _names_of_zones(fleet: Fleet, mask: Mask) -> dict[str, int]:
    """Count the mask's nodes by zone; zones without one are left out."""
    counts = np.bincount(fleet.zone_index[mask], minlength=len(fleet.dictionary.zones)).tolist()
    return {zone: count for zone, count in zip(fleet.dictionary.zones, counts, strict=True) if count}


def _zones(name: str, fleet: Fleet, filtered: FilterResult) -> Iterator[Relaxation]:
    counts = _names_of_zones(fleet, filtered.passing(but_for=(name,)))
    if counts:
        yield Relaxation(name, sum(counts.values()), {"zones": list(counts)})


def _nodes(name: str, fleet: Fleet, filtered: FilterResult) -> Iterator[Relaxation]:
    positions = np.flatnonzero(filtered.passing(but_for=(name,))).tolist()
    if positions:
        named = [fleet.ids[position] for position in positions[:NAMED_NODES]]
        yield Relaxation(name, len(positions), {"nodes": named})


def _missing_traits(request: ResolvedRequest, fleet: Fleet, filtered: FilterResult) -> Iterator[Relaxation]:
    """Return the fewest traits to drop."""
    requested = sorted(request.traits.intersection(fleet.dictionary.traits))
    columns = [fleet.dictionary.traits.index(trait) for trait in requested]
    node_traits = fleet.traits[columns][:, filtered.passing(but_for=("traits",))].T
    patterns, counts = np.unique(node_traits, axis=0, return_counts=True)  # thousands of nodes, few kinds of them
    missing = [request.traits - {requested[index] for index in np.flatnonzero(pattern)} for pattern in patterns]
    if missing:
        fewest = min(missing, key=lambda traits: (len(traits), sorted(traits)))
        admitted = sum(count for traits, count in zip(missing, counts.tolist(), strict=True) if traits <= fewest)
        yield Relaxation("traits", admitted, {"traits": sorted(fewest)})


def _rule(name: str, filtered: FilterResult) -> Iterator[Relaxation]:
    count = int(filtered.passing(but_for=(name,)).sum())
    if count:
        yield Relaxation(name, count, {})


def _size(request: ResolvedRequest, fleet: Fleet, filtered: FilterResult) -> Iterator[Relaxation]:
    """Return, per resource, the largest amount that alone would fit; if none does, the least cut of several."""
    single = [smaller for name in CAPACITY for smaller in _less_of(name, request, fleet, filtered)]
    yield from single or _less_of_several(request, fleet, filtered)


def _less_of(name: str, request: ResolvedRequest, fleet: Fleet, filtered: FilterResult) -> Iterator[Relaxation]:
    dimension = name.removeprefix("capacity.")
    free = fleet.free[DIMENSIONS.index(dimension), filtered.passing(but_for=(name,))]
    largest = int(free.max(initial=0))
    if largest > 0:
        smaller = request.resources._replace(**{dimension: largest})
        yield Relaxation("size", int((free >= largest).sum()), smaller._asdict())


def _less_of_several(request: ResolvedRequest, fleet: Fleet, filtered: FilterResult) -> Iterator[Relaxation]:
    requested = np.array(request.resources, dtype=np.int64)[:, np.newaxis]
    would_fit = np.where(requested > 0, np.minimum(requested, fleet.free), 0)
    some_of_all = ((would_fit > 0) | (requested == 0)).all(axis=0)
    positions = np.flatnonzero(filtered.passing(but_for=CAPACITY) & some_of_all)
    if len(positions):
        best = positions[_relative_shortfall(request, fleet).sum(axis=0)[positions].argmin()]
        admitted = int((would_fit[:, positions] >= would_fit[:, [best]]).all(axis=0).sum())
        yield Relaxation("size", admitted, Resources(*would_fit[:, best].tolist())._asdict())

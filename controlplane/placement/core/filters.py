"""Filters: which nodes may take a request. The first filter that refuses a node is its reason.

Admission comes first and capacity last, so that a lack of room is only ever reported for a node that may
otherwise take the request, and nobody buys machines to mend a refusal that has another cause.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .evaluate import AtomResult, evaluate
from .facts import World, ZoneStatus
from .fleet import Fleet, Mask
from .request import DIMENSIONS, Request, Rule


@dataclass(frozen=True, slots=True)
class ZoneVerdict:
    """`status` is None for a zone that nodes claim to be in and of which nothing is known. `valid_until`: when the
    results may change by themselves."""

    zone: str
    status: ZoneStatus | None
    results: tuple[AtomResult, ...]
    valid_until: datetime | None = None

    @property
    def failing(self) -> tuple[AtomResult, ...]:
        return tuple(result for result in self.results if result.result != "T")

    def codes(self, filter: "Filter") -> tuple[str, ...]:
        """Why the filter refuses nodes of this zone: for what is said of zones the clauses' own reasons, else its own.
        The first is the one that counts."""
        truth = {"policy": "F", "facts": "U"}.get(filter.name)
        own = (result.code for result in self.results if result.result == truth)
        return tuple(dict.fromkeys(own)) or (filter.code,)


def assess(request: Request, fleet: Fleet, world: World, *, now: datetime) -> tuple[ZoneVerdict, ...]:
    """The policies on every zone: first the fleet's, as in `fleet.zone_ids`, then those without nodes."""
    names = [*fleet.zone_ids, *sorted(world.zones.keys() - set(fleet.zone_ids))]
    return tuple(_verdict(name, request, world, now) for name in names)


def _verdict(name: str, request: Request, world: World, now: datetime) -> ZoneVerdict:
    zone = world.zones.get(name)
    found = evaluate(request.policies, zone, world, now=now, roles=request.roles)
    return ZoneVerdict(name, zone.status if zone else None, found.results, found.valid_until)


Zones = tuple[ZoneVerdict, ...]
Test = Callable[[Request, Fleet, Zones], Mask]


def _by_zone(fleet: Fleet, zones: Zones, admits: Callable[[ZoneVerdict], bool]) -> Mask:
    flags = np.array([admits(zone) for zone in zones[: len(fleet.zone_ids)]], dtype=np.bool_)
    spread: Mask = flags[fleet.zone_index]
    return spread


def policies_hold(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    return _by_zone(fleet, zones, lambda zone: all(result.result != "F" for result in zone.results))


def facts_are_known(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    return _by_zone(
        fleet,
        zones,
        lambda zone: zone.status is not None and all(result.result != "U" for result in zone.results),
    )


def zone_is_asked_for(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    return _by_zone(fleet, zones, lambda zone: request.zones is None or zone.zone in request.zones)


def zone_is_open(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    return _by_zone(fleet, zones, lambda zone: request.is_there or zone.status == "open")


def node_is_ready(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    return fleet.is_ready | request.is_there


def node_is_not_cordoned(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    return ~fleet.is_cordoned | request.is_there


def node_is_not_excluded(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    return ~fleet.mask_of(request.excluded_nodes)


def node_has_traits(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    if not request.traits <= set(fleet.trait_names):
        return np.zeros(len(fleet), dtype=np.bool_)
    columns = [fleet.trait_names.index(trait) for trait in sorted(request.traits)]
    has_all: Mask = np.logical_and.reduce(fleet.traits[:, columns], axis=1)
    return has_all


def node_is_near(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    if len(request.near) > 1:
        return np.zeros(len(fleet), dtype=np.bool_)
    return fleet.mask_of(request.near) if request.near else np.ones(len(fleet), dtype=np.bool_)


def node_is_with_group(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    mask = np.ones(len(fleet), dtype=np.bool_)
    for nodes in _hard(request, "affinity"):
        if nodes:
            mask &= fleet.mask_of(nodes)
    return mask


def node_is_apart_from_group(request: Request, fleet: Fleet, zones: Zones) -> Mask:
    mask = np.ones(len(fleet), dtype=np.bool_)
    for nodes in _hard(request, "anti-affinity"):
        mask &= ~fleet.mask_of(nodes)
    return mask


def _hard(request: Request, rule: Rule) -> list[frozenset[str]]:
    return [group.nodes for group in request.groups if group.is_hard and group.rule == rule]


def _has_room(dimension: str) -> Test:
    column = DIMENSIONS.index(dimension)

    def test(request: Request, fleet: Fleet, zones: Zones) -> Mask:
        asked = request.resources[column]
        if asked == 0:  # asks nothing of it: a node that is overfull there may still take the request
            return np.ones(len(fleet), dtype=np.bool_)
        room: Mask = fleet.free[:, column] >= asked
        return room

    return test


class Filter(NamedTuple):
    """`name` is the rule as a decision counts it, `code` the reason it gives where no clause gives a more precise one:
    a closed list, never renamed."""

    name: str
    code: str
    test: Test


CAPACITY_FILTERS = tuple(
    Filter(f"capacity.{dimension}", "NO_CAPACITY", _has_room(dimension)) for dimension in DIMENSIONS
)

FILTERS = (
    Filter("policy", "ATTR_MISMATCH", policies_hold),
    Filter("facts", "ATTR_UNKNOWN", facts_are_known),
    Filter("zone_asked", "ZONE_NOT_ASKED", zone_is_asked_for),
    Filter("zone_open", "ZONE_CLOSED", zone_is_open),
    Filter("ready", "NODE_NOT_READY", node_is_ready),
    Filter("cordon", "NODE_CORDONED", node_is_not_cordoned),
    Filter("excluded", "NODE_EXCLUDED", node_is_not_excluded),
    Filter("traits", "TRAIT_MISSING", node_has_traits),
    Filter("near", "NOT_NEAR", node_is_near),
    Filter("affinity", "NOT_WITH_GROUP", node_is_with_group),
    Filter("anti_affinity", "NOT_APART_FROM_GROUP", node_is_apart_from_group),
    *CAPACITY_FILTERS,
)

CAPACITY = tuple(each.name for each in CAPACITY_FILTERS)
_POSITIONS = {each.name: position for position, each in enumerate(FILTERS)}


@dataclass(frozen=True, slots=True, eq=False)
class Sieve:
    """What every filter says of every node: `masks[f, n]` is whether filter f lets node n pass."""

    masks: Mask

    def passing(self, *, but_for: tuple[str, ...] = ()) -> Mask:
        """Nodes that pass every filter, these not counted."""
        kept = [position for name, position in _POSITIONS.items() if name not in but_for]
        mask: Mask = np.logical_and.reduce(self.masks[kept], axis=0)
        return mask

    def first_refusal(self) -> NDArray[np.intp]:
        """The position in FILTERS of each node's reason; len(FILTERS) for a node that passes all."""
        first: NDArray[np.intp] = np.where(self.masks.all(axis=0), len(FILTERS), self.masks.argmin(axis=0))
        return first


def sift(request: Request, fleet: Fleet, zones: Zones) -> Sieve:
    return Sieve(np.stack([each.test(request, fleet, zones) for each in FILTERS]))

"""Filters: which nodes may take a request. The first filter that refuses a node is its reason.

Admission comes first and capacity last, so a lack of capacity is only reported for a node that may otherwise take the
request, and no operator buys machines for a refusal that has another cause.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from andromede_core.permits.trust_documents import ANY, PUBLIC
from andromede_core.placement.fleet import Fleet, Mask
from andromede_core.placement.request import DIMENSIONS, ResolvedPoolRequirement, ResolvedRequest, Rule
from andromede_core.policy.assessment import ZoneVerdict

Zones = tuple[ZoneVerdict, ...]  # as in fleet.dictionary.zones
Test = Callable[[ResolvedRequest, Fleet, Zones], Mask | None]  # which nodes pass; None: all do


def _by_zone(fleet: Fleet, flags: list[bool]) -> Mask | None:
    if all(flags):
        return None
    spread: Mask = np.array(flags, dtype=np.bool_)[fleet.zone_index]
    return spread


def policies_hold(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return _by_zone(fleet, [not zone.is_refused for zone in zones])


def facts_are_known(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return _by_zone(fleet, [zone.status is not None and not zone.is_doubted for zone in zones])


def node_is_cleared(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    """Check that the node's charter allows the data; a node without a charter gets no data."""
    requested = set(request.classifications)
    flags = [
        bool(clearances) and (ANY in clearances or requested.issubset(clearances))
        for clearances in fleet.dictionary.clearances
    ]
    if all(flags):
        return None
    cleared: Mask = np.array(flags, dtype=np.bool_)[fleet.clearance_index]
    return cleared


def node_is_attested(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return fleet.is_attested if set(request.classifications) - {PUBLIC} else None


def zone_is_asked_for(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    requested = request.zones
    return None if requested is None else _by_zone(fleet, [zone.zone in requested for zone in zones])


def addresses_are_routed_there(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    if not request.routed_to:
        return None
    return _by_zone(fleet, [request.routed_to == {zone.zone} for zone in zones])


def packets_are_carried(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    carrying = request.mtu_zones
    return None if carrying is None else _by_zone(fleet, [zone.zone in carrying for zone in zones])


def node_is_the_host(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return None if request.host is None else fleet.mask_of({request.host})


def zone_is_open(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return None if request.is_there else _by_zone(fleet, [zone.status == "open" for zone in zones])


def node_is_ready(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return None if request.is_there else fleet.is_ready


def node_is_not_cordoned(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return None if request.is_there else ~fleet.is_cordoned


def node_is_not_excluded(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return ~fleet.mask_of(request.excluded_nodes) if request.excluded_nodes else None


def node_has_traits(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    if not request.traits:
        return None
    if not request.traits <= set(fleet.dictionary.traits):
        return np.zeros(len(fleet), dtype=np.bool_)
    rows = [fleet.dictionary.traits.index(trait) for trait in sorted(request.traits)]
    has_all: Mask = np.logical_and.reduce(fleet.traits[rows], axis=0)
    return has_all


def node_has_pools(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    """Check the pools: in a zone where the pool counts, and by the node's own trait."""
    return _all_of([mask for share in request.shares for mask in _holders(share, fleet, zones)])


def _holders(share: ResolvedPoolRequirement, fleet: Fleet, zones: Zones) -> tuple[Mask, Mask]:
    names, free_gib = fleet.dictionary.traits, dict(share.free_gib)
    has_it: Mask = (
        fleet.traits[names.index(share.trait)] if share.trait in names else np.zeros(len(fleet), dtype=np.bool_)
    )
    counts = _by_zone(fleet, [zone.zone in free_gib for zone in zones])
    return has_it, counts if counts is not None else has_it


def pool_has_room(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    masks = [_by_zone(fleet, [_has_share(share, zone.zone) for zone in zones]) for share in request.shares]
    return _all_of([mask for mask in masks if mask is not None])


def _has_share(share: ResolvedPoolRequirement, zone: str) -> bool:
    """Check the free space of a pool; an overfull pool admits requests that add nothing."""
    return share.gib == 0 or dict(share.free_gib).get(zone, 0) >= share.gib


def pool_takes_more(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    """Check that the pools take new data; a nearly full one admits requests that add nothing."""
    taking = [share for share in request.shares if share.gib and share.nearly_full]
    masks = [_by_zone(fleet, [zone.zone not in share.nearly_full for zone in zones]) for share in taking]
    return _all_of([mask for mask in masks if mask is not None])


def node_is_near(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    if len(request.near) > 1:
        return np.zeros(len(fleet), dtype=np.bool_)
    return fleet.mask_of(request.near) if request.near else None


def node_is_with_group(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return _all_of([fleet.mask_of(nodes) for nodes in _hard(request, "affinity") if nodes])


def node_is_apart_from_group(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
    return _all_of([~fleet.mask_of(nodes) for nodes in _hard(request, "anti-affinity") if nodes])


def _hard(request: ResolvedRequest, rule: Rule) -> list[frozenset[str]]:
    return [group.nodes for group in request.groups if group.is_hard and group.rule == rule]


def _all_of(masks: list[Mask]) -> Mask | None:
    if not masks:
        return None
    mask: Mask = np.logical_and.reduce(masks, axis=0)
    return mask


def _has_room(dimension: str) -> Test:
    row = DIMENSIONS.index(dimension)

    def test(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> Mask | None:
        requested = request.resources[row]
        if requested == 0:  # needs none of it: a node that is overfull there may still take the request
            return None
        room: Mask = fleet.free[row] >= requested
        return room

    return test


class Filter(NamedTuple):
    """One rule of admission.

    `name` is the rule as a decision counts it, `code` its reason where no clause gives a more precise one: a closed
    list, never renamed.
    """

    name: str
    code: str
    test: Test

    def codes(self, zone: ZoneVerdict) -> tuple[str, ...]:
        """Return the reasons for refusing nodes of this zone: those of the clauses for a filter on zones, else its own.

        The first reason counts.
        """
        speaks_against = {"policy": "F", "facts": "U"}.get(self.name)
        own = (result.code for result in zone.results if result.result == speaks_against)
        return tuple(dict.fromkeys(own)) or (self.code,)


CAPACITY_FILTERS = tuple(
    Filter(f"capacity.{dimension}", "NO_CAPACITY", _has_room(dimension)) for dimension in DIMENSIONS
)

FILTERS = (
    Filter("policy", "ATTR_MISMATCH", policies_hold),
    Filter("facts", "ATTR_UNKNOWN", facts_are_known),
    Filter("cleared", "NODE_NOT_CLEARED", node_is_cleared),
    Filter("attested", "NODE_UNATTESTED", node_is_attested),
    Filter("zone_asked", "ZONE_NOT_ASKED", zone_is_asked_for),
    Filter("routed", "ADDRESS_ELSEWHERE", addresses_are_routed_there),
    Filter("mtu", "MTU_TOO_LARGE", packets_are_carried),
    Filter("host", "NOT_THE_HOST", node_is_the_host),
    Filter("zone_open", "ZONE_CLOSED", zone_is_open),
    Filter("ready", "NODE_NOT_READY", node_is_ready),
    Filter("cordon", "NODE_CORDONED", node_is_not_cordoned),
    Filter("excluded", "NODE_EXCLUDED", node_is_not_excluded),
    Filter("traits", "TRAIT_MISSING", node_has_traits),
    Filter("pool", "POOL_MISSING", node_has_pools),
    Filter("near", "NOT_NEAR", node_is_near),
    Filter("affinity", "NOT_WITH_GROUP", node_is_with_group),
    Filter("anti_affinity", "NOT_APART_FROM_GROUP", node_is_apart_from_group),
    Filter("pool_room", "POOL_FULL", pool_has_room),
    Filter("pool_nearly_full", "POOL_NEARLY_FULL", pool_takes_more),
    *CAPACITY_FILTERS,
)

CAPACITY = tuple(each.name for each in CAPACITY_FILTERS)
ROOM = (*CAPACITY, "pool_room", "pool_nearly_full")  # of the nodes, and of their pools
# Filters that protect data: they refuse a node whatever its free capacity.
ADMISSION = ("policy", "facts", "cleared", "attested")
ADMITTED = len(FILTERS)


@dataclass(frozen=True, slots=True, eq=False)
class FilterResult:
    """The results of all filters for all nodes.

    `masks`: per filter the nodes that it lets pass, None when it refuses no node. `first_refusal`: per node the
    position in FILTERS of its reason, ADMITTED for a node that passes all.
    """

    size: int
    masks: tuple[Mask | None, ...]
    first_refusal: NDArray[np.uint8]

    def passing(self, *, but_for: tuple[str, ...] = ()) -> Mask:
        """Return the nodes that pass every filter, these not counted."""
        kept = [mask for each, mask in zip(FILTERS, self.masks, strict=True) if each.name not in but_for]
        mask = _all_of([mask for mask in kept if mask is not None])
        return np.ones(self.size, dtype=np.bool_) if mask is None else mask

    def failing(self, position: int) -> list[Filter]:
        """Return every filter that refuses this node."""
        pairs = zip(FILTERS, self.masks, strict=True)
        return [each for each, mask in pairs if mask is not None and not mask[position]]

    def refusals_of_each(self) -> NDArray[np.uint8]:
        """Return, per node, how many filters refuse it."""
        counts = np.zeros(self.size, dtype=np.uint8)
        for mask in self.masks:
            if mask is not None:
                counts += ~mask
        return counts


def run_filters(request: ResolvedRequest, fleet: Fleet, zones: Zones) -> FilterResult:
    masks = tuple(each.test(request, fleet, zones) for each in FILTERS)
    first = np.full(len(fleet), ADMITTED, dtype=np.uint8)
    for position, mask in reversed(list(enumerate(masks))):
        if mask is not None:
            np.copyto(first, np.uint8(position), where=~mask)
    return FilterResult(len(fleet), masks, first)

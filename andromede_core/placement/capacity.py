"""Remaining capacity for a request: the answer to "can I start ten of these?" before a request."""

import numpy as np

from andromede_core.placement.filters import CAPACITY, run_filters
from andromede_core.placement.fleet import Counts, Fleet, Mask, Scores
from andromede_core.placement.request import ResolvedRequest, Resources
from andromede_core.policy.assessment import Assessment


def fits(request: ResolvedRequest, fleet: Fleet, assessment: Assessment) -> int:
    """Return how many more of this request would be admitted now, one after the other, as members of its groups.

    Raises:
        ValueError: the request needs no resources, so any number fits.
    """
    each = _per_node(request, fleet, assessment)
    if any(group.is_hard and group.rule == "affinity" for group in request.groups):
        return int(each.max(initial=0))
    return int(each.sum())


def fits_by_zone(request: ResolvedRequest, fleet: Fleet, assessment: Assessment) -> dict[str, int]:
    """Return the same for each zone that has nodes, as if the request named only that zone.

    The number is 0 where no node is admitted. All zones take one pass over the fleet.

    Raises:
        ValueError: the request needs no resources, so any number fits.
    """
    may = _may(request, fleet, assessment)
    each = np.zeros(len(may), dtype=np.int64)
    each[may] = _per_node(request, fleet, assessment)
    zones = enumerate(fleet.dictionary.zones)
    if any(group.is_hard and group.rule == "affinity" for group in request.groups):
        return {zone: int(each[fleet.zone_index == index].max(initial=0)) for index, zone in zones}
    sums = np.bincount(fleet.zone_index, weights=each, minlength=len(fleet.dictionary.zones))
    return {zone: int(sums[index]) for index, zone in zones}


def _per_node(request: ResolvedRequest, fleet: Fleet, assessment: Assessment) -> Counts:
    """Return how many fit on each node that may take the request."""
    copies, _ = _copies(request, fleet, assessment)
    each = np.floor(copies).astype(np.int64)
    if any(group.is_hard and group.rule == "anti-affinity" for group in request.groups):
        each = np.minimum(each, 1)
    return each


def largest(request: ResolvedRequest, fleet: Fleet, assessment: Assessment) -> Resources | None:
    """Return the free capacity of the node where the request could grow most in its shape; None if there is none.

    Raises:
        ValueError: the request needs no resources, so it has no shape.
    """
    copies, free = _copies(request, fleet, assessment)
    if not copies.any():
        return None
    return Resources(*free[:, copies.argmax()].tolist())


def _copies(request: ResolvedRequest, fleet: Fleet, assessment: Assessment) -> tuple[Scores, Counts]:
    """Return, per node that may take the request, how many copies fit (as a fraction), and its free capacity."""
    requested = np.array(request.resources, dtype=np.int64)
    if not requested.any():
        raise ValueError("A request for nothing fits any number of times.")
    may = _may(request, fleet, assessment)
    free = np.clip(fleet.free[:, may], 0, None)
    return (free[requested > 0] / requested[requested > 0, np.newaxis]).min(axis=0), free


def _may(request: ResolvedRequest, fleet: Fleet, assessment: Assessment) -> Mask:
    """Return the nodes that may take the request, whether or not they have free capacity."""
    zones = tuple(assessment.verdict(zone) for zone in fleet.dictionary.zones)
    return run_filters(request, fleet, zones).passing(but_for=CAPACITY)

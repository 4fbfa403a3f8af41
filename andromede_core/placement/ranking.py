"""Ranking of the nodes that may take a request."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from andromede_core.placement.fleet import Fleet, Positions, Scores
from andromede_core.placement.request import ResolvedRequest

# Scores of 0 to 1 that differ by less are as good as equal. Smaller: workers that decide at the same moment
# choose the same node and all but one must wait, or decide again. Larger: load spreads less evenly.
TOLERANCE = 0.02


def spread(request: ResolvedRequest, fleet: Fleet, among: Positions) -> Scores:
    """Return how much of the node would remain free, as the mean over the resources that it has."""
    left, resources = np.zeros(len(among)), np.zeros(len(among))
    for capacity, free, requested in zip(fleet.capacity, fleet.free, request.resources, strict=True):
        offered = capacity[among]
        left += np.maximum(free[among] - requested, 0) / np.maximum(offered, 1)  # a resource of which the node has none
        resources += offered > 0
    scores: Scores = left / np.maximum(resources, 1)
    return scores


def soft_groups(request: ResolvedRequest, fleet: Fleet, among: Positions) -> Scores:
    """Return the part of the soft rules that the node satisfies; 1 when there are none."""
    satisfied = [
        fleet.mask_of(group.nodes)[among] == (group.rule == "affinity")
        for group in request.groups
        if not group.is_hard and group.nodes
    ]
    if not satisfied:
        return np.ones(len(among))
    scores: Scores = np.mean(satisfied, axis=0)
    return scores


class Scorer(NamedTuple):
    weight: float
    score: Callable[[ResolvedRequest, Fleet, Positions], Scores]


# A user requested the soft rule; spreading is only a default, so the rule outweighs it.
SCORERS = (Scorer(1.0, spread), Scorer(2.0, soft_groups))


def score(request: ResolvedRequest, fleet: Fleet, among: Positions) -> Scores:
    """Return 0 (worst) to 1 (best) for each of these nodes."""
    total = sum(scorer.weight for scorer in SCORERS)
    scores: Scores = sum(
        (scorer.weight / total * scorer.score(request, fleet, among) for scorer in SCORERS),
        start=np.zeros(len(among)),
    )
    return scores


def best(request: ResolvedRequest, fleet: Fleet, *, among: Positions, seed: int, count: int) -> Positions:
    """Return at most `count` of these nodes, best first; `seed` decides among those that are as good as equal."""
    scores = score(request, fleet, among)
    steps = np.floor((scores.max(initial=0.0) - scores) / TOLERANCE)
    random = np.random.default_rng(seed)
    if len(among) > count:
        last = np.partition(steps, count - 1)[count - 1]
        better, equal = np.flatnonzero(steps < last), np.flatnonzero(steps == last)
        chosen = np.concatenate([better, random.choice(equal, count - len(better), replace=False)])
    else:
        chosen = np.arange(len(among))
    ranked: Positions = among[chosen[np.lexsort((random.permutation(len(chosen)), steps[chosen]))]]
    return ranked

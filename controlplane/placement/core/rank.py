"""Ranking: which of the nodes that may take a request should."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .fleet import Fleet, Mask, Scores
from .request import Request

# Scores of 0 to 1 that differ by less are as good as equal. Smaller: workers that decide at the same moment
# choose the same node and all but one must decide again. Larger: load spreads less evenly.
TOLERANCE = 0.02


def spread(request: Request, fleet: Fleet) -> Scores:
    """How much of the node would remain free, as the mean over the resources that it has."""
    left = np.clip(fleet.free - np.array(request.resources), 0, None)
    has = fleet.capacity > 0
    fractions = np.divide(left, fleet.capacity, out=np.zeros(left.shape), where=has)
    scores: Scores = fractions.sum(axis=1) / np.maximum(has.sum(axis=1), 1)
    return scores


def soft_groups(request: Request, fleet: Fleet) -> Scores:
    """The part of the soft rules that the node satisfies; 1 when there are none."""
    satisfied = [
        fleet.mask_of(group.nodes) == (group.rule == "affinity")
        for group in request.groups
        if not group.is_hard and group.nodes
    ]
    if not satisfied:
        return np.ones(len(fleet))
    scores: Scores = np.mean(satisfied, axis=0)
    return scores


class Scorer(NamedTuple):
    weight: float
    score: Callable[[Request, Fleet], Scores]


# A soft rule is a wish somebody spoke; spreading is only our habit: the wish outweighs it.
SCORERS = (Scorer(1.0, spread), Scorer(2.0, soft_groups))


def score(request: Request, fleet: Fleet) -> Scores:
    """0 (worst) to 1 (best) per node."""
    total = sum(scorer.weight for scorer in SCORERS)
    scores: Scores = sum(
        (scorer.weight / total * scorer.score(request, fleet) for scorer in SCORERS),
        start=np.zeros(len(fleet)),
    )
    return scores


def rank(request: Request, fleet: Fleet, *, among: Mask, seed: int) -> NDArray[np.intp]:
    """Positions of the nodes `among`, best first; `seed` shuffles those that are as good as equal."""
    positions = np.flatnonzero(among)
    scores = score(request, fleet)[positions]
    steps = np.floor((scores.max(initial=0.0) - scores) / TOLERANCE)
    shuffle = np.random.default_rng(seed).permutation(len(positions))
    ranked: NDArray[np.intp] = positions[np.lexsort((shuffle, steps))]
    return ranked

"""Reduction of lineage: inherited clauses without those that others imply. Pure.

Each version of a policy is a layer of its own, so lineage would otherwise grow with every change of a policy. A clause
goes only when another one that stays always implies it: named sets stand for themselves here, since their members
change. Layers in force are never reduced: a verifier of a decision needs them whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from andromede_core.policy.clauses import Clause, Policy
from andromede_core.policy.order import NAMES_ALONE, implies


def merged(layers: Iterable[Policy]) -> dict[str, Policy]:
    """Merge layers to one per id.

    Stored ones may lack different clauses that were implied where they were stored: together they have all the clauses
    that any of them needs.
    """
    by_id: dict[str, Policy] = {}
    for layer in layers:
        layer_so_far = by_id.get(layer.id, layer)
        missing = [clause for clause in layer.clauses if clause not in layer_so_far.clauses]
        is_supported = layer_so_far.is_supported and layer.is_supported
        by_id[layer.id] = replace(layer_so_far, clauses=(*layer_so_far.clauses, *missing), is_supported=is_supported)
    return by_id


@lru_cache(maxsize=1024)
def reduced(present: tuple[Policy, ...], inherited: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Return `inherited` without the clauses that one of `present`, or another of its own that stays, implies."""
    fixed = _by_subject([clause for policy in present for clause in policy.clauses])
    unrepeated: list[tuple[int, Clause]] = []
    for number, policy in enumerate(inherited):
        for clause in policy.clauses:
            others = (*fixed.get((clause.op, clause.attr), ()), *(other for _, other in unrepeated))
            if not any(implies(other, clause, NAMES_ALONE) for other in others):
                unrepeated = [each for each in unrepeated if not implies(clause, each[1], NAMES_ALONE)]
                unrepeated.append((number, clause))
    left = [
        replace(policy, clauses=tuple(clause for index, clause in unrepeated if index == number))
        for number, policy in enumerate(inherited)
    ]
    return tuple(policy for policy in left if policy.clauses or not policy.is_supported)


def _by_subject(clauses: Sequence[Clause]) -> dict[tuple[str, str], list[Clause]]:
    grouped: dict[tuple[str, str], list[Clause]] = {}
    for clause in clauses:
        grouped.setdefault((clause.op, clause.attr), []).append(clause)
    return grouped

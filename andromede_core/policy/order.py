"""Comparison of policies, clause by clause, without a solver. Pure, standard library only.

It finds which policy is stricter, which clauses have no effect, and which clauses can never hold together. The
comparison is sound and syntactic: what it calls implied is implied; it may miss an implication that only another
attribute's meaning would show.

The members of a named set or a class of schemes are facts, which may change at any time. So whether a change of policy
may admit more (`change`) is judged by names alone: a set is no narrower and no wider than anything but itself, whatever
its members are now or later. In lists of allowed values both sides must name the same sets; in lists of forbidden
values the stricter side must name those of the other. Clauses without effect and contradictions are about the present:
there sets have their members at the given moment.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from andromede_core.facts.attributes import ASKABLE
from andromede_core.facts.certificates import version
from andromede_core.facts.world import ASSERTIONS, Horizon, Timeline, World, at
from andromede_core.policy.clauses import (
    LEVELS,
    ROLES,
    Certified,
    Clause,
    ClauseRef,
    Policy,
    Value,
    effective,
    names_of_sets,
)

Change = Literal["same", "tighter", "looser", "incomparable"]
Placed = tuple[int, Clause]  # by its position among all


@dataclass(frozen=True, slots=True)
class Sets:
    """The named sets of territories and the classes of certification schemes as they are at one moment."""

    territories: Mapping[str, frozenset[str]]
    schemes: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, world: World, now: datetime) -> "Sets":
        return cls(_known(world.sets, now), _known(world.scheme_classes, now))


NAMES_ALONE = Sets({}, {})


def _known(histories: Mapping[str, Timeline], now: datetime) -> dict[str, frozenset[str]]:
    facts = {name: at(timeline, Horizon(now)) for name, timeline in histories.items()}
    return {
        name: frozenset(item for item in fact.value if isinstance(item, str))
        for name, fact in facts.items()
        if fact is not None and isinstance(fact.value, list)
    }


def _expand(values: Iterable[str], members: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Replace sets by their members; an unknown set stands for itself."""
    return frozenset().union(*(members.get(value, frozenset((value,))) for value in values))


def _unknown(values: Iterable[str], members: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the unknown sets: a clause that uses one holds nowhere."""
    return frozenset(value for value in values if value.startswith("@") and value not in members)


def change(before: Sequence[Policy], after: Sequence[Policy]) -> Change:
    """Return how replacing the policies `before` by `after` changes what they admit, whatever their sets contain."""
    is_tighter = refines(after, before)
    is_looser = refines(before, after)
    if is_tighter and is_looser:
        return "same"
    if is_tighter:
        return "tighter"
    return "looser" if is_looser else "incomparable"


def refines(strict: Sequence[Policy], loose: Sequence[Policy]) -> bool:
    """Tell if each clause of `loose` is implied by one of `strict`, whatever the sets that they name hold."""
    if not all(policy.is_supported for policy in strict):
        return True
    if not all(policy.is_supported for policy in loose):
        return False
    clauses = [clause for _, clause in effective(strict)]
    return all(any(implies(clause, other, NAMES_ALONE) for clause in clauses) for _, other in effective(loose))


def without_effect(policies: Sequence[Policy], sets: Sets) -> tuple[ClauseRef, ...]:
    """Return the clauses (NO_EFFECT) that another clause already implies.

    The other clause is of the same policy, of a higher level or of an earlier policy of its level. Of equal clauses the
    first has the effect.
    """
    redundant: list[ClauseRef] = []
    earlier: list[Clause] = []
    for policy in sorted(policies, key=lambda policy: LEVELS.index(policy.level)):
        for position, clause in enumerate(policy.clauses):
            same_layer = [
                other
                for index, other in enumerate(policy.clauses)
                if index < position or not implies(clause, other, sets)
            ]
            if any(implies(other, clause, sets) for other in (*earlier, *same_layer)):
                redundant.append(ClauseRef(policy.id, policy.level, clause.id))
        earlier += policy.clauses
    return tuple(redundant)


def implies(strict: Clause, loose: Clause, sets: Sets) -> bool:
    """Tell if `loose` holds wherever `strict` does, and `strict` cannot be waived where `loose` could not.

    A set that is not among `sets` is compared by name only: it may have any members, or be unknown.
    """
    return (
        (strict.op, strict.attr) == (loose.op, loose.attr)
        and _covers(strict.roles, loose.roles)
        and _covers(strict.party_roles, loose.party_roles)
        and not (strict.only_with_technical_access and not loose.only_with_technical_access)
        and ASSERTIONS.index(strict.assertion_min) >= ASSERTIONS.index(loose.assertion_min)
        and not (strict.is_waivable and not loose.is_waivable)
        and _value_implies(strict, loose, sets)
    )


def _covers(strict: Collection[str], loose: Collection[str]) -> bool:
    """Tell if the first list covers the second; an empty list names all."""
    return not strict or (bool(loose) and set(loose) <= set(strict))


def _value_implies(strict: Clause, loose: Clause, sets: Sets) -> bool:
    """Compare the values, which have one type, since the clauses have attribute and operator in common."""
    one, other = strict.value, loose.value
    if isinstance(one, tuple):
        return _values_imply(strict.op, one, other, sets.territories)
    if isinstance(one, Certified):
        return _certified_implies(one, other, sets)
    if strict.op == "is":
        return one == other
    if strict.op in ("le", "within_days"):
        return rank(strict) <= rank(loose)
    return rank(strict) >= rank(loose)


def _values_imply(op: str, strict: tuple[str, ...], loose: Value, members: Mapping[str, frozenset[str]]) -> bool:
    assert isinstance(loose, tuple)
    if not _unknown(loose, members) <= _unknown(strict, members):
        return False
    one, other = _expand(strict, members), _expand(loose, members)
    return one <= other if op in ("in", "subset") else one >= other


def _certified_implies(strict: Certified, loose: Value, sets: Sets) -> bool:
    assert isinstance(loose, Certified)
    return (
        _values_imply("in", (strict.scheme,), (loose.scheme,), sets.schemes)
        and version(strict.min_version) >= version(loose.min_version)
        and loose.level in (None, strict.level)
        and loose.scope in (None, strict.scope)
        and strict.min_remaining_days >= loose.min_remaining_days
    )


def rank(clause: Clause) -> int:
    """Return the bound of a clause as a number: shares in hundredths, words by their place on the scale."""
    order = ASKABLE[clause.attr].order if clause.attr else ()
    if order:
        return order.index(str(clause.value))
    return int(str(clause.value).replace(".", ""))


def unsatisfiable(policies: Sequence[Policy], sets: Sets, *, roles: Collection[str] = ROLES) -> tuple[ClauseRef, ...]:
    """Return the clauses (EMPTY_INTERSECTION) that no zone can satisfy together for one of the roles, in order.

    The list is empty if all can hold. A clause with an unknown set may hold once the set is known.

    Of clauses about one attribute the fewest that contradict each other are named.
    """
    unsupported = [ClauseRef(policy.id, policy.level, policy.id) for policy in policies if not policy.is_supported]
    clauses = effective(policies)
    guilty: set[int] = set()
    for role in roles:
        by_attribute: dict[str, list[Placed]] = {}
        for position, (_, clause) in enumerate(clauses):
            if clause.attr and clause.applies_to((role,)) and _is_certain(clause, sets):
                by_attribute.setdefault(clause.attr, []).append((position, clause))
        for group in by_attribute.values():
            guilty.update(position for position, _ in _contradiction(group, sets))
    return (*unsupported, *dict.fromkeys(ref for position, (ref, _) in enumerate(clauses) if position in guilty))


def _is_certain(clause: Clause, sets: Sets) -> bool:
    """Tell if the clause surely has a subject and a known value. Of parties, only the operator surely exists."""
    chooses_operator = not clause.party_roles or "operator" in clause.party_roles
    has_subject = not clause.is_about_parties or (chooses_operator and not clause.only_with_technical_access)
    return has_subject and not _unknown(names_of_sets(clause), sets.territories)


def _contradiction(clauses: list[Placed], sets: Sets) -> list[Placed]:
    if _can_hold([clause for _, clause in clauses], sets):
        return []
    for one in list(clauses):
        fewer = [other for other in clauses if other is not one]
        if not _can_hold([clause for _, clause in fewer], sets):
            clauses = fewer
    return clauses


def _can_hold(clauses: Sequence[Clause], sets: Sets) -> bool:
    """Tell if some value of their one attribute satisfies all."""
    by_op: dict[str, list[Clause]] = {}
    for clause in clauses:
        by_op.setdefault(clause.op, []).append(clause)
    truths = {clause.value for clause in by_op.get("is", ())}
    lowest = max((rank(clause) for clause in by_op.get("ge", ())), default=0)
    highest = min((rank(clause) for clause in by_op.get("le", ())), default=lowest)
    return len(truths) < 2 and lowest <= highest and _is_some_list(by_op, sets)


def _is_some_list(by_op: Mapping[str, list[Clause]], sets: Sets) -> bool:
    """Tell if some list satisfies all: only allowed values, all required ones, no forbidden ones."""
    within = [_expanded(clause, sets) for op in ("in", "subset") for clause in by_op.get(op, ())]
    contained = frozenset().union(*(_expanded(clause, sets) for clause in by_op.get("contains", ())))
    excluded = frozenset().union(*(_expanded(clause, sets) for clause in by_op.get("disjoint", ())))
    if contained & excluded:
        return False
    if not within:
        return True
    common = frozenset.intersection(*within) - excluded
    attribute = ASKABLE[next(iter(by_op.values()))[0].attr]
    needs_one = "in" in by_op or attribute.is_never_empty
    return contained <= common and (bool(common) or not needs_one)


def _expanded(clause: Clause, sets: Sets) -> frozenset[str]:
    assert isinstance(clause.value, tuple)
    return _expand(clause.value, sets.territories)

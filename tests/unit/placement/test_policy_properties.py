"""Properties of all policies in all worlds."""

from datetime import datetime, timedelta
from itertools import combinations
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from andromede_core.facts.attributes import ASKABLE
from andromede_core.facts.world import Fact, World, Zone
from andromede_core.policy.clauses import ROLES, Clause, ClauseRef, Policy, effective
from andromede_core.policy.evaluation import Copy, Evaluation, evaluate
from andromede_core.policy.order import Sets, change, implies, refines, unsatisfiable, without_effect
from tests.unit.placement.generated import (
    DAY,
    IS_SET,
    MOMENTS,
    SET_NAMES,
    TERRITORIES,
    UNIVERSE,
    Question,
    any_world,
    clauses,
    clauses_about,
    like,
    numbered,
    policies,
    questions,
)
from tests.unit.placement.sample import NOW

layers = st.lists(policies(), max_size=3)
named_apart = st.lists(policies(), max_size=3, unique_by=lambda policy: policy.id)
MICROSECOND = timedelta(microseconds=1)


def evaluation_of(layers: list[Policy], world: World, question: Question, *, now: datetime | None = None) -> Evaluation:
    return evaluate(
        layers,
        world.zones[question.zone],
        world,
        now=now or question.now,
        roles=(question.role,),
        copy=Copy(world.zones["z-1"]),
    )


def letters(evaluation: Evaluation) -> list[str]:
    return [each.result for each in evaluation.results]


@given(layers, policies(), any_world(), questions)
def test_another_policy_never_admits_more(before: list[Policy], more: Policy, world: World, question: Question) -> None:
    if evaluation_of([*before, more], world, question).admits:
        assert evaluation_of(before, world, question).admits


@given(layers, any_world(), questions, st.randoms())
def test_the_order_of_policies_and_clauses_changes_nothing(
    before: list[Policy], world: World, question: Question, random: Random
) -> None:
    def stirred(policy: Policy) -> Policy:
        return Policy(
            policy.id, policy.level, tuple(random.sample(policy.clauses, len(policy.clauses))), policy.is_supported
        )

    one = evaluation_of(before, world, question)
    other = evaluation_of([stirred(policy) for policy in random.sample(before, len(before))], world, question)
    assert sorted(map(repr, one.results)) == sorted(map(repr, other.results))
    assert (one.admits, one.valid_until) == (other.admits, other.valid_until)


@given(layers, any_world(), questions)
def test_result_holds_until_valid_until(layers: list[Policy], world: World, question: Question) -> None:
    evaluation = evaluation_of(layers, world, question)
    until = evaluation.valid_until
    assert until is None or until > question.now
    later = [moment + offset for moment in MOMENTS for offset in (-MICROSECOND, MICROSECOND * 0, MICROSECOND, DAY / 2)]
    later += [moment + DAY * 8 for moment in MOMENTS]
    if until is not None:
        later.append(until - MICROSECOND)
    for moment in later:
        if question.now < moment and (until is None or moment < until):
            assert letters(evaluation_of(layers, world, question, now=moment)) == letters(evaluation), moment


@given(layers, any_world(), questions)
def test_result_names_its_clause_and_only_true_is_ok(layers: list[Policy], world: World, question: Question) -> None:
    evaluation = evaluation_of(layers, world, question)
    unsupported = [ClauseRef(each.id, each.level, each.id) for each in layers if not each.is_supported]
    applying = [ref for ref, clause in effective(layers) if not clause.roles or question.role in clause.roles]
    assert [each.ref for each in evaluation.results] == unsupported + applying
    assert all((each.result == "T") == (each.code == "OK") for each in evaluation.results)
    assert all((each.result == "U") == (each.code == "ATTR_UNKNOWN") for each in evaluation.results)
    assert evaluation.admits == all(each.result == "T" for each in evaluation.results)


pairs = clauses().flatmap(lambda clause: st.tuples(st.just(clause), like(clause)))


@given(pairs, any_world())
def test_implied_clause_holds_where_the_stricter_one_does(pair: tuple[Clause, Clause], world: World) -> None:
    strict, loose = pair
    assert implies(strict, strict, Sets.of(world, NOW))
    if not implies(strict, loose, Sets.of(world, NOW)):
        return
    assert not strict.is_waivable or loose.is_waivable
    for zone in world.zones:
        for role in ROLES:
            if loose.applies_to((role,)):
                assert strict.applies_to((role,))
                question = Question(zone, role, NOW)
                if evaluation_of([Policy("p", "project", (strict,))], world, question).admits:
                    assert evaluation_of([Policy("p", "project", (loose,))], world, question).admits


@st.composite
def changes(draw: st.DrawFn) -> tuple[list[Policy], list[Policy]]:
    """A policy, and what somebody may put in its place: clauses kept, changed a little, dropped or added."""
    before = draw(st.lists(about_sets | clauses(), min_size=1, max_size=3))
    drafts = [draw(st.one_of(st.just(clause), like(clause), st.none())) for clause in before]
    after = [clause for clause in drafts if clause is not None] + draw(st.lists(about_sets | clauses(), max_size=2))
    return [Policy("p", "project", numbered(before))], [Policy("p", "project", numbered(after))]


about_sets = st.sampled_from(["location.territory", "admin.access_from"]).flatmap(
    lambda name: clauses_about(name).map(lambda clause: Clause(clause.id, clause.op, clause.value, clause.attr))
)
unrelated = st.tuples(st.lists(policies(), max_size=2), st.lists(policies(), max_size=2))


@given(changes() | unrelated, any_world(), questions)
def test_tighter_change_never_admits_more_for_any_set_members(
    change_of: tuple[list[Policy], list[Policy]], world: World, question: Question
) -> None:
    """The verdict knows nothing of the world: any moment of any world may be the future of the one it is given in."""
    before, after = change_of
    verdict = change(before, after)
    assert change(before, before) == "same"
    assert change(after, before) == {"tighter": "looser", "looser": "tighter"}.get(verdict, verdict)
    was, becomes = evaluation_of(before, world, question).admits, evaluation_of(after, world, question).admits
    assert was or not becomes or verdict not in ("tighter", "same")
    assert becomes or not was or verdict not in ("looser", "same")


WORDS = ("@EU", "@S", "DE", "FR")
lists_of_words = st.lists(st.sampled_from(WORDS), unique=True, min_size=1).map(lambda words: tuple(sorted(words)))


@given(st.sampled_from(["subset", "disjoint"]), lists_of_words, lists_of_words)
def test_list_change_is_tighter_exactly_when_no_sets_admit_more(
    op: str, old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    before, after = (Policy("p", "project", (Clause("a", op, words, "admin.access_from"),)) for words in (old, new))
    admits_more = any(
        _is_admitted(after, future, value) and not _is_admitted(before, future, value)
        for future in FUTURES
        for value in TERRITORIES
    )
    assert (change([before], [after]) in ("tighter", "same")) == (not admits_more)


def _is_admitted(policy: Policy, future: World, territory: str) -> bool:
    zone = Zone("z", {"admin.access_from": (Fact([territory], MOMENTS[0]),)})
    return evaluate([policy], zone, future, now=NOW, roles=ROLES).admits


CONTENTS: list[list[str] | None] = [None, [], ["FR"], ["NO"], ["DE", "FR"]]
FUTURES = [
    World(sets={"@EU": (Fact(one, MOMENTS[0]),), "@S": (Fact(other, MOMENTS[0]),)})
    for one in CONTENTS
    for other in CONTENTS
]


@given(layers, policies())
def test_additional_policy_is_tighter_or_the_same(before: list[Policy], more: Policy) -> None:
    assert refines([*before, more], before)
    assert change(before, [*before, more]) in ("tighter", "same")


@given(named_apart, any_world(), questions)
def test_clauses_without_effect_can_be_left_out(layers: list[Policy], world: World, question: Question) -> None:
    idle = set(without_effect(layers, Sets.of(world, question.now)))
    rest = [_without(policy, idle) for policy in layers]
    assert evaluation_of(rest, world, question).admits == evaluation_of(layers, world, question).admits
    assert not without_effect(rest, Sets.of(world, question.now))


def _without(policy: Policy, refs: set[ClauseRef]) -> Policy:
    others = tuple(clause for clause in policy.clauses if ClauseRef(policy.id, policy.level, clause.id) not in refs)
    return Policy(policy.id, policy.level, others, policy.is_supported)


@given(named_apart, any_world(), any_world())
def test_contradictory_clauses_never_hold_together(layers: list[Policy], world: World, other: World) -> None:
    """Not in that world nor in another one with the same named sets."""
    named = set(unsatisfiable(layers, Sets.of(world, NOW)))
    guilty = [
        Policy(
            each.id,
            each.level,
            tuple(clause for clause in each.clauses if _ref(each, clause) in named),
            each.is_supported,
        )
        for each in layers
    ]
    assert named or all(each.is_supported for each in layers)
    if not named:
        return
    assert set(unsatisfiable(guilty, Sets.of(world, NOW))) == named
    for zones in (world, World(other.zones, other.parties, world.sets, world.scheme_classes)):
        for zone in zones.zones.values():
            assert not evaluate(guilty, zone, zones, now=NOW, roles=ROLES, copy=Copy(zone)).admits


def _ref(policy: Policy, clause: Clause) -> ClauseRef:
    return ClauseRef(policy.id, policy.level, clause.id)


ZONE_ATTRIBUTES = sorted(name for name in UNIVERSE if not name.startswith("party.") and name != "disconnect.tested_at")
FULL = {
    "shared",
    "dedicated_host",
    "dedicated_zone",
    "physically_isolated",
    "none",
    "LUKS1",
    "LUKS2",
}


def all_values(attribute: str) -> list[Any]:
    """Every value that there could be, as far as the clauses of this module can tell values apart."""
    about = ASKABLE[attribute]
    if about.order:
        return list(about.order)
    members = (*UNIVERSE[attribute], *(("AT",) if about.is_territory else ()))
    members += tuple(word for word in sorted(FULL) if about.member and about.member(word) and word not in members)
    if attribute not in IS_SET:
        return list(members)
    sizes = range(int(about.is_never_empty), len(members) + 1)
    return [list(chosen) for size in sizes for chosen in combinations(members, size)]


SETS_BY_NAME = {"@EU": ["DE", "FR"], "@S": ["FR", "NO", "US"]}
FIXED = World(sets={name: (Fact(value, MOMENTS[0]),) for name, value in SETS_BY_NAME.items()})


def plain(clause: Clause) -> Clause:
    """Asked of every reason of holding data."""
    return Clause(clause.id, clause.op, clause.value, clause.attr)


@given(
    st.sampled_from([name for name in ZONE_ATTRIBUTES if name != "zone.id"]).flatmap(
        lambda name: st.lists(clauses_about(name), min_size=1, max_size=4)
    )
)
def test_clauses_contradict_exactly_when_no_value_satisfies_them(
    evaluation_of: list[Clause],
) -> None:
    assert set(SETS_BY_NAME) == set(SET_NAMES) and set(TERRITORIES) >= {"DE", "FR", "NO", "US"}
    policy = Policy("p", "project", numbered([plain(clause) for clause in evaluation_of]))
    named = unsatisfiable([policy], Sets.of(FIXED, NOW))
    values = all_values(evaluation_of[0].attr)
    assert bool(named) == (not any(_satisfies(policy, value) for value in values))
    for left_out in named:  # none of them could be spared
        fewer = tuple(clause for clause in policy.clauses if _ref(policy, clause) in set(named) - {left_out})
        assert unsatisfiable([Policy("p", "project", fewer)], Sets.of(FIXED, NOW)) == ()


def _satisfies(policy: Policy, value: object) -> bool:
    zone = Zone("z-1", {policy.clauses[0].attr: (Fact(value, MOMENTS[0]),)})
    return evaluate([policy], zone, FIXED, now=NOW, roles=ROLES).admits

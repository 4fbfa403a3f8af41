"""Reduction of inherited policies to fewer clauses that admit the same."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from andromede_core.facts.world import World
from andromede_core.policy.clauses import Clause, Policy
from andromede_core.policy.evaluation import Copy, evaluate
from controlplane.placement.reduction import merged, reduced
from tests.unit.placement.generated import Question, any_world, policies, questions

present = st.lists(policies(), max_size=3).map(tuple)
lineage = st.lists(policies(), max_size=4, unique_by=lambda policy: policy.id).map(tuple)
YEARS = timedelta(days=365 * 20)


def admits(layers: tuple[Policy, ...], world: World, question: Question, later: timedelta = timedelta(0)) -> bool:
    zone, reference = world.zones[question.zone], world.zones["z-1"]
    return evaluate(layers, zone, world, now=question.now + later, roles=(question.role,), copy=Copy(reference)).admits


@given(present, lineage, any_world(), questions)
def test_reduced_layers_admit_the_same(
    present: tuple[Policy, ...], lineage: tuple[Policy, ...], world: World, question: Question
) -> None:
    """Now, and when sets have other members."""
    remaining = reduced(present, lineage)
    for later in (timedelta(0), timedelta(days=1), timedelta(days=3), YEARS):
        assert admits((*present, *remaining), world, question, later) == admits(
            (*present, *lineage), world, question, later
        )


@given(present, lineage, lineage, any_world(), questions)
def test_separate_reductions_together_admit_the_same(
    present: tuple[Policy, ...], one: tuple[Policy, ...], other: tuple[Policy, ...], world: World, question: Question
) -> None:
    """Also when each has lost what only the other one has."""
    whole = {policy.id: policy for policy in (*other, *one)}
    reordered = [whole[policy.id] for policy in (*one, *other)]
    stored = (*reduced(present, tuple(reordered)), *reduced((), tuple(reversed(reordered))))
    together = tuple(merged(stored).values())
    assert admits((*present, *together), world, question) == admits((*present, *whole.values()), world, question)


def zones(name: str, *names: str, **more: object) -> Clause:
    return replace(Clause(name, "in", names, attr="zone.id"), **more)


def test_equal_clauses_of_many_versions_count_once_and_the_stricter_stays() -> None:
    now = Policy("now", "organization", (zones("home", "a", "b"),))
    versions = [Policy(f"v{n}", "lineage", (zones("home", "a", "b", "c"), zones("x", "a", "d"))) for n in range(9)]
    stricter = Policy("w", "lineage", (zones("y", "a"),))
    assert [policy.id for policy in reduced((now,), tuple(versions))] == ["v0"]
    assert reduced((now,), (*versions, stricter)) == (stricter,)


def test_waivable_clause_replaces_no_unwaivable_one() -> None:
    waivable = Policy("now", "organization", (zones("home", "a", is_waivable=True),))
    old = Policy("v1", "lineage", (zones("home", "a", "b"),))
    assert reduced((waivable,), (old,)) == (old,)


def test_unsupported_layer_is_kept() -> None:
    never = Policy("classified", "lineage", (zones("home", "a"),), is_supported=False)
    assert reduced((Policy("now", "project", (zones("home", "a"),)),), (never,)) == (replace(never, clauses=()),)

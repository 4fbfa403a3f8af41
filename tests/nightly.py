"""Tests that `make test` leaves to `make test-all`, and their substitutes."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, TypeVar

import pytest

Variant = TypeVar("Variant")


def thinned(params: Iterable[Any], *, keep_every: int, beginning: int = 0) -> list[Any]:
    """Keep one in `keep_every` parameters for the gate, counted from `beginning`; the others are nightly.

    Tests over the same parameters begin at different ones, so that the gate has each for some test.
    """
    return [param if number % keep_every == beginning else as_nightly(param) for number, param in enumerate(params)]


def in_turn(name: str, values: Sequence[Any]) -> Callable[[Any], Any]:
    """Return a decorator that runs a test with each of the values: in the gate with one, the next one for each test
    that it decorates; with the others nightly."""
    turns = count()

    def decorate(test: Any) -> Any:
        return pytest.mark.parametrize(name, one_of(values, next(turns)))(test)

    return decorate


def one_of(values: Sequence[Any], turn: int) -> list[Any]:
    """Keep that value for the gate, counted round; the others are nightly."""
    return [value if number == turn % len(values) else as_nightly(value) for number, value in enumerate(values)]


def variants_thinned(
    variants: Iterable[Variant],
    steps_of: Callable[[Variant], tuple[str, Sequence[str]]],
    param: Callable[[Variant, str], Any],
) -> list[Any]:
    """Keep each step of a workflow for the first variant that has it, and one step of each other variant, for the gate.

    `steps_of`: the workflow of a variant, and its steps. `param`: the parameters for a step. Of other variants it is
    another step each time, so that the gate has each for some of them. What is not kept is nightly.
    """
    seen, params, others = set[tuple[str, str]](), list[Any](), 0
    for variant in variants:
        workflow, steps = steps_of(variant)
        kept = {step for step in steps if (workflow, step) not in seen}
        seen.update((workflow, step) for step in steps)
        if not kept:
            kept, others = {steps[others % len(steps)]}, others + 1
        params += [each if step in kept else as_nightly(each) for step in steps for each in [param(variant, step)]]
    return params


def as_nightly(param: Any) -> Any:
    """Mark as nightly. `param`: a value, the values of several names, or the result of pytest.param()."""
    if isinstance(param, tuple) and hasattr(param, "marks"):
        return pytest.param(*param.values, marks=[*param.marks, pytest.mark.nightly], id=param.id)  # type: ignore[attr-defined]
    values: Sequence[Any] = param if isinstance(param, tuple) else (param,)
    return pytest.param(*values, marks=pytest.mark.nightly)

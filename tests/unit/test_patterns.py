"""Regular expressions that texts of callers are held against, and how much they may try."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # the only way to know what a pattern is made of
from typing import Any

import pytest

import controlplane
from controlplane.kernel.label_selectors import TERM
from controlplane.kernel.listing import labelled

PACKAGES = ("api", "kernel", "events", "metrics", "terraform", "placement")


def patterns() -> Iterator[tuple[str, "re.Pattern[Any]"]]:
    """Return the patterns of all modules, with their names."""
    for package in PACKAGES:
        path = [f"{controlplane.__path__[0]}/{package}"]
        for info in pkgutil.iter_modules(path, f"controlplane.{package}."):
            if not info.ispkg:
                module = importlib.import_module(info.name)
                yield from ((f"{info.name}.{k}", v) for k, v in vars(module).items() if isinstance(v, re.Pattern))


def backtracking(tree: Any) -> int:
    """Count the unbounded repeats that give back what they took, one by one. Two that take the same make O(n²)."""
    count = 0
    for kind, inside in tree:
        if kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            count += inside[1] is _constants.MAXREPEAT
        for part in inside if isinstance(inside, tuple | list) else ():
            for each in part if isinstance(part, list) else [part]:
                count += backtracking(each) if isinstance(each, _parser.SubPattern) else 0
    return count


@pytest.mark.parametrize(
    ("pattern", "count"), [("a*b*", 2), ("a*+b*+", 0), ("(a*|b{1,9})c+", 2), ("((?:a+)+)", 2), ("a{3}", 0), ("x|y*", 1)]
)
def test_backtracking_is_counted(pattern: str, count: int) -> None:
    assert backtracking(_parser.parse(pattern)) == count


def test_patterns_do_not_backtrack() -> None:
    by_name = dict(patterns())
    assert TERM in by_name.values()
    many = {name: each.pattern for name, each in by_name.items() if backtracking(_parser.parse(each.pattern)) > 1}
    assert many == {}


@pytest.mark.parametrize("selector", ["a=" + " " * 4000 + "!", "a" * 1001, "app in (" + "a," * 500 + "a)"])
def test_a_selector_has_a_maximum(selector: str) -> None:
    with pytest.raises(ValueError, match="more than 1000 letters"):
        labelled().condition(selector)


@pytest.mark.parametrize(
    "selector", ["a=" + " " * 900 + "!", " " * 1000, "a" * 1000, "a in" + " " * 900, "app in (a,b"]
)
def test_malformed_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        labelled().condition(selector)


def test_blanks_in_a_selector_are_ignored() -> None:
    condition = labelled().condition
    assert condition(" env = prod , app in ( a , b ) ") == condition("env=prod,app in (a,b)")
    assert condition("env=prod," + " " * 900 + "tier != web") == condition("env=prod,tier!=web")

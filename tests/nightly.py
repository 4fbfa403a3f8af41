"""Tests that `make test` leaves to `make test-all`, and their substitutes."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def thinned(params: Iterable[Any], *, keep_every: int, beginning: int = 0) -> list[Any]:
    """Keep one in `keep_every` parameters for the gate, counted from `beginning`; the others are nightly.

    Tests over the same parameters begin at different ones, so that the gate has each for some test.
    """
    return [param if number % keep_every == beginning else as_nightly(param) for number, param in enumerate(params)]


def as_nightly(param: Any) -> Any:
    """Mark as nightly. `param`: a value, the values of several names, or the result of pytest.param()."""
    if isinstance(param, tuple) and hasattr(param, "marks"):
        return pytest.param(*param.values, marks=[*param.marks, pytest.mark.nightly], id=param.id)  # type: ignore[attr-defined]
    values: Sequence[Any] = param if isinstance(param, tuple) else (param,)
    return pytest.param(*values, marks=pytest.mark.nightly)

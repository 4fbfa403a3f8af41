"""Many cheap cases in one test: what the fixtures make costs more than all of them."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction


def in_one_cloud(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator like pytest.mark.parametrize, of one test that runs all cases one after the other.

    What a case writes to the database is rolled back. A failure names its case.
    """
    arguments = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names

    def decorate(test: Callable[..., None]) -> Any:
        signature = inspect.signature(test)

        @functools.wraps(test)
        def whole(**fixtures: Any) -> None:
            number = 0
            for number, case in enumerate(cases, start=1):
                values = (case,) if len(arguments) == 1 else tuple(case)
                before = transaction.savepoint()
                try:
                    test(**fixtures, **dict(zip(arguments, values, strict=True)))
                except BaseException as error:
                    error.add_note(f"case {number}: {values}")
                    raise
                transaction.savepoint_rollback(before)
            assert number > 0, "there are cases"

        kept = [each for name, each in signature.parameters.items() if name not in arguments]
        whole.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return whole

    return decorate

"""Wait for a condition."""

import time
from collections.abc import Callable

from agents.lab.shell import PATIENCE_S

SLOWER_EACH_TIME = 1.2  # to ask takes the processors from what is waited for


def wait_until(
    is_so: Callable[[], bool],
    *,
    limit_s: float = PATIENCE_S,
    every_s: float = 0.05,
    rarest_s: float = 0.5,
    or_else: Callable[[], str] = lambda: "it never became true",
) -> None:
    """Check the condition every `every_s` seconds at first, then ever more rarely, down to every `rarest_s`.

    Raises:
        TimeoutError: it was not so within `limit_s` seconds; with what `or_else` says.
    """
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {limit_s:.0f} s in vain: {or_else()}")
        time.sleep(every_s)
        every_s = max(every_s, min(every_s * SLOWER_EACH_TIME, rarest_s))

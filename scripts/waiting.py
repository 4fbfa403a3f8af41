"""Wait until something is so."""

import time
from collections.abc import Callable


def wait_until(
    is_so: Callable[[], bool],
    *,
    limit_s: float = 60,
    every_s: float = 0.05,
    or_else: Callable[[], str] = lambda: "it never became true",
) -> None:
    """Raises TimeoutError, with what `or_else` says, when it is not so within `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {limit_s:.0f} s in vain: {or_else()}")
        time.sleep(every_s)

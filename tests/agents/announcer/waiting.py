"""Waiting for what other processes do."""

import time
from collections.abc import Callable

from tests.limits import PATIENCE_S


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, f"{what}: not within {PATIENCE_S} s"
        time.sleep(0.02)

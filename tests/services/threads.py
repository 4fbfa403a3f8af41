"""Run calls concurrently, each with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

from tests.limits import PATIENCE_S

T = TypeVar("T")


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """Start all calls together; returns their results or errors, in order."""
    gate = threading.Barrier(len(calls))

    def one(call: Callable[[], T]) -> T:
        try:
            connection.ensure_connection()
            gate.wait(timeout=PATIENCE_S)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(one, call) for call in calls]
    return [future.exception() or future.result() for future in futures]


def split(outcomes: Sequence[T | BaseException]) -> tuple[list[T], list[BaseException]]:
    """Split the results into successes and errors."""
    won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    return won, lost

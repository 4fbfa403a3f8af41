"""Run calls concurrently, each with a database connection of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

from scripts.polling import wait_until
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


def until_one_waits_for_a_lock() -> None:
    """Wait until a transaction waits for a lock of PostgreSQL. Raises TimeoutError: none does."""

    def someone_waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    wait_until(someone_waits, or_else=lambda: "no transaction waits for a lock")

"""Request operations over HTTP by the load generator, and wait for their end."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import psycopg

from bench.common import instance_body
from bench.load import Bounds, Call, run
from scripts.api import Api
from scripts.cloud import Cloud
from scripts.control_plane import Stack

CLIENTS = 4
LOOK_EVERY_S = 0.1
SILENCE_LIMIT_S = 120
BODIES: dict[str, Callable[[str], dict[str, Any]]] = {
    "instances": instance_body,
    "volumes": lambda name: {"name": name, "size_gib": 1},
}


@dataclass(frozen=True)
class AcceptedOperations:
    """Accepted operations. `answered_s`: the duration of each request."""

    begun: datetime
    answered_s: list[float]


class OperationLoad:
    """Load for one project; no name comes twice."""

    def __init__(self, cloud: Cloud, api: Api, *, project: str) -> None:
        self._stack, self._token = cloud.stack, api.token
        self._path = f"/v1/projects/{project}"
        self._numbers: Iterator[int] = count()

    def ask(self, kind: str, amount: int, *, clients: int = CLIENTS) -> AcceptedOperations:
        """Request this number of instances or volumes. Returns when all are accepted."""
        body = BODIES[kind]
        call = Call(
            "POST",
            f"{self._path}/{kind}",
            201,
            self._token,
            body=lambda number: json.dumps(body(f"{kind}-{number}")).encode(),
        )
        ((begun,),) = query(self._stack, "SELECT clock_timestamp()")
        accepted = run(self._stack.port, call, min(clients, amount), Bounds(3600, amount), self._numbers)
        return AcceptedOperations(begun, accepted.samples_s)


def query(stack: Stack, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with connected(stack) as connection:
        return connection.execute(statement, values).fetchall()


def connected(stack: Stack) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(host=str(stack.var / "run"), user="andromede", dbname="andromede", autocommit=True)


ENDS = ("succeeded", "failed", "cancelled")
COUNTED = "SELECT state, count(*), max(finished_at) FROM operations_operation WHERE created_at >= %s GROUP BY 1"


def wait_for_operations(
    stack: Stack,
    since: datetime,
    amount: int,
    *,
    ends: Sequence[str] = ENDS[:1],
    seen: Callable[[int], None] = lambda _: None,
) -> float:
    """Wait until this number of operations requested since then has ended; returns the seconds until the last end.

    `seen` is called repeatedly with the current number.

    Raises:
        SystemExit: one has ended otherwise than `ends` says, or none has for two minutes.
    """
    done, progress_at = 0, time.monotonic()
    with connected(stack) as connection:
        while True:
            ended = {state: (number, last) for state, number, last in connection.execute(COUNTED, [since])}
            if bad := {state: ended[state][0] for state in ENDS if state in ended and state not in ends}:
                raise SystemExit(f"Operations failed: {bad}.")
            over = [ended[state] for state in ends if state in ended]
            number = sum(each for each, _ in over)
            seen(number)
            if number >= amount:
                return float((max(last for _, last in over) - since).total_seconds())
            if number > done:
                done, progress_at = number, time.monotonic()
            elif time.monotonic() - progress_at > SILENCE_LIMIT_S:
                raise SystemExit(f"No operation has ended for {SILENCE_LIMIT_S} s: {number} of {amount} have.")
            time.sleep(max(LOOK_EVERY_S, amount / 10_000))  # to count them takes the processors too

"""Choice of the next operation of a queue: fair to projects, independent of the order of messages.

A message only wakes a worker. The worker takes the longest due operation of the project with the fewest running
operations in this process, so that a project with thousands of operations delays another project's by one operation and
not by its whole backlog. A project runs at most settings.OPERATIONS_PER_PROJECT operations of a queue in one process: a
thread stays free for the others. Imports are limited across all processes instead, per project, per organization and in
total; an operation over a limit waits as a row and occupies no thread.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from uuid import UUID

from django.conf import settings
from django.db import transaction

from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.operations import leases
from controlplane.operations.models import Operation
from controlplane.operations.queues import IMPORTS, QUEUES

# Stands for "of no project" in lists of projects.
NOBODY = UUID(int=0)
# A worker that starts one waiting operation after another stops after so many, and waits for the next message.
TAKES_AT_ONCE = 50
IMPORTS_LOCK = 0x1A2E_0001

LIVE = "state IN ('pending', 'running', 'undoing')"
IS_DUE = (
    f"{LIVE} AND lane = %(queue)s AND due_at <= %(now)s AND (lease_expires_at IS NULL OR lease_expires_at < %(now)s)"
)
# Projects with live operations, found by a walk along the index operations_by_turn, with NULL last for operations of no
# project; for each, the operation that is due longest. This costs a few reads of the index per project, however many
# operations wait.
NEXT = f"""
WITH RECURSIVE project (id) AS (
    (SELECT project_id FROM operations_operation WHERE {LIVE} AND lane = %(queue)s AND project_id IS NOT NULL
     ORDER BY project_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.project_id FROM operations_operation o
            WHERE {LIVE} AND lane = %(queue)s AND o.project_id > project.id ORDER BY o.project_id LIMIT 1)
    FROM project WHERE project.id IS NOT NULL
), party (id) AS (SELECT id FROM project WHERE id IS NOT NULL UNION ALL SELECT NULL)
SELECT head.id, coalesce(party.id, %(nobody)s) FROM party
CROSS JOIN LATERAL (
    (SELECT id, due_at FROM operations_operation WHERE {IS_DUE} AND project_id = party.id ORDER BY due_at LIMIT 1)
    UNION ALL
    (SELECT id, due_at FROM operations_operation WHERE {IS_DUE} AND project_id IS NULL AND party.id IS NULL
     ORDER BY due_at LIMIT 1)
) AS head
LEFT JOIN unnest(%(parties)s::uuid[], %(counts)s::int[]) AS hand (id, operations)
    ON hand.id = coalesce(party.id, %(nobody)s)
WHERE coalesce(party.id, %(nobody)s) <> ALL (%(full)s::uuid[])
ORDER BY coalesce(hand.operations, 0), head.due_at LIMIT 1
"""
RUNNING_IMPORTS = f"""
SELECT coalesce(o.project_id, %(nobody)s), p.organization_id FROM operations_operation o
LEFT JOIN identity_project p ON p.id = o.project_id
WHERE o.{LIVE} AND o.lane = %(queue)s AND o.lease_expires_at >= %(now)s
"""

_lock = threading.Lock()
_in_hand: dict[str, Counter[UUID]] = {queue: Counter() for queue in QUEUES}


@contextmanager
def next_operation(queue: str) -> Iterator[Operation | None]:
    """Yield the next operation, leased to this thread until the end of the block; None: no due operation may begin
    now.
    """
    for _ in range(TAKES_AT_ONCE):
        leased = _lease(queue)
        if leased is None:
            break
        operation_id, party, token = leased
        try:
            operation = leases.load_leased(operation_id, token)
            if operation is not None:
                yield operation
                return
        finally:
            with _lock:
                _in_hand[queue] -= Counter([party])
    yield None


def _lease(queue: str) -> tuple[UUID, UUID, UUID] | None:
    """Return operation, project and lease token.

    One thread of this process at a time chooses; another process may be faster.
    """
    with _lock:
        while True:
            # The advisory lock keeps other processes from starting imports while the running ones are counted.
            with transaction.atomic() if queue == IMPORTS else nullcontext():
                full = _full_of_imports() if queue == IMPORTS else _full(queue)
                chosen = None if full is None else _next(queue, full)
                if chosen is None:
                    return None
                operation_id, party = chosen
                token = leases.acquire_lease(operation_id)
            if token is not None:
                _in_hand[queue][party] += 1
                return operation_id, party, token


def _next(queue: str, full: Collection[UUID]) -> tuple[UUID, UUID] | None:
    hand = _in_hand[queue]
    values = {"queue": queue, "now": clock.now(), "nobody": NOBODY, "full": list(full)}
    with preparing_cursor() as cursor:
        cursor.execute(NEXT, values | {"parties": list(hand), "counts": list(hand.values())})
        row: tuple[UUID, UUID] | None = cursor.fetchone()
    return row


def _full(queue: str) -> list[UUID]:
    """Return the projects that run as many operations as they may."""
    return [party for party, count in _in_hand[queue].items() if count >= settings.OPERATIONS_PER_PROJECT]


def _full_of_imports() -> Collection[UUID] | None:
    """Return the projects that may start no other import, by the imports that run in all processes; None: no project
    may.

    Locks out the same check of other processes until the end of the transaction.
    """
    with preparing_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORTS_LOCK])
        cursor.execute(RUNNING_IMPORTS, {"queue": IMPORTS, "now": clock.now(), "nobody": NOBODY})
        running: list[tuple[UUID, UUID | None]] = cursor.fetchall()
    if len(running) >= settings.IMAGE_IMPORTS_MAX:
        return None
    by_project = Counter(project for project, _ in running)
    by_organization = Counter(organization for _, organization in running if organization is not None)
    full = {party for party, count in by_project.items() if count >= settings.IMAGE_IMPORTS_PER_PROJECT}
    limit = settings.IMAGE_IMPORTS_PER_ORGANIZATION
    organizations = [each for each, count in by_organization.items() if count >= limit]
    if organizations:
        full |= set(Project.objects.filter(organization__in=organizations).values_list("pk", flat=True))
    return full

"""Deletion of expired rows in batches, each in its own transaction: locks are short, and an interrupted run keeps its
progress.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from controlplane.kernel import clock
from controlplane.kernel.ids import first_id

PORTION = 500
NOBODY = UUID(int=0)


def older_than(days: int) -> dict[str, Any]:
    """Return the rows older than a time. `first`: ids begin with their time, so the primary key finds old rows."""
    before = clock.now() - timedelta(days=days)
    return {"before": before, "first": first_id(before)}


def id_batches(statement: str, values: Mapping[str, Any], *, portion: int | None = None) -> Iterator[list[UUID]]:
    """Yield the ids that the statement finds.

    The statement gets `after` and `portion`: it returns at most `portion` ids above `after`, in their order.
    """
    after = NOBODY
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**values, "after": after, "portion": portion or PORTION})
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return
        yield ids
        after = ids[-1]


def delete(table: str, ids: list[UUID]) -> int:
    """Delete rows by id; missing rows are ignored. Returns the number of deleted rows."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [ids])
        count: int = cursor.rowcount
    return count

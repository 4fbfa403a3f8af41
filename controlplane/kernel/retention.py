"""Rows whose time is over go in portions, each in a transaction of its own: no lock lasts, and a run that is cut off
has done what it did."""

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
    """What is older may go. `first`: ids begin with their time, so that the primary key finds what is old."""
    before = clock.now() - timedelta(days=days)
    return {"before": before, "first": first_id(before)}


def id_batches(statement: str, values: Mapping[str, Any], *, portion: int | None = None) -> Iterator[list[UUID]]:
    """The ids that the statement finds. It is given `after` and `portion`: it answers ids above the one, in their
    order, and as many as the other says."""
    after = NOBODY
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, {**values, "after": after, "portion": portion or PORTION})
            found = [row[0] for row in cursor.fetchall()]
        if not found:
            return
        yield found
        after = found[-1]


def delete(table: str, ids: list[UUID]) -> int:
    """Rows that are gone already are fine. Returns how many went."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [ids])
        count: int = cursor.rowcount
    return count

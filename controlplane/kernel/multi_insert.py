"""Insert new rows of several models in one round trip.

The rows need nothing else that `save` does (signals, a check that the row exists).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from itertools import count
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import AutoField, Model
from psycopg import RawCursor

from controlplane.kernel.prepared_queries import PLACE, preparing_cursor

# SQL statement and its values.
Statement = tuple[str, Sequence[Any]]
# Columns that take a value of this type unchanged; Django converts each value through five layers.
PLAIN: Mapping[Any, type] = {
    models.UUIDField: UUID,
    models.CharField: str,
    models.TextField: str,
    models.GenericIPAddressField: str,
    models.BooleanField: bool,
    models.DateTimeField: datetime,
    models.PositiveSmallIntegerField: int,
    models.PositiveIntegerField: int,
    models.PositiveBigIntegerField: int,
}


def insert(*rows: Model, then: Sequence[Statement] = ()) -> int:
    """Insert all rows in one statement; rows of one model keep their order.

    A row whose key the database generates does not get its key. `then`: further statements of the same round trip; none
    of them sees what the others write. Returns the number of rows that the last part wrote.
    """
    kinds: dict[type[Model], list[Model]] = {}
    for row in rows:
        kinds.setdefault(type(row), []).append(row)
    parts = [insertion(*alike) for alike in kinds.values()]
    statements, values = zip(*parts, *then, strict=True)
    with preparing_cursor(RawCursor) as cursor:
        cursor.execute(_together(statements), [value for each in values for value in each])
        written: int = cursor.rowcount
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return written


@lru_cache(maxsize=1000)
def _together(statements: tuple[str, ...]) -> str:
    """Return one statement with numbered placeholders, which PostgreSQL gets unchanged: psycopg parses a statement with
    more than 50 placeholders each time.
    """
    first = ", ".join(f"insert_{number} AS ({each})" for number, each in enumerate(statements[:-1]))
    numbers = count(1)
    return PLACE.sub(lambda _: f"${next(numbers)}", f"WITH {first} {statements[-1]}" if first else statements[-1])


def insertion(*rows: Model) -> Statement:
    """Return the statement that inserts rows of one model."""
    start, places, read, fields = _parts(type(rows[0]))
    own = connections[DEFAULT_DB_ALIAS]  # this thread's connection, not the proxy that looks it up each time
    values = [
        value if value is None or type(value) is plain else field.get_db_prep_save(value, own)
        for row in rows
        for value, (plain, field) in zip(read(row), fields, strict=True)
    ]
    return f"{start} VALUES {', '.join([places] * len(rows))}", values


@cache
def _parts(model: type[Model]) -> tuple[str, str, Callable[[Model], Any], list[tuple[type | None, Any]]]:
    """Return the beginning of the statement, the placeholders of one row, a function from a row to its values, and by
    column the type that needs no conversion.
    """
    fields = [each for each in model._meta.concrete_fields if not isinstance(each, AutoField)]
    columns, places = ", ".join(f'"{each.column}"' for each in fields), ", ".join(["%s"] * len(fields))
    plain = [(PLAIN.get(type(getattr(each, "target_field", each))), each) for each in fields]
    read = attrgetter(*(each.attname for each in fields))
    return f"INSERT INTO {model._meta.db_table} ({columns})", f"({places})", read, plain

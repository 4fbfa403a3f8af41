"""Rows that are new, written in one round trip. What `save` does besides (signals, a look whether the row is there) no
row of ours needs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from itertools import count
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models import AutoField, Model
from psycopg import RawCursor

from controlplane.kernel.prepared_queries import PLACE, preparing_cursor

# An SQL statement, and its values.
Statement = tuple[str, Sequence[Any]]
# The columns that take a value of this type as it is; Django asks the field about each value, through five layers.
PLAIN: Mapping[Any, type] = {
    models.UUIDField: UUID,
    models.CharField: str,
    models.TextField: str,
    models.BooleanField: bool,
    models.DateTimeField: datetime,
    models.PositiveSmallIntegerField: int,
    models.PositiveIntegerField: int,
    models.PositiveBigIntegerField: int,
}


def insert(*rows: Model, then: Sequence[Statement] = ()) -> int:
    """All of them, in one statement and so all or none; rows of one kind in their order. A row whose key the database
    gives does not learn it. `then`: what writes more in the same breath; none of it sees what the rest writes. Returns
    how many rows the last part wrote."""
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
    """One statement, with numbers for places: PostgreSQL gets it as it is. Psycopg reads one that has more than 50
    places each time."""
    first = ", ".join(f"insert_{number} AS ({each})" for number, each in enumerate(statements[:-1]))
    numbers = count(1)
    return PLACE.sub(lambda _: f"${next(numbers)}", f"WITH {first} {statements[-1]}" if first else statements[-1])


def insertion(*rows: Model) -> Statement:
    """The statement that writes the rows, which are of one kind."""
    start, places, fields = _parts(type(rows[0]))
    own = connections[DEFAULT_DB_ALIAS]  # that of this thread, and not the proxy that looks for it each time
    values = []
    for row in rows:
        for name, plain, field in fields:
            value = getattr(row, name)
            is_plain = value is None or type(value) is plain
            values.append(value if is_plain else field.get_db_prep_save(value, own))
    return f"{start} VALUES {', '.join([places] * len(rows))}", values


@cache
def _parts(model: type[Model]) -> tuple[str, str, list[tuple[str, type | None, Any]]]:
    """How it begins, the places of one row, and by name the columns with what they take as it is."""
    fields = [each for each in model._meta.concrete_fields if not isinstance(each, AutoField)]
    columns, places = ", ".join(f'"{each.column}"' for each in fields), ", ".join(["%s"] * len(fields))
    named = [(each.attname, PLAIN.get(type(getattr(each, "target_field", each))), each) for each in fields]
    return f"INSERT INTO {model._meta.db_table} ({columns})", f"({places})", named

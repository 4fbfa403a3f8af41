"""Rows that are new, written in one round trip. What `save` does besides (signals, a look whether the row is there) no
row of ours needs."""

from functools import cache
from typing import Any

from django.db import connection, connections
from django.db.models import AutoField, Model

from controlplane.kernel.prepared import cursor_that_prepares


def insert(*rows: Model) -> None:
    """All of them, in one statement and so all or none. A row whose key the database gives does not learn it."""
    statements, values = zip(*(insertion(row) for row in rows), strict=True)
    first = ", ".join(f"insert_{number} AS ({each})" for number, each in enumerate(statements[:-1]))
    with cursor_that_prepares() as cursor:
        cursor.execute(f"WITH {first} {statements[-1]}" if first else statements[-1], sum(values, []))
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def insertion(row: Model) -> tuple[str, list[Any]]:
    """The statement that writes the row, and its values."""
    statement, fields = _statement(type(row))
    own = connections[connection.alias]  # that of this thread, and not the proxy that looks for it each time
    return statement, [field.get_db_prep_save(getattr(row, field.attname), own) for field in fields]


@cache
def _statement(model: type[Model]) -> tuple[str, list[Any]]:
    fields = [each for each in model._meta.concrete_fields if not isinstance(each, AutoField)]
    columns, places = ", ".join(f'"{each.column}"' for each in fields), ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({places})", fields

"""Queries compiled once.

Django takes longer to write the SQL of a query than PostgreSQL to answer it, so the queries of every request are
compiled on first use, and later only get their values.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import BooleanField, Expression, Func, Model, QuerySet
from django.db.models.query import get_related_populators
from psycopg import Cursor
from psycopg.sql import Literal

from controlplane.kernel.errors import NotFound
from controlplane.kernel.names import as_uuid

M = TypeVar("M", bound=Model)
PLACE = re.compile("(?<!%)%s")


def preparing_cursor(kind: type[Cursor[Any]] = Cursor) -> Any:
    """Return a cursor that lets PostgreSQL keep the plans of its statements for the life of the connection.

    Django's own cursor writes the values into the statement, so that each statement is a new one. `kind`: the class of
    psycopg cursor.
    """
    own: Any = connections[DEFAULT_DB_ALIAS]  # this thread's connection, not the proxy that looks it up each time
    if not own.in_atomic_block:  # a transaction has begun on a connection that was checked
        own.close_if_health_check_failed()
        own.ensure_connection()
    return own._prepare_cursor(kind(own.connection))


class Placeholder(Expression):
    """Expression for a value that is given later."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def _resolve_output_field(self) -> None:
        return None


class AnyOf(Func):
    """Condition: a column has one of the values of an array, which may be given later.

    `__in` has a place for each value, so that its SQL depends on their number.
    """

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    arity = 2
    output_field = BooleanField()


class Prepared(Generic[M]):
    """A compiled query.

    `build` makes the query from expressions that stand for the values; rows() gets the values in the same order, as the
    database has them. `build` may use everything except prefetch_related and values.

        OWN = Prepared(lambda project: Instance.objects.filter(project=project))
        OWN.rows(project.pk)
    """

    def __init__(self, build: Callable[..., QuerySet[M]]) -> None:
        self._build = build
        self._statement: _Statement | None = None

    def rows(self, *values: Any) -> list[M]:
        with preparing_cursor() as cursor:
            statement = self._statement = self._statement or _Statement.of(
                self._build(*map(Placeholder, range(len(values))))
            )
            cursor.execute(statement.sql, statement.filled(values))
            return [statement.row(each) for each in cursor.fetchall()]

    def first(self, *values: Any) -> M | None:
        rows = self.rows(*values)
        return rows[0] if rows else None

    def get(self, *values: Any) -> M:
        """Return the one row. Raises ObjectDoesNotExist."""
        row = self.first(*values)
        if row is None:
            raise ObjectDoesNotExist()
        return row


class PreparedByRef(Generic[M]):
    """kernel.db.by_ref, compiled: `build` makes the queryset from values that restrict it.

    `error`: raised by get() when no row matches.
    """

    def __init__(self, build: Callable[..., QuerySet[M]], error: type[NotFound]) -> None:
        self._error = error
        self._by_id = Prepared(lambda ref, *values: build(*values).filter(pk=ref)[:1])
        self._by_name = Prepared(lambda ref, *values: build(*values).filter(name=ref)[:1])

    def get(self, ref: str, *values: Any) -> M:
        as_id = as_uuid(ref)
        row = self._by_id.first(as_id, *values) if as_id else self._by_name.first(ref, *values)
        if row is None:
            raise self._error(name=ref)
        return row


@dataclass(frozen=True)
class Collection(Generic[M]):
    """A collection that is listed often: `build` makes the queryset from `values`; `build` never changes."""

    build: Callable[..., QuerySet[M]]
    values: tuple[Any, ...]

    def all(self) -> QuerySet[M]:
        """Return the queryset, for further filters."""
        return self.build(*self.values)

    def first(self, keys: tuple[str, ...], limit: int) -> list[M]:
        """Return the first `limit` rows in the order of these columns."""
        return _first(self.build, keys, limit).rows(*self.values)


@lru_cache(maxsize=100)
def _first(build: Callable[..., QuerySet[M]], keys: tuple[str, ...], limit: int) -> Prepared[M]:
    return Prepared(lambda *values: build(*values).order_by(*keys)[:limit])


class _Statement:
    def __init__(self, compiler: Any) -> None:
        self.sql, self._places = _with_constants(*compiler.as_sql())
        self.row = _reader(compiler)

    @classmethod
    def of(cls, rows: QuerySet[Any]) -> "_Statement":
        return cls(rows.query.get_compiler(connection=connection))

    def filled(self, values: Sequence[Any]) -> list[Any]:
        return [values[index] for index in self._places]


def _with_constants(sql: str, parameters: Sequence[Any]) -> tuple[str, list[int]]:
    """Return the statement with its constant values written into it, so that PostgreSQL can plan with them, for example
    with a partial index; and the position of each variable value.
    """
    first, *others = PLACE.split(sql)
    for parameter, text in zip(parameters, others, strict=True):
        is_known = not isinstance(parameter, Placeholder)
        first += (Literal(parameter).as_string(connection.connection).replace("%", "%%") if is_known else "%s") + text
    return first, [each.number for each in parameters if isinstance(each, Placeholder)]


def _reader(compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """Return a function from a database row to a model instance, as django.db.models.query does."""
    info, select, alias = compiler.klass_info, compiler.select, connection.alias
    model, fields = info["model"], info["select_fields"]
    names = [select[position][0].target.attname for position in fields]
    populators = get_related_populators(info, select, alias)  # type: ignore[call-arg]
    converters = list(compiler.get_converters([each[0] for each in select]).items())
    annotations = list(compiler.annotation_col_map.items())

    def read(row: Sequence[Any]) -> Any:
        if converters:
            row = list(row)
            for position, (functions, expression) in converters:
                for function in functions:
                    row[position] = function(row[position], expression, connection)
        instance = model.from_db(alias, names, row[fields[0] : fields[-1] + 1])
        for populator in populators:
            populator.populate(row, instance)
        for name, position in annotations:
            setattr(instance, name, row[position])
        return instance

    return read

"""Queries that are put together once. Django takes longer to write the SQL of a query than PostgreSQL to answer it, so
those that every request makes are written when they are first needed, and from then on only filled in."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Expression, Model, QuerySet
from django.db.models.query import get_related_populators
from psycopg import Cursor
from psycopg.sql import Literal

from controlplane.kernel.errors import NotFound
from controlplane.kernel.names import as_uuid

M = TypeVar("M", bound=Model)
PLACE = re.compile("(?<!%)%s")


def preparing_cursor(kind: type[Cursor[Any]] = Cursor) -> Any:
    """As connection.cursor(), but PostgreSQL keeps the plans of what is executed, for as long as the connection lives.
    Django's own cursor writes the values into the statement, so that each is another one. `kind`: which of psycopg's
    cursors it is."""
    own: Any = connections[DEFAULT_DB_ALIAS]  # that of this thread, and not the proxy that looks for it each time
    own.close_if_health_check_failed()
    own.ensure_connection()
    return own._prepare_cursor(kind(own.connection))


class Placeholder(Expression):
    """Stands for a value that is not known yet."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def _resolve_output_field(self) -> None:
        return None


class Prepared(Generic[M]):
    """`build` makes the query from expressions that stand for the values; rows() is given these in the same order, as
    the database has them. It may use all but prefetch_related and values.

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
        found = self.rows(*values)
        return found[0] if found else None

    def get(self, *values: Any) -> M:
        """Raises ObjectDoesNotExist."""
        found = self.first(*values)
        if found is None:
            raise ObjectDoesNotExist()
        return found


class PreparedByRef(Generic[M]):
    """kernel.db.by_ref, prepared: `build` makes the rows, from values that narrow them down. `error`: what get() raises
    when none of them is meant."""

    def __init__(self, build: Callable[..., QuerySet[M]], error: type[NotFound]) -> None:
        self._error = error
        self._by_id = Prepared(lambda ref, *values: build(*values).filter(pk=ref)[:1])
        self._by_name = Prepared(lambda ref, *values: build(*values).filter(name=ref)[:1])

    def get(self, ref: str, *values: Any) -> M:
        as_id = as_uuid(ref)
        found = self._by_id.first(as_id, *values) if as_id else self._by_name.first(ref, *values)
        if found is None:
            raise self._error(name=ref)
        return found


@dataclass(frozen=True)
class Collection(Generic[M]):
    """The rows of a collection that is often listed: `build` makes them from `values`, and is the same each time."""

    build: Callable[..., QuerySet[M]]
    values: tuple[Any, ...]

    def all(self) -> QuerySet[M]:
        """To be narrowed down."""
        return self.build(*self.values)

    def first(self, keys: tuple[str, ...], limit: int) -> list[M]:
        """So many, in the order of these columns."""
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
        return [values[place] for place in self._places]


def _with_constants(sql: str, parameters: Sequence[Any]) -> tuple[str, list[int]]:
    """What is the same each time stands in the statement, so that its plan can rest on it: on an index that has some of
    the rows, for example. Besides, which of the values is wanted where."""
    first, *others = PLACE.split(sql)
    for parameter, text in zip(parameters, others, strict=True):
        is_known = not isinstance(parameter, Placeholder)
        first += (Literal(parameter).as_string(connection.connection).replace("%", "%%") if is_known else "%s") + text
    return first, [each.number for each in parameters if isinstance(each, Placeholder)]


def _reader(compiler: Any) -> Callable[[Sequence[Any]], Any]:
    """From a row of the database to one of the model, as django.db.models.query.ModelIterable does it."""
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
        made = model.from_db(alias, names, row[fields[0] : fields[-1] + 1])
        for populator in populators:
            populator.populate(row, made)
        for name, position in annotations:
            setattr(made, name, row[position])
        return made

    return read

"""Base model; rows by what a caller calls them; and the guarded writes: a state moves only by compare-and-set, a
constraint speaks through its error."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any, Self, TypeVar

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections, models, transaction
from django.db.models.base import ModelState

from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError, StateConflict
from controlplane.kernel.ids import new_id
from controlplane.kernel.names import as_uuid, check_labels, check_name
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.kernel.states import Machine

M = TypeVar("M", bound=models.Model)
# Who is told of every move, in its transaction.
on_move: list[Callable[[models.Model, Machine, str], None]] = []


class BaseModel(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()} {self.pk}"

    @classmethod
    def from_db(  # type: ignore[override] # the stubs are of a later Django, which gives more
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Self:
        """As Django's, but without __init__: a row that was read has all its values, and no use for defaults and
        signals. It takes a third of the time, and a page reads a hundred of them."""
        row = cls.__new__(cls)
        row._state = state = ModelState()
        state.adding, state.db = False, db
        row.__dict__.update(zip(field_names, values, strict=True))
        return row


class Versioned(BaseModel):
    """`generation` grows with every accepted change: with name and labels it names the version (kernel/etags.py)."""

    generation = models.PositiveBigIntegerField(default=1)

    class Meta:
        abstract = True


def write_version(row: Versioned, **fields: Any) -> None:
    """Write a change that its owner asked for, as a new version; `row` is what the database has then."""
    fields |= {"generation": models.F("generation") + 1, "updated_at": clock.now()}
    type(row)._default_manager.filter(pk=row.pk).update(**fields)
    row.refresh_from_db(fields=fields)


def edit(row: models.Model, *, name: str, labels: Mapping[str, str], **more: object) -> None:
    """Give it this name, these labels and what `more` says of its fields: an edit that nobody has to carry out.

    Raises:
        InvalidName, InvalidLabels
    """
    fields = {"name": check_name(name), "labels": check_labels(labels), **more, "updated_at": clock.now()}
    for field, value in fields.items():
        setattr(row, field, value)
    row.save(update_fields=list(fields))


def by_id(rows: models.QuerySet[M], ref: str) -> M | None:
    """The one with this id; a text that is no id is nobody's."""
    as_id = as_uuid(ref)
    return rows.filter(pk=as_id).first() if as_id else None


def by_ref(rows: models.QuerySet[M], ref: str) -> M | None:
    """The one with this id or, when `ref` is no id, of this name."""
    as_id = as_uuid(ref)
    return rows.filter(models.Q(pk=as_id) if as_id else models.Q(name=ref)).first()


def move(row: models.Model, machine: Machine, to: str, **fields: Any) -> None:
    """Set the row's state to `to`, and `fields` with it, if the database still has the state that `row` was read with.

    Raises:
        IllegalTransition: the machine does not know this move.
        StateConflict: somebody else moved the row first; nothing was written.
    """
    state = getattr(row, machine.field)
    machine.check(state, to)
    fields |= {machine.field: to, "updated_at": clock.now()}
    with transaction.atomic(savepoint=False):
        is_moved = _update(row, fields, machine.field) == 1
        for tell in on_move if is_moved else ():
            tell(row, machine, to)
    if not is_moved:
        raise StateConflict(machine=machine.name, id=row.pk)
    for name, value in fields.items():
        setattr(row, name, value)


def _update(row: models.Model, fields: Mapping[str, Any], unchanged: str) -> int:
    """As a queryset's update(), if the column `unchanged` has the value that `row` has; how many rows it was."""
    meta: Any = row._meta
    own = connections[DEFAULT_DB_ALIAS]
    written = [(meta.get_field(name), value) for name, value in fields.items()]
    if any(hasattr(value, "resolve_expression") for _, value in written):
        return type(row)._default_manager.filter(pk=row.pk, **{unchanged: getattr(row, unchanged)}).update(**fields)
    values = [_prepared(field, value, own) for field, value in written]
    names = tuple(field.column for field, _ in written)
    with preparing_cursor() as cursor:
        statement = update_statement(meta.db_table, names, where=("id", meta.get_field(unchanged).column))
        cursor.execute(statement, [*values, row.pk, getattr(row, unchanged)])
        return int(cursor.rowcount)


def _prepared(field: Any, value: Any, own: Any) -> Any:
    is_row = isinstance(value, models.Model)
    return field.get_db_prep_save(value.prepare_database_save(field) if is_row else value, own)


@lru_cache(maxsize=300)
def update_statement(table: str, columns: tuple[str, ...], *, where: tuple[str, ...], returning: str = "") -> str:
    """The statement that writes `columns` of the rows whose columns `where` have values that are given after theirs."""
    written = ", ".join(f'"{name}" = %s' for name in columns)
    are_so = " AND ".join(f'"{name}" = %s' for name in where)
    answer = f' RETURNING "{returning}"' if returning else ""
    return f'UPDATE "{table}" SET {written} WHERE {are_so}{answer}'


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction, or a part of one, of which nothing stays and no message leaves; what goes wrong inside is told all
    the same. All dry runs are this."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def forbid_transaction() -> None:
    """Refuse work that must not hold a transaction open, such as a call to a node. The transactions that Django's tests
    run in do not count.

    Raises:
        RuntimeError: a transaction is open on this thread's connection. That is a bug of the caller.
    """
    # Django's atomic(durable=True) tells them apart in the same way.
    if any(not block._from_testcase for block in connection.atomic_blocks):  # type: ignore[attr-defined]
        raise RuntimeError("This must not run inside a database transaction.")


def ensure_transaction() -> AbstractContextManager[None]:
    """The caller's transaction, or one of its own where there is none. Unlike `transaction.atomic()` inside another, it
    is no part that could be rolled back by itself: what is raised in it has to end the whole."""
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


@contextmanager
def raise_on_violation(constraint: str, error: CloudError, *, is_end: bool = False) -> Iterator[None]:
    """Turn a violation of the named constraint inside the block into `error`; the transaction around it goes on. With
    `is_end` it does not, which saves two trips to the database."""
    try:
        with transaction.atomic(savepoint=not is_end):
            yield
    except IntegrityError as exc:
        diagnosis = getattr(exc.__cause__, "diag", None)
        if getattr(diagnosis, "constraint_name", None) == constraint:
            raise error from exc
        raise

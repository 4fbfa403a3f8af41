"""Base model, look-up of rows by id or name, and guarded writes.

A state changes only by compare-and-set; a violated constraint raises its error.
"""

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
# Listeners are called for every transition, in its transaction.
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
        """Build an instance as Django does, but without __init__: a row from the database has all its values, and needs
        no defaults and no signals. This takes a third of the time, and a page reads a hundred rows.
        """
        row = cls.__new__(cls)
        row._state = state = ModelState()
        state.adding, state.db = False, db
        row.__dict__.update(zip(field_names, values, strict=True))
        return row


class Versioned(BaseModel):
    """Row with a `generation` that grows with every accepted change; with name and labels it makes the version
    (kernel/etags.py).
    """

    generation = models.PositiveBigIntegerField(default=1)

    class Meta:
        abstract = True


def write_version(row: Versioned, **fields: Any) -> None:
    """Write a change that a user requested, as a new version; `row` then has the values of the database."""
    fields |= {"generation": models.F("generation") + 1, "updated_at": clock.now()}
    type(row)._default_manager.filter(pk=row.pk).update(**fields)
    row.refresh_from_db(fields=fields)


def edit(row: models.Model, *, name: str, labels: Mapping[str, str], **more: object) -> None:
    """Set name, labels and the fields in `more`: an edit that needs no operation.

    Raises:
        InvalidName, InvalidLabels
    """
    fields = {"name": check_name(name), "labels": check_labels(labels), **more, "updated_at": clock.now()}
    for field, value in fields.items():
        setattr(row, field, value)
    row.save(update_fields=list(fields))


def by_id(rows: models.QuerySet[M], ref: str) -> M | None:
    """Return the row with this id; a text that is no UUID matches no row."""
    as_id = as_uuid(ref)
    return rows.filter(pk=as_id).first() if as_id else None


def by_ref(rows: models.QuerySet[M], ref: str) -> M | None:
    """Return the row with this id or, when `ref` is no UUID, with this name."""
    as_id = as_uuid(ref)
    return rows.filter(models.Q(pk=as_id) if as_id else models.Q(name=ref)).first()


def move(row: models.Model, machine: Machine, to: str, **fields: Any) -> None:
    """Set the row's state to `to`, and `fields` with it, if the database still has the state that `row` was read with.

    Raises:
        IllegalTransition: the state machine does not allow this transition.
        StateConflict: another transaction changed the state first; nothing was written.
    """
    state = getattr(row, machine.field)
    machine.check(state, to)
    fields |= {machine.field: to, "updated_at": clock.now()}
    with transaction.atomic(savepoint=False):
        is_moved = _update(row, fields, machine.field) == 1
        for notify in on_move if is_moved else ():
            notify(row, machine, to)
    if not is_moved:
        raise StateConflict(machine=machine.name, id=row.pk)
    for name, value in fields.items():
        setattr(row, name, value)


def _update(row: models.Model, fields: Mapping[str, Any], unchanged: str) -> int:
    """Update the row like a queryset's update(), if the column `unchanged` still has the value of `row`; return the
    number of rows.
    """
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
    """Return the UPDATE statement for `columns` of the rows that match the columns `where`; the values of `where`
    follow those of `columns`.
    """
    written = ", ".join(f'"{name}" = %s' for name in columns)
    are_so = " AND ".join(f'"{name}" = %s' for name in where)
    answer = f' RETURNING "{returning}"' if returning else ""
    return f'UPDATE "{table}" SET {written} WHERE {are_so}{answer}'


@contextmanager
def rolled_back() -> Iterator[None]:
    """Run the block in a transaction or savepoint that is rolled back: nothing is written and no message is sent.

    Errors inside propagate. All dry runs use this.
    """
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def forbid_transaction() -> None:
    """Refuse work that must not hold a transaction open, such as a call to a node.

    The transactions that Django's tests run in do not count.

    Raises:
        RuntimeError: a transaction is open on this thread's connection, which is a bug of the caller.
    """
    # Django's atomic(durable=True) uses the same mark.
    if any(not block._from_testcase for block in connection.atomic_blocks):  # type: ignore[attr-defined]
        raise RuntimeError("This must not run inside a database transaction.")


def ensure_transaction() -> AbstractContextManager[None]:
    """Join the caller's transaction, or begin one where there is none.

    Unlike a nested `transaction.atomic()`, this makes no savepoint: an error inside has to end the whole transaction.
    """
    return nullcontext() if connection.in_atomic_block else transaction.atomic()


@contextmanager
def raise_on_violation(constraint: str, error: CloudError, *, is_end: bool = False) -> Iterator[None]:
    """Turn a violation of the named constraint inside the block into `error`; a savepoint keeps the transaction around
    the block usable. With `is_end` there is no savepoint, which saves two round trips to the database.
    """
    try:
        with transaction.atomic(savepoint=not is_end):
            yield
    except IntegrityError as exc:
        diagnosis = getattr(exc.__cause__, "diag", None)
        if getattr(diagnosis, "constraint_name", None) == constraint:
            raise error from exc
        raise

"""Copies of a cloud, and of a catalogue: a process makes each once in MAX_AGE, and each test gets its rows, files and
objects again, with a new agent at an address of its own.

So ids and keys are the same in many tests of a process. world.cloud_in makes a cloud with ids of its own.
"""

import os
import pickle
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import connection, transaction

from controlplane.catalog.models import FactsEpoch
from controlplane.kernel import clock
from tests import world

MAX_AGE = timedelta(seconds=60)  # no document or report is old for a test
IS_UNTOUCHED = "SELECT pg_current_xact_id_if_assigned() IS NULL"
# It may have tables of earlier transactions too.
CHANGED_TABLES = """
SELECT relid::regclass::text, n_tup_upd > 0 FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd > 0 ORDER BY 1
"""
COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
ROWS = """
SELECT string_agg(quote_literal(row::text), ','), bool_or(NOT is_new), bool_or(is_new) FROM (
    SELECT each AS row, xmin::text::bigint >= pg_current_xact_id()::text::bigint AS is_new FROM {table} AS each
) AS found
"""


@dataclass(frozen=True)
class Prototype:
    """Rows, and the parts of a cloud without its agent.

    `epoch`: of the database before. `rows`: the statements that write them. `files`: path → mode and content.
    """

    epoch: int
    made_at: datetime
    rows: str
    files: dict[Path, tuple[int, bytes]]
    objects: bytes


Furnish = Callable[[world.Cloud], None]
Write = Callable[[], None]
_prototypes: dict[object, Prototype] = {}


def bare(cloud: world.Cloud) -> None:
    """Leave the cloud as world.cloud_in makes it."""


@contextmanager
def copied_cloud_in(folder: Path, furnish: Furnish = bare) -> Iterator[world.Cloud]:
    """Make a cloud like world.cloud_in, furnished; a copy, where the test's transaction has written nothing yet."""
    if not _is_untouched():
        with world.cloud_in(folder) as created:
            furnish(created)
            yield created
        return
    prototype = _prototype_of(furnish, lambda epoch: _make(folder, epoch, furnish))
    _write_files(folder, prototype)
    with world.running(folder) as created:
        row, *others = pickle.loads(prototype.objects)
        machine = created.serve(row)
        _write_rows(prototype)
        row.last_heartbeat_at = row.attested_at = clock.now()
        row.save(update_fields=["address", "last_heartbeat_at", "attested_at"])
        tenant, image, flavor, volume_type, network = others
        yield world.Cloud(created, machine, tenant, image, flavor, volume_type, network)


def write_copied_rows(write: Write) -> None:
    """Write the rows that `write` writes; copies of them, where the test's transaction has written nothing yet."""
    if not _is_untouched():
        write()
        return
    _write_rows(_prototype_of(write, lambda epoch: _rows_of(write, epoch)))


def _is_untouched() -> bool:
    if not connection.in_atomic_block:
        return False
    with connection.cursor() as cursor:
        cursor.execute(IS_UNTOUCHED)
        return bool(cursor.fetchone()[0])


def _prototype_of(key: object, make: Callable[[int], Prototype]) -> Prototype:
    epoch = FactsEpoch.objects.values_list("value", flat=True).get(pk=1)
    known = _prototypes.get(key)
    if known is None or known.epoch != epoch or not timedelta(0) <= clock.now() - known.made_at < MAX_AGE:
        _prototypes[key] = known = make(epoch)
    return known


def _make(folder: Path, epoch: int, furnish: Furnish) -> Prototype:
    """Make a cloud, and undo it."""
    point, made_at = transaction.savepoint(), clock.now()
    with world.cloud_in(folder) as created:
        furnish(created)
        parts = created.machine.row, created.tenant, created.image, created.flavor, created.volume_type, created.network
    rows = _rows()
    transaction.savepoint_rollback(point)
    files = {
        path.relative_to(folder): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }
    return Prototype(epoch, made_at, rows, files, pickle.dumps(parts))


def _rows_of(write: Write, epoch: int) -> Prototype:
    """Write the rows, and undo it."""
    point, made_at = transaction.savepoint(), clock.now()
    write()
    rows = _rows()
    transaction.savepoint_rollback(point)
    return Prototype(epoch, made_at, rows, {}, b"")


def _rows() -> str:
    """Return the statements that bring the tables which this transaction has changed to their content."""
    statements = []
    with connection.cursor() as cursor:
        cursor.execute(CHANGED_TABLES)
        for table, has_changed_rows in cursor.fetchall():
            cursor.execute(COLUMNS, [table])
            (columns,) = cursor.fetchone()
            cursor.execute(ROWS.format(table=table))
            rows, has_older, has_new = cursor.fetchone()
            if not has_new:
                continue
            statements += [f"DELETE FROM {table}"] if has_older or has_changed_rows else []
            statements += [
                f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
                f"SELECT {columns} FROM unnest(ARRAY[{rows}]::{table}[])"
            ]
    return ";\n".join(statements)


def _write_rows(prototype: Prototype) -> None:
    """Write the rows; their triggers have run when they were made."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET LOCAL session_replication_role = replica; {prototype.rows}; "
            "SET LOCAL session_replication_role = origin"
        )


def _write_files(folder: Path, prototype: Prototype) -> None:
    for path, (mode, content) in prototype.files.items():
        place = folder / path
        if stat.S_ISDIR(mode):
            place.mkdir(stat.S_IMODE(mode), exist_ok=True)
            continue
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IMODE(mode))
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)

"""Check that a running release works with the migrations of the next one, by their SQL.

Checked are the migrations after those in scripts/released_migrations.json; `--publish` writes that file anew, with
every release. docs/how-to/change-the-schema.md explains how a change is made in steps that pass.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import django
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django_migration_linter.sql_analyser.base import Check, CheckMode, CheckType
from django_migration_linter.sql_analyser.postgresql import PostgresqlAnalyser

RELEASED = Path(__file__).with_name("released_migrations.json")
OURS = "controlplane."
# A class attribute of a migration: by the code of a complaint, why the release before bears it all the same.
BORNE = "borne_because"
WHOLE_TABLE = re.compile(r"ALTER TABLE (\S+) ADD CONSTRAINT .*(?:CHECK|FOREIGN KEY)")
INSTEAD = {
    "RENAME_TABLE": "add the new one, write both, and drop the old one two releases later",
    "RENAME_COLUMN": "add the new one, write both, and drop the old one two releases later",
    "DROP_TABLE": "stop using it in this release, and drop it in the next one",
    "DROP_COLUMN": "stop using it in this release (SeparateDatabaseAndState), and drop it in the next one",
    "NOT_NULL": "give the new column a db_default; of an old one, first see that nothing writes NULL",
    "ALTER_COLUMN": "add a column of the new type, write both, and drop the old one two releases later",
    "ADD_UNIQUE": "make the index first, with AddIndexConcurrently or RunSQL",
    "ADD_CONSTRAINT": "AddConstraintNotValid, and ValidateConstraint in a migration of its own",
    "CREATE_INDEX": "AddIndexConcurrently, in a migration with atomic = False",
    "CREATE_INDEX_EXCLUSIVE": "make the index in a migration of its own",
    "DROP_INDEX": "RemoveIndexConcurrently, in a migration with atomic = False",
    "REINDEX": "REINDEX CONCURRENTLY, in a migration with atomic = False",
}
Key = tuple[str, str]


def _reads_whole_table(statements: Sequence[str], **_: object) -> bool:
    """Return whether the statement adds a constraint to an existing table, which checks all rows under a lock."""
    created = {match[1] for sql in statements if (match := re.match(r"CREATE TABLE (\S+)", sql))}
    added = (WHOLE_TABLE.match(sql) for sql in statements if "NOT VALID" not in sql)
    return any(match is not None and match[1] not in created for match in added)


class Analyser(PostgresqlAnalyser):
    migration_checks = [
        *PostgresqlAnalyser.migration_checks,
        Check(
            "ADD_CONSTRAINT", _reads_whole_table, "a constraint locks its table", CheckMode.TRANSACTION, CheckType.ERROR
        ),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publish", action="store_true", help="record the current migrations as released")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.config.settings")
    django.setup()
    loader = MigrationLoader(None)
    if parser.parse_args().publish:
        RELEASED.write_text(json.dumps(last_of(loader), indent=2) + "\n")
        return 0
    refused = list(complaints(loader, json.loads(RELEASED.read_text())))
    if refused:
        print(
            "\n".join(
                [
                    *refused,
                    "Processes of the previous release keep running. See docs/how-to/change-the-schema.md.",
                ]
            )
        )
    return 1 if refused else 0


def last_of(loader: MigrationLoader) -> dict[str, str]:
    """Return the last migration of each own app."""
    return dict(sorted(key for key in loader.graph.leaf_nodes() if _is_ours(loader, key)))


def complaints(loader: MigrationLoader, released: Mapping[str, str]) -> Iterator[str]:
    """Return the complaints about all later migrations, a line each."""
    gone = [key for key in released.items() if key not in loader.graph.nodes]
    yield from (f"{app}.{name}: it was released, and is gone" for app, name in gone)
    planned = {each for key in released.items() if key not in gone for each in loader.graph.forwards_plan(key)}
    for key in sorted(loader.graph.nodes):
        if key not in planned and _is_ours(loader, key):
            yield from complaints_of(loader, loader.graph.nodes[key])


def complaints_of(loader: MigrationLoader, migration: Migration) -> Iterator[str]:
    """Return the faults of one migration, by code, and unneeded excuses."""
    excused: Mapping[str, str] = getattr(migration, BORNE, {})
    codes = _found(loader, migration)
    for code, message in sorted(codes.items()):
        if code not in excused:
            yield f"{migration}: {code}: {message}. Instead: {INSTEAD[code]}."
    for code in sorted(set(excused) - set(codes)):
        yield f"{migration}: {code}: {BORNE} excuses what it does not do."


def _found(loader: MigrationLoader, migration: Migration) -> dict[str, str]:
    state = loader.project_state(migration.dependencies, at_end=True)
    with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
        migration.apply(state, editor, collect_sql=True)
    # What the library reads is a line per statement.
    statements = [" ".join(sql.split()) for sql in editor.collected_sql if not sql.startswith("--")]
    analyser = Analyser(())
    analyser.analyse(statements)
    return {issue.code: issue.message for issue in (*analyser.errors, *analyser.warnings)}


def _is_ours(loader: MigrationLoader, key: Key) -> bool:
    return str(loader.graph.nodes[key].__module__).startswith(OURS)


if __name__ == "__main__":
    sys.exit(main())

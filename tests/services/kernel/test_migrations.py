"""Migrations are compatible with the previous release; the current ones are all applied."""

import io
from collections.abc import Sequence

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, RemoveIndexConcurrently
from django.core.management import call_command
from django.db import models
from django.db.migrations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    CreateModel,
    DeleteModel,
    Migration,
    RemoveField,
    RemoveIndex,
    RenameField,
    RenameModel,
    RunSQL,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import Q

from scripts.migration_compatibility import complaints, complaints_of, last_of

pytestmark = pytest.mark.django_db
CHECK = models.CheckConstraint(condition=Q(capacity_gib__gte=0), name="nodes_pool_has_room")
INDEX = models.Index(fields=["capacity_gib"], name="nodes_pool_by_room")


REFUSED: Sequence[tuple[str, list[Operation]]] = [
    ("DROP_COLUMN", [RemoveField("pool", "path")]),
    ("DROP_TABLE", [DeleteModel("noderemoval")]),
    ("RENAME_COLUMN", [RenameField("pool", "path", "folder")]),
    ("RENAME_TABLE", [RenameModel("Pool", "Store")]),
    ("NOT_NULL", [AddField("pool", "inodes", models.IntegerField(default=0))]),
    ("ALTER_COLUMN", [AlterField("pool", "path", models.TextField())]),
    ("ADD_CONSTRAINT", [AddConstraint("pool", CHECK)]),
    ("CREATE_INDEX", [AddIndex("pool", INDEX)]),
    ("DROP_COLUMN", [RunSQL("ALTER TABLE nodes_pool\n    DROP COLUMN path")]),
]
BORNE: Sequence[list[Operation]] = [
    [AddField("pool", "inodes", models.IntegerField(null=True))],
    [AddField("pool", "inodes", models.IntegerField(default=0, db_default=0))],
    [AddConstraintNotValid("pool", CHECK)],
    [
        CreateModel("Store", [("id", models.BigAutoField(primary_key=True)), ("room", models.IntegerField(default=0))]),
        AddConstraint("store", models.CheckConstraint(condition=Q(room__gte=0), name="nodes_store_room")),
    ],
]


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    return MigrationLoader(None)


def after_the_last(loader: MigrationLoader, operations: list[Operation], **more: object) -> Migration:
    migration = Migration("9999_of_the_next_release", "nodes")
    migration.dependencies = [("nodes", last_of(loader)["nodes"])]
    migration.operations = operations
    for name, value in more.items():
        setattr(migration, name, value)
    return migration


@pytest.mark.parametrize(("code", "operations"), REFUSED)
def test_incompatible_operation_is_refused(loader: MigrationLoader, code: str, operations: list[Operation]) -> None:
    complaints = list(complaints_of(loader, after_the_last(loader, operations)))
    assert any(line.startswith(f"nodes.9999_of_the_next_release: {code}: ") for line in complaints), complaints
    assert all(" Instead: " in line for line in complaints)


@pytest.mark.parametrize("operations", BORNE)
def test_compatible_operation_passes(loader: MigrationLoader, operations: list[Operation]) -> None:
    assert list(complaints_of(loader, after_the_last(loader, operations))) == []


@pytest.mark.django_db(transaction=True)
def test_index_is_added_and_removed_without_a_lock(loader: MigrationLoader) -> None:
    created = after_the_last(loader, [AddIndexConcurrently("pool", INDEX)], atomic=False)
    assert list(complaints_of(loader, created)) == []
    name = "compute_instance_by_age"
    migration = Migration("9999_of_the_next_release", "compute")
    migration.dependencies = [("compute", last_of(loader)["compute"])]
    migration.operations = [RemoveIndex("instance", name)]
    (line,) = complaints_of(loader, migration)
    assert "DROP_INDEX" in line
    migration.atomic = False
    migration.operations = [RemoveIndexConcurrently("instance", name)]
    assert list(complaints_of(loader, migration)) == []


def test_exception_covers_only_the_operations_that_it_names(loader: MigrationLoader) -> None:
    removal: list[Operation] = [RemoveField("pool", "path")]
    excused = after_the_last(loader, removal, borne_because={"DROP_COLUMN": "0.4 does not read it"})
    assert list(complaints_of(loader, excused)) == []
    more = after_the_last(
        loader, removal, borne_because={"DROP_COLUMN": "0.4 does not read it", "DROP_TABLE": "neither"}
    )
    (line,) = complaints_of(loader, more)
    assert "DROP_TABLE: borne_because excuses what it does not do." in line


def test_only_migrations_after_the_release_are_checked(loader: MigrationLoader) -> None:
    released = last_of(loader)
    assert list(complaints(loader, released)) == []
    reported = list(
        complaints(loader, released | {"compliance": "0001_initial"})
    )  # no other app depends on its migrations
    assert reported and all(line.startswith("compliance.") for line in reported)
    assert "nodes.0000_nothing: it was released, and is gone" in complaints(loader, {"nodes": "0000_nothing"})


def test_second_migrate_does_nothing() -> None:
    output = io.StringIO()
    call_command("migrate", stdout=output)
    assert "No migrations to apply." in output.getvalue()

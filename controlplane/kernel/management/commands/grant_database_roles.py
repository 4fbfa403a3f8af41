from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from psycopg import sql

from controlplane.kernel.database_roles import PREFIX, ROLES

SCHEMA_OF_ALL = ("django_migrations", "django_content_type")
STATE = "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"


class Command(BaseCommand):
    help = "Grant each process's database role the least privileges. Run as the owner after each migration."
    requires_system_checks = ()

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [[PREFIX + name for name in ROLES]])
            there = {name for (name,) in cursor.fetchall()}
        if missing := sorted({PREFIX + name for name in ROLES} - there):
            raise CommandError(f"Missing database roles: {', '.join(missing)}. Create the roles with createuser(1).")
        before = _rows(STATE)
        tables = [name for (name,) in _rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
        database = sql.Identifier(str(connection.settings_dict["NAME"]))
        _run(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        for name, rights in ROLES.items():
            role = sql.Identifier(PREFIX + name)
            _run(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role))
            _run(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
            _run(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(role))
            _run(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))
            _grant("SELECT", [each for each in tables if rights.may_read(each) or each in SCHEMA_OF_ALL], role)
            own = [each for each in tables if each not in SCHEMA_OF_ALL]
            _grant("INSERT, UPDATE", filter(rights.may_write, own), role)
            _grant("DELETE", filter(rights.may_delete, own), role)
            for signature in rights.calls:
                _run(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(signature), role))
        self.stdout.write("up to date" if _rows(STATE) == before else "changed")


def _grant(rights: str, tables: Iterable[str], role: sql.Identifier) -> None:
    if named := [*map(sql.Identifier, tables)]:
        names = sql.SQL(", ").join(named)
        _run(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), names, role))


def _run(statement: sql.Composed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

"""Test the rights of a process' database role, in the connection of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from controlplane.kernel.database_roles import PREFIX


@contextmanager
def as_role(name: str) -> Iterator[None]:
    """Run all statements within the block in that role.

    Statements that switch the role are not counted as the test's.
    """
    connection.ensure_connection()
    session = connection.connection
    session.execute(f"SET ROLE {PREFIX}{name}")
    try:
        yield
    finally:
        if connection.connection is session and not session.closed:
            session.execute("RESET ROLE")

"""Connections that the database has terminated."""

import psycopg
import pytest
from django.db import close_old_connections, connection

pytestmark = pytest.mark.django_db(transaction=True)


def end_all() -> None:
    """Terminate all connections, as a restarted server does."""
    own = connection.settings_dict
    with psycopg.connect(host=own["HOST"], dbname=own["NAME"], user=own["USER"], autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )


def test_terminated_connection_is_not_usable() -> None:
    connection.ensure_connection()
    assert connection.is_usable()
    end_all()
    assert not connection.is_usable()
    connection.close()
    assert not connection.is_usable()


def test_request_after_a_database_restart_gets_a_new_connection() -> None:
    connection.ensure_connection()
    end_all()
    close_old_connections()  # what every request begins with
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)

"""Tasks and the database connection of their thread."""

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from controlplane.config.celery import app, keep_good_connections

pytestmark = pytest.mark.django_db(transaction=True)


def test_task_reuses_the_connection_of_the_previous_task() -> None:
    connection.ensure_connection()
    before = connection.connection
    DjangoWorkerFixup(app).close_database()
    keep_good_connections()
    assert connection.connection is before


def test_broken_connection_is_replaced() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (before,) = cursor.fetchone()
    connection.connection.close()
    keep_good_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != (before,)

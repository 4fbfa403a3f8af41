"""Tasks and the database connection of their thread."""

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connection

from controlplane.config.celery import app, keep_good_connections

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_task_goes_on_with_the_connection_of_the_one_before() -> None:
    connection.ensure_connection()
    before = connection.connection
    DjangoWorkerFixup(app).close_database()
    keep_good_connections()
    assert connection.connection is before


def test_a_connection_that_broke_is_not_used_again() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (before,) = cursor.fetchone()
    connection.connection.close()
    keep_good_connections()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != (before,)

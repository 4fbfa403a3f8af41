"""The thread that renews an operation's lease during a long step."""

import time
from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection
from pytest_django import Settings

from controlplane.identity.actor import SYSTEM
from controlplane.kernel.ids import new_id
from controlplane.operations import leases
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue
from tests.limits import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

OTHERS = "datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%lease_expires_at%'"


@pytest.fixture
def leased(settings: Settings) -> Operation:
    settings.OPERATION_LEASE_S = 0.6
    operation = leases.lease_operation(
        enqueue(SYSTEM, OperationRequest("test", None, (new_id(),), resource_name="web")).pk
    )
    assert operation is not None
    return operation


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it does not come about"
        time.sleep(0.02)


def keepers() -> int:
    """Return the number of connections of threads that renew leases."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {OTHERS}")
        return int(cursor.fetchone()[0])


def cut_off() -> int:
    """End these connections, as a database does that restarts. Returns how many they were."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {OTHERS}")
        return len(cursor.fetchall())


def end_of(lease: Operation) -> datetime:
    return Operation.objects.values_list("lease_expires_at", flat=True).get(pk=lease.pk)


def wait_for_renewal(lease: Operation) -> None:
    before = end_of(lease)
    wait_for(lambda: end_of(lease) > before)


def test_a_lease_is_renewed_after_the_database_has_ended_the_connection(leased: Operation) -> None:
    with leases.renewed_lease(leased):
        for _ in range(3):
            wait_for(lambda: keepers() == 1)
            assert cut_off() == 1
            wait_for_renewal(leased)
    wait_for(lambda: keepers() == 0)


def test_lease_keeper_ends_when_another_worker_has_the_lease(leased: Operation) -> None:
    with leases.renewed_lease(leased):
        wait_for(lambda: keepers() == 1)
        Operation.objects.filter(pk=leased.pk).update(lease_token=new_id(), lease_expires_at=leased.created_at)
        wait_for(lambda: keepers() == 0)
    assert Operation.objects.get(pk=leased.pk).lease_expires_at == leased.created_at

"""Lease guard: a worker checks its lease before each write; a fresh check counts once."""

import time

import pytest

from controlplane.identity.actor import SYSTEM
from controlplane.kernel.ids import new_id
from controlplane.operations import lease_guard, leases
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue

pytestmark = pytest.mark.django_db


def leased() -> Operation:
    operation = leases.lease_operation(
        enqueue(SYSTEM, OperationRequest("test", None, (new_id(),), resource_name="web")).pk
    )
    assert operation is not None
    return operation


def stolen() -> Operation:
    operation = leased()
    Operation.objects.filter(pk=operation.pk).update(lease_token=new_id())
    return operation


def test_lease_taken_by_another_worker_is_lost() -> None:
    with lease_guard.working_on(leased()):
        lease_guard.require_lease()
    with lease_guard.working_on(stolen()), pytest.raises(LeaseLost):
        lease_guard.require_lease()


def test_recent_lease_read_counts_for_one_call() -> None:
    with lease_guard.working_on(stolen()):
        lease_guard.record_lease_read(time.monotonic())
        lease_guard.require_lease()
        with pytest.raises(LeaseLost):
            lease_guard.require_lease()


def test_lease_read_expires_during_a_pause() -> None:
    with lease_guard.working_on(stolen()), pytest.raises(LeaseLost):
        lease_guard.record_lease_read(time.monotonic() - lease_guard.LEASE_READ_VALID_S)
        lease_guard.require_lease()


def test_lease_read_of_one_operation_does_not_count_for_another() -> None:
    with lease_guard.working_on(leased()):
        lease_guard.record_lease_read(time.monotonic())
    with lease_guard.working_on(stolen()), pytest.raises(LeaseLost):
        lease_guard.require_lease()

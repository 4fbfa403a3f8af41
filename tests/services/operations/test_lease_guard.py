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


def test_a_lease_that_another_worker_has_is_lost() -> None:
    with lease_guard.working_on(leased()):
        lease_guard.require_lease()
    with lease_guard.working_on(stolen()), pytest.raises(LeaseLost):
        lease_guard.require_lease()


def test_what_was_just_read_counts_for_one_call() -> None:
    with lease_guard.working_on(stolen()):
        lease_guard.record_lease_read(time.monotonic())
        lease_guard.require_lease()
        with pytest.raises(LeaseLost):
            lease_guard.require_lease()


def test_a_worker_that_stood_still_meanwhile_asks_again() -> None:
    with lease_guard.working_on(stolen()), pytest.raises(LeaseLost):
        lease_guard.record_lease_read(time.monotonic() - lease_guard.LEASE_READ_VALID_S)
        lease_guard.require_lease()


def test_what_was_seen_of_one_operation_says_nothing_of_the_next() -> None:
    with lease_guard.working_on(leased()):
        lease_guard.record_lease_read(time.monotonic())
    with lease_guard.working_on(stolen()), pytest.raises(LeaseLost):
        lease_guard.require_lease()

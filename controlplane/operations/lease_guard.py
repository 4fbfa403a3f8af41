"""Whoever works on an operation acts only while it has the lease.

A worker may stand still between any two of its lines while another takes the operation over, ends it, and its
resources are deleted. Before a node is told something, and in the transaction that takes a place, it is asked whether
the lease is still ours. What is told then was read before, while it was: it has the generation of that time, and a node
that has heard something newer since refuses it. Whoever has just read that the lease is ours, with something else that
had to be read, is not asked once more.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db.models import QuerySet

from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import Operation

_working: ContextVar[Operation | None] = ContextVar("working", default=None)
_seen_at: ContextVar[float] = ContextVar("seen_at", default=-1.0)
# What was read so long ago still counts, for one call: so much a way through a busy machine may take, and a lease takes
# six hundred times as long to run out.
LEASE_READ_VALID_S = 0.1
MINE = "SELECT FROM operations_operation WHERE id = %s AND lease_token = %s"
HELD = "EXISTS (SELECT FROM operations_operation WHERE id = %s AND lease_token = %s FOR SHARE)"


@contextmanager
def working_on(operation: Operation) -> Iterator[None]:
    """Inside, what this thread does is done for the operation, which it has leased."""
    working, seen_at = _working.set(operation), _seen_at.set(-1.0)
    try:
        yield
    finally:
        _seen_at.reset(seen_at)
        _working.reset(working)


def require_lease() -> None:
    """Nothing when no operation is worked on.

    Raises:
        LeaseLost: another worker has it.
    """
    operation, seen_at = _working.get(), _seen_at.get()
    _seen_at.set(-1.0)
    if operation is None or time.monotonic() < seen_at + LEASE_READ_VALID_S:
        return
    with preparing_cursor() as cursor:
        cursor.execute(MINE, [operation.pk, operation.lease_token])
        if cursor.fetchone() is None:
            raise LeaseLost()


def record_lease_read(began: float) -> None:
    """The lease was ours after that moment (time.monotonic)."""
    _seen_at.set(began)


def lock_lease() -> None:
    """The same until the end of the caller's transaction: who takes the lease waits for that."""
    operation = _working.get()
    if operation is not None and _mine(operation).select_for_update(no_key=True).values_list("pk").first() is None:
        raise LeaseLost()


def lease_condition() -> tuple[str, list[object]]:
    """For a statement that writes only while the lease is ours: a condition, and its parameters."""
    operation = _working.get()
    return ("TRUE", []) if operation is None else (HELD, [operation.pk, operation.lease_token])


def _mine(operation: Operation) -> QuerySet[Operation]:
    return Operation.objects.filter(pk=operation.pk, lease_token=operation.lease_token)

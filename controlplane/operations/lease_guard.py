"""Lease guard: a worker acts on an operation only while it holds the operation lease.

A worker may be paused between any two lines while another worker takes the operation over, ends it, and its resources
are deleted. So the lease is read again before each call to a node, and in the transaction that claims an allocation.
The data of a call was read earlier, while the lease was held: it carries the generation of that time, and a node that
has received a newer generation rejects it. A query that has just read the lease with other columns replaces one check.
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
# A lease read is valid for so long, and for one call: enough for the code between read and call on a busy machine; a
# lease lasts six hundred times as long.
LEASE_READ_VALID_S = 0.1
MINE = "SELECT FROM operations_operation WHERE id = %s AND lease_token = %s"
HELD = "EXISTS (SELECT FROM operations_operation WHERE id = %s AND lease_token = %s FOR SHARE)"


@contextmanager
def working_on(operation: Operation) -> Iterator[None]:
    """Record that this thread works on the leased operation inside the block."""
    working, seen_at = _working.set(operation), _seen_at.set(-1.0)
    try:
        yield
    finally:
        _seen_at.reset(seen_at)
        _working.reset(working)


def require_lease() -> None:
    """Check that this thread's operation still has its lease; does nothing outside an operation.

    Raises:
        LeaseLost: another worker has the lease.
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
    """Record that the lease was held after that moment (time.monotonic)."""
    _seen_at.set(began)


def lock_lease() -> None:
    """Lock the lease until the end of the caller's transaction: a worker that takes it over waits."""
    operation = _working.get()
    if operation is not None and _own(operation).select_for_update(no_key=True).values_list("pk").first() is None:
        raise LeaseLost()


def lease_condition() -> tuple[str, list[object]]:
    """Return an SQL condition that holds while the lease is ours, and its parameters."""
    operation = _working.get()
    return ("TRUE", []) if operation is None else (HELD, [operation.pk, operation.lease_token])


def _own(operation: Operation) -> QuerySet[Operation]:
    return Operation.objects.filter(pk=operation.pk, lease_token=operation.lease_token)

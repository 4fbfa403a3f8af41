"""Operation leases for workers: acquire, commit a step, postpone, end, requeue.

A lease is a random token in the row with an expiry. Every write of a worker is conditional on its token, so a worker
that was paused while another took over writes nothing.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections, transaction

from controlplane.kernel import clock
from controlplane.kernel.db import update_statement
from controlplane.kernel.ids import new_id
from controlplane.kernel.multi_insert import insert
from controlplane.kernel.prepared_queries import Prepared, preparing_cursor
from controlplane.operations import maintenance, operation_metrics, wakeups
from controlplane.operations.errors import LeaseLost
from controlplane.operations.models import LIVE, OPERATION, MaintenanceRule, Operation
from controlplane.operations.queues import QUEUES
from controlplane.operations.services import cancel_holders, lock_resources, operation_event

log = logging.getLogger(__name__)

# Delay after a failed renewal: short enough for several tries within a lease, long enough for a database that restarts.
RENEW_RETRY_S = 1.0
BLOCKED_RETRY = timedelta(milliseconds=300)
# A worker continues after one message until no operation is due: so many messages suffice for all threads of a few
# processes.
SWEEP_LIMIT = 20
# Name of the step that shows that maintenance paused the operation.
MAINTENANCE = "maintenance"


def _lease_end() -> object:
    return clock.now() + timedelta(seconds=settings.OPERATION_LEASE_S)


TAKE = """
UPDATE operations_operation SET lease_token = %s, lease_expires_at = %s
WHERE id = %s AND state IN ('pending', 'running', 'undoing') AND due_at <= %s
    AND (lease_expires_at IS NULL OR lease_expires_at < %s)
"""
OPERATIONS = Prepared(lambda operation_id: Operation.objects.filter(pk=operation_id))


def lease_operation(operation_id: UUID) -> Operation | None:
    """Return the operation, leased to the caller and running; None when it has ended, is not due, or another worker has
    it.
    """
    token = acquire_lease(operation_id)
    return None if token is None else load_leased(operation_id, token)


def acquire_lease(operation_id: UUID) -> UUID | None:
    """Return the token of a new lease; None when the operation has ended, is not due, or another worker has it."""
    token, now = new_id(), clock.now()
    with preparing_cursor() as cursor:
        cursor.execute(TAKE, [token, _lease_end(), operation_id, now, now])
        return token if cursor.rowcount == 1 else None


def load_leased(operation_id: UUID, token: UUID) -> Operation | None:
    """Return the running operation; None when it has to wait and is postponed, or another worker has it by now."""
    operation = OPERATIONS.get(operation_id)
    if operation.lease_token != token:
        return None
    try:
        return operation if operation.state != "pending" or _begin(operation) else None
    except LeaseLost:
        return None


def _begin(operation: Operation) -> bool:
    """Move a pending operation to running.

    False: the operation is postponed, because of maintenance or because another operation holds one of its resources. A
    cancelled operation does not wait for maintenance.
    """
    rule = maintenance.blocking_rule(operation) if operation.cancel_requested_at is None else None
    if rule is not None:
        _pause(operation, rule)
        return False
    if operation.preempts:
        return _preempt(operation)
    _run(operation)
    return True


@transaction.atomic
def _preempt(operation: Operation) -> bool:
    """Take the resource locks or cancel their holders; a worker that has lost its lease rolls both back.

    Otherwise the operation may have ended, its resource locks would never be released, and a later operation would be
    cancelled.
    """
    if lock_resources(operation) is None:
        _run(operation)
        return True
    cancel_holders(operation)
    postpone(operation, delay=BLOCKED_RETRY)
    return False


def _run(operation: Operation) -> None:
    now = clock.now()
    commit_step(operation, state="running", started_at=now, deadline_at=now + operation.limit, **_unpaused(operation))


def _pause(operation: Operation, rule: MaintenanceRule) -> None:
    message = f"paused by maintenance: {rule.reason}"
    step = {"name": MAINTENANCE, "state": "waiting", "attempts": 1, "message": message}
    postpone(
        operation, delay=maintenance.recheck_delay(rule), paused_at=operation.paused_at or clock.now(), steps=[step]
    )


def _unpaused(operation: Operation) -> dict[str, object]:
    if operation.paused_at is None:
        return {}
    return {"paused_at": None, "steps": [{**step, "state": "done"} for step in operation.steps]}


def commit_step(operation: Operation, **fields: object) -> None:
    """Write `fields` and renew the lease, or release it where `fields` do so. Also reads a cancellation request.

    Raises:
        LeaseLost: another worker has the lease; nothing was written.
    """
    state = fields.get("state", operation.state)
    if state != operation.state:
        OPERATION.check(operation.state, str(state))
    fields = {"lease_expires_at": _lease_end(), "updated_at": clock.now()} | fields
    own = connections[DEFAULT_DB_ALIAS]
    values = [COLUMNS[name].get_db_prep_save(value, own) for name, value in fields.items()]
    mine = {"id": operation.pk, "lease_token": operation.lease_token, "state": operation.state}
    statement = update_statement(
        Operation._meta.db_table,
        tuple(COLUMNS[name].column for name in fields),
        where=tuple(mine),
        returning="cancel_requested_at",
    )
    with preparing_cursor() as cursor:
        cursor.execute(statement, [*values, *mine.values()])
        row = cursor.fetchone()
    if row is None:
        raise LeaseLost()
    for name, value in fields.items():
        setattr(operation, name, value)
    (operation.cancel_requested_at,) = row


COLUMNS = {field.name: field for field in Operation._meta.concrete_fields}


def is_cancel_requested(operation: Operation) -> bool:
    """Return True if a cancellation was requested; reads the row."""
    return Operation.objects.filter(pk=operation.pk, cancel_requested_at__isnull=False).exists()


NO_LEASE: Mapping[str, object] = {"lease_token": None, "lease_expires_at": None}


def postpone(operation: Operation, *, delay: timedelta, **fields: object) -> None:
    """Release the lease and retry after `delay`, or earlier on a cancellation request."""
    was_requested = operation.cancel_requested_at is not None
    commit_step(operation, due_at=clock.now() + delay, **fields, **NO_LEASE)
    is_requested = operation.cancel_requested_at is not None
    if is_requested and not was_requested and operation.state == "running" and operation.is_cancellable:
        delay = timedelta(0)
        Operation.objects.filter(pk=operation.pk, state__in=LIVE).update(due_at=clock.now())
    wakeups.send(operation.pk, queue=operation.queue, delay_s=delay.total_seconds())


def drop_lease(operation: Operation) -> None:
    """Release the lease, if it is still ours."""
    if operation.lease_token is None:
        return
    mine = Operation.objects.filter(pk=operation.pk, lease_token=operation.lease_token)
    mine.update(lease_token=None, lease_expires_at=None)
    operation.lease_token = None


@contextmanager
def renewed_lease(operation: Operation) -> Iterator[None]:
    """Renew the lease while the block runs: a step, such as the transfer of an image, may take longer than a lease."""
    is_over = threading.Event()
    keeper = threading.Thread(target=_renew_lease, args=(operation.pk, operation.lease_token, is_over), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        is_over.set()
        keeper.join()


def _renew_lease(operation_id: UUID, token: UUID, is_over: threading.Event) -> None:
    """Renew the lease until the step is over or another worker has the operation.

    A query that fails is repeated on a new connection: the database may restart within the lease.
    """
    pause = settings.OPERATION_LEASE_S / 3
    mine = Operation.objects.filter(pk=operation_id, lease_token=token)
    try:
        while not is_over.wait(pause):
            try:
                if not mine.update(lease_expires_at=_lease_end()):
                    return
                pause = settings.OPERATION_LEASE_S / 3
            except (OperationalError, InterfaceError) as exc:
                log.warning("operation %s: lease renewal failed and is retried: %s", operation_id, exc)
                connection.close()
                pause = min(RENEW_RETRY_S, settings.OPERATION_LEASE_S / 3)
    finally:
        connection.close()


RELEASE_LOCKS = "DELETE FROM operations_operationhold WHERE operation_id = %s"
WAKE = """
UPDATE operations_operation SET due_at = %s WHERE state = 'pending' AND preempts AND resource_ids && %s::uuid[]
"""


@transaction.atomic
def end(operation: Operation, state: str, *, error: dict[str, object] | None = None) -> None:
    """Write the terminal state, release the resource locks, and wake the operations that wait for them."""
    commit_step(operation, state=state, error=error, finished_at=clock.now(), **NO_LEASE)
    transaction.on_commit(partial(operation_metrics.record_ended, operation), robust=True)
    if not insert(
        operation_event(operation),
        then=[(RELEASE_LOCKS, [operation.pk]), (WAKE, [clock.now(), operation.resource_ids])],
    ):
        return
    waiting = Operation.objects.filter(state="pending", preempts=True, resource_ids__overlap=operation.resource_ids)
    for operation_id, queue in waiting.values_list("pk", "queue"):
        transaction.on_commit(partial(wakeups.send, operation_id, queue=queue), robust=True)


DUE = """
SELECT queue.name, due.id FROM unnest(%(queues)s::text[]) AS queue (name) CROSS JOIN LATERAL (
    SELECT id FROM operations_operation
    WHERE state IN ('pending', 'running', 'undoing') AND lane = queue.name AND due_at <= %(now)s
        AND (lease_expires_at IS NULL OR lease_expires_at < %(now)s)
    LIMIT %(limit)s
) AS due
"""


def requeue_due() -> int:
    """Wake the workers of each queue that has due operations without a lease, unless enough messages wait there.

    Returns the number of messages sent.
    """
    with preparing_cursor() as cursor:
        cursor.execute(DUE, {"queues": list(QUEUES), "now": clock.now(), "limit": SWEEP_LIMIT})
        due: list[tuple[str, UUID]] = cursor.fetchall()
    waiting = {queue: wakeups.waiting(queue) for queue in {queue for queue, _ in due}}
    sent = 0
    for queue, operation_id in due:
        if waiting[queue] < SWEEP_LIMIT:
            wakeups.send(operation_id, queue=queue)
            waiting[queue] += 1
            sent += 1
    return sent

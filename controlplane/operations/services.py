"""Operation services for requests: enqueue, cancel, run now, record a retry. leases.py has those for workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Model
from django.db.models.functions import Coalesce

from controlplane.events import services as events
from controlplane.events.models import Event
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.db import ensure_transaction
from controlplane.kernel.multi_insert import Statement, insert
from controlplane.kernel.prepared_queries import preparing_cursor
from controlplane.operations import maintenance, operation_metrics, wakeups
from controlplane.operations.errors import Busy, LeaseLost, NotCancellable
from controlplane.operations.models import LIVE, Operation, ResourceLock
from controlplane.operations.queues import queue_of
from telemetry.traces import traceparent

# The subject of an operation is of the kind that its own begins with, except these: an instance gets or loses a port.
SUBJECTS: Mapping[str, str] = {"port": "instance"}


@dataclass(frozen=True)
class OperationRequest:
    """Request for a long change.

    It locks `resource_ids` exclusively; the first is its subject, and `resource_name` the subject's present name.

    `preempts`: the operation does not need unlocked resources; it cancels the operations that hold them and waits for
    their end.
    """

    kind: str
    project_id: UUID | None
    resource_ids: Sequence[UUID]
    args: Mapping[str, object] = field(default_factory=dict)
    resource_name: str = field(kw_only=True)
    deadline: timedelta = timedelta(minutes=10)
    is_cancellable: bool = True
    preempts: bool = False
    reason: str = ""


def enqueue(actor: Actor, request: OperationRequest, *, extra_rows: Sequence[Model] = ()) -> Operation:
    """Write the operation into the caller's transaction and wake a worker after the commit.

    `extra_rows`: new rows to insert with it, whose events are published after the operation's.

    All transactions take their locks in one order, so that they never deadlock: the rows (an instance, its volumes, its
    attachments), here the resource locks, then allocations (a node's row, the inputs of the placement decision, the
    node's inventory), subnets, and last the quotas: one lock per organization, which its projects share.

    Raises:
        Busy: a live operation holds one of the resources; `blocking_operation` names it. Not raised when preempting.
        UnderMaintenance: a maintenance rule rejects the operation.
    """
    maintenance.admit(request.kind, request.resource_ids, zones=_zones(request))
    now = clock.now()
    operation = Operation(
        kind=request.kind,
        project_id=request.project_id,
        resource_id=request.resource_ids[0],
        resource_ids=list(request.resource_ids),
        resource_name=request.resource_name,
        args=dict(request.args),
        is_cancellable=request.is_cancellable,
        preempts=request.preempts,
        queue=queue_of(request.kind),
        created_at=now,
        due_at=now,
        deadline_at=now + request.deadline,
        user_id=actor.user_id,
        credential_id=actor.credential_id,
        request_id=actor.request_id,
        traceparent=traceparent(),
        reason=request.reason,
    )
    with ensure_transaction():
        rows = operation, operation_event(operation), *extra_rows
        if request.preempts:
            insert(*rows)
            cancel_holders(operation)
        elif (blocking := _blocking_operation(operation, insert(*rows, then=[_hold(operation)]))) is not None:
            raise Busy(kind=blocking.kind, blocking_operation=str(blocking.pk))
        transaction.on_commit(partial(_begun, operation), robust=True)
    return operation


def _begun(operation: Operation) -> None:
    operation_metrics.record_begun(operation)
    wakeups.send(operation.pk, queue=operation.queue)


def _zones(request: OperationRequest) -> Sequence[str]:
    zones = request.args.get("zones")
    return zones if isinstance(zones, list) else ()


def cause_of(operation: Operation) -> events.Cause:
    """Return the cause for the events that the operation leads to."""
    return events.Cause(operation.pk, operation.user_id, operation.credential_id, operation.request_id)


def subject_kind(kind: str) -> str:
    """Return the kind of the subject of operations of this kind."""
    noun = kind.partition(".")[0]
    return SUBJECTS.get(noun, noun)


def operation_event(operation: Operation) -> Event:
    """Return the event of the operation's present state. The resource is the operation's subject."""
    error = operation.error or {}
    with events.caused_by(cause_of(operation)):
        return events.new_event(
            None,
            f"operation.{operation.state}",
            operation.resource_id,
            project_id=operation.project_id,
            resource_kind=subject_kind(operation.kind),
            name=operation.resource_name,
            operation=operation.kind,
            **({"error": {"code": error.get("code"), "detail": error.get("detail")}} if error else {}),
        )


# The insert waits for transactions that have one of the resource locks and are not committed.
HOLD = """
INSERT INTO operations_operationhold (resource_id, operation_id)
SELECT resource_id, %s FROM unnest(%s::uuid[]) WITH ORDINALITY AS wanted (resource_id, place) ORDER BY place
ON CONFLICT DO NOTHING
"""


def lock_resources(operation: Operation) -> Operation | None:
    """Take all resource locks of the operation, or none. Returns an operation that holds one of them, if any."""
    with preparing_cursor() as cursor:
        cursor.execute(*_hold(operation))
        return _blocking_operation(operation, cursor.rowcount)


def _hold(operation: Operation) -> Statement:
    return HOLD, [operation.pk, _resources_to_lock(operation)]


def _resources_to_lock(operation: Operation) -> list[UUID]:
    return sorted(set(operation.resource_ids))


def _blocking_operation(operation: Operation, taken: int) -> Operation | None:
    """Return the blocking operation after fewer locks were taken than needed; then none of them is kept."""
    if taken == len(_resources_to_lock(operation)):
        return None
    others = ResourceLock.objects.filter(resource_id__in=operation.resource_ids).exclude(operation=operation)
    other = others.select_related("operation").first()
    own = ResourceLock.objects.filter(operation=operation)
    if other is not None:
        own.delete()
        return other.operation
    is_whole = own.count() == len(_resources_to_lock(operation))  # else the blocking operation has released its locks
    return None if is_whole else lock_resources(operation)


def cancel_holders(operation: Operation) -> None:
    """Cancel the operations that hold the operation's resources, where they can be cancelled."""
    holds = ResourceLock.objects.filter(resource_id__in=operation.resource_ids).exclude(operation=operation)
    holders = Operation.objects.filter(
        pk__in=holds.values("operation"), is_cancellable=True, cancel_requested_at__isnull=True
    )
    for holder_id, queue in list(holders.order_by("pk").values_list("pk", "queue")):
        holder = Operation.objects.filter(pk=holder_id)
        holder.update(cancel_requested_at=clock.now(), due_at=clock.now())
        transaction.on_commit(partial(wakeups.send, holder_id, queue=queue), robust=True)


def lock_late(operation: Operation, resource_id: UUID) -> bool:
    """Lock a resource for an operation under way that did not lock it from its beginning. False: another one has it.

    Raises:
        LeaseLost: another worker has the operation, which may have ended: its locks are gone then.
    """
    leased = {"pk": operation.pk, "lease_token": operation.lease_token, "state": operation.state}
    with transaction.atomic():
        if not Operation.objects.select_for_update(no_key=True).filter(**leased):
            raise LeaseLost()
        lock, _ = ResourceLock.objects.get_or_create(resource_id=resource_id, defaults={"operation": operation})
    return lock.operation_id == operation.pk


def unlock_early(operation: Operation, resource_id: UUID) -> None:
    """Unlock a resource before the end of the operation. Inside the caller's transaction."""
    ResourceLock.objects.filter(resource_id=resource_id, operation=operation).delete()


def require_unlocked(resource_id: UUID, *, field: str | None = None) -> None:
    """Raise Busy while an operation locks the resource. `field`: what cannot change until its end.

    A caller that has locked the resource's row keeps it unlocked.
    """
    hold = ResourceLock.objects.filter(resource_id=resource_id).select_related("operation").first()
    if hold is not None:
        raise Busy(field=field, kind=hold.operation.kind, blocking_operation=str(hold.operation_id))


@transaction.atomic
def operation_cancel(actor: Actor, operation: Operation) -> Operation:
    """Request that the operation stops at its next step and undoes its completed steps. Idempotent.

    Raises:
        NotCancellable: the operation has ended, or its kind cannot be cancelled.
    """
    actor.may_write()
    now = clock.now()
    live = Operation.objects.filter(pk=operation.pk, state__in=LIVE, is_cancellable=True)
    if live.update(cancel_requested_at=Coalesce("cancel_requested_at", now), due_at=now) != 1:
        raise NotCancellable(state=operation.state)
    transaction.on_commit(lambda: wakeups.send(operation.pk, queue=operation.queue), robust=True)
    operation.refresh_from_db()
    return operation


def operation_run_now(operation: Operation) -> bool:
    """Make the operation due now, whatever its delay. False: it has ended. Inside the caller's transaction."""
    if Operation.objects.filter(pk=operation.pk, state__in=LIVE).update(due_at=clock.now()) != 1:
        return False
    transaction.on_commit(lambda: wakeups.send(operation.pk, queue=operation.queue), robust=True)
    operation.refresh_from_db()
    return True


def record_retry(operation: Operation, failed: Operation) -> None:
    """Record that the operation retries the failed one. Inside the caller's transaction."""
    operation.retry_of, failed.retried_by = failed.pk, operation.pk
    Operation.objects.filter(pk=operation.pk).update(retry_of=failed.pk)
    Operation.objects.filter(pk=failed.pk).update(retried_by=operation.pk)

"""What requests do with operations: ask for one, cancel one, hasten one. What workers do with them is in leases.py."""

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
from controlplane.operations import maintenance, meters, wakeups
from controlplane.operations.errors import Busy, NotCancellable
from controlplane.operations.models import LIVE, Operation, OperationHold
from controlplane.operations.queues import queue_of
from telemetry.traces import traceparent


@dataclass(frozen=True)
class OperationRequest:
    """A long change that is asked for. It holds `resource_ids` exclusively; the first is the one it is about, and
    `resource_name` that one's name, as it is now.

    `preempts`: it does not ask whether the resources are free; it cancels what works on them and waits for its end.
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
    """Write the operation into the caller's transaction; a worker hears of it after the commit. `beside`: new rows that
    are written with it; what they tell is told after it.

    Transactions that meet take their locks in one order, so that they never wait for one another in a circle: the
    rows (an instance, its volumes, its attachments), here the holds, then places (a node's row, what the place's
    decision rests on, the node's inventory), subnets, and last the quotas: one lock per organization, which its
    projects share.

    Raises:
        Busy: a live operation holds one of the resources; `blocking_operation` names it. Not raised when preempting.
        UnderMaintenance: operators do not want this at the moment.
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
        lane=queue_of(request.kind),
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
    meters.record_begun(operation)
    wakeups.send(operation.pk, lane=operation.lane)


def _zones(request: OperationRequest) -> Sequence[str]:
    zones = request.args.get("zones")
    return zones if isinstance(zones, list) else ()


def cause_of(operation: Operation) -> events.Cause:
    """What is told of its doing is told as its effect."""
    return events.Cause(operation.pk, operation.user_id, operation.credential_id, operation.request_id)


def publish_operation(operation: Operation) -> None:
    """Of the state that it is in now, to those who follow events."""
    insert(operation_event(operation))


def operation_event(operation: Operation) -> Event:
    """The event of the state that it is in now. The resource is the one that it is about."""
    error = operation.error or {}
    with events.caused_by(cause_of(operation)):
        return events.new_event(
            None,
            f"operation.{operation.state}",
            operation.resource_id,
            project_id=operation.project_id,
            resource_kind=operation.kind.partition(".")[0],
            name=operation.resource_name,
            operation=operation.kind,
            **({"error": {"code": error.get("code"), "detail": error.get("detail")}} if error else {}),
        )


# Whoever has one of the holds and has not committed yet is waited for.
HOLD = """
INSERT INTO operations_operationhold (resource_id, operation_id)
SELECT resource_id, %s FROM unnest(%s::uuid[]) WITH ORDINALITY AS wanted (resource_id, place) ORDER BY place
ON CONFLICT DO NOTHING
"""


def lock_resources(operation: Operation) -> Operation | None:
    """Take all holds of the operation, or none. Returns an operation that is in the way, if one is."""
    with preparing_cursor() as cursor:
        cursor.execute(*_hold(operation))
        return _blocking_operation(operation, cursor.rowcount)


def _hold(operation: Operation) -> Statement:
    return HOLD, [operation.pk, _resources_to_lock(operation)]


def _resources_to_lock(operation: Operation) -> list[UUID]:
    return sorted(set(operation.resource_ids))


def _blocking_operation(operation: Operation, taken: int) -> Operation | None:
    """What is in the way, where fewer holds were taken than are wanted; then none of them is kept."""
    if taken == len(_resources_to_lock(operation)):
        return None
    others = OperationHold.objects.filter(resource_id__in=operation.resource_ids).exclude(operation=operation)
    other = others.select_related("operation").first()
    own = OperationHold.objects.filter(operation=operation)
    if other is not None:
        own.delete()
        return other.operation
    is_whole = own.count() == len(_resources_to_lock(operation))  # else who was in the way has let go since
    return None if is_whole else lock_resources(operation)


def cancel_holders(operation: Operation) -> None:
    """Ask what holds the operation's resources to stop, wherever it can be cancelled."""
    holds = OperationHold.objects.filter(resource_id__in=operation.resource_ids).exclude(operation=operation)
    holders = Operation.objects.filter(
        pk__in=holds.values("operation"), is_cancellable=True, cancel_requested_at__isnull=True
    )
    for holder_id, lane in list(holders.order_by("pk").values_list("pk", "lane")):
        holder = Operation.objects.filter(pk=holder_id)
        holder.update(cancel_requested_at=clock.now(), due_at=clock.now())
        transaction.on_commit(partial(wakeups.send, holder_id, lane=lane), robust=True)


def require_unlocked(resource_id: UUID) -> None:
    """Raises Busy while an operation holds the resource. Who has locked the resource's row keeps it free with that."""
    hold = OperationHold.objects.filter(resource_id=resource_id).select_related("operation").first()
    if hold is not None:
        raise Busy(kind=hold.operation.kind, blocking_operation=str(hold.operation_id))


@transaction.atomic
def operation_cancel(actor: Actor, operation: Operation) -> Operation:
    """Ask the operation to stop at its next step and to undo what it did. Asking again changes nothing.

    Raises:
        NotCancellable: it has ended, or its kind cannot be cancelled.
    """
    actor.may_write()
    now = clock.now()
    live = Operation.objects.filter(pk=operation.pk, state__in=LIVE, is_cancellable=True)
    if live.update(cancel_requested_at=Coalesce("cancel_requested_at", now), due_at=now) != 1:
        raise NotCancellable(state=operation.state)
    transaction.on_commit(lambda: wakeups.send(operation.pk, lane=operation.lane), robust=True)
    operation.refresh_from_db()
    return operation


def operation_run_now(operation: Operation) -> bool:
    """Let it be tried now, however long it was to wait. False: it has ended. Inside the caller's transaction."""
    if Operation.objects.filter(pk=operation.pk, state__in=LIVE).update(due_at=clock.now()) != 1:
        return False
    transaction.on_commit(lambda: wakeups.send(operation.pk, lane=operation.lane), robust=True)
    operation.refresh_from_db()
    return True


def record_retry(operation: Operation, failed: Operation) -> None:
    """Write down that it asks for the failed one again. Inside the caller's transaction."""
    operation.retry_of, failed.retried_by = failed.pk, operation.pk
    Operation.objects.filter(pk=operation.pk).update(retry_of=failed.pk)
    Operation.objects.filter(pk=failed.pk).update(retried_by=operation.pk)

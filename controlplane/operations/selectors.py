"""Operation queries: operations that an actor sees, and the operation that works on a resource."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.db import by_id
from controlplane.operations.errors import OperationNotFound
from controlplane.operations.models import LIVE, Operation, ResourceLock

# Tries of one step that have failed: a few minutes of them.
STUCK_ATTEMPTS = 10


def stuck() -> Q:
    """Return running operations with failing steps that will not end by themselves: no cancellation and no deadline
    ends them.
    """
    has_no_end = Q(state="undoing") | Q(is_cancellable=False) | Q(deadline_at__lt=clock.now())
    return Q(state__in=LIVE, attempts__gte=STUCK_ATTEMPTS) & has_no_end


def current_step_error(operation: Operation) -> str:
    """Return the error of the last try of a live operation's current step; empty when there is none."""
    last = operation.steps[-1] if operation.state in LIVE and operation.steps else {}
    return str(last.get("message", "")) if last.get("state") in ("retrying", "waiting") else ""


def live_of(kind: str, resource_id: UUID) -> Operation | None:
    """Return the first live operation of this kind on the resource."""
    live = Operation.objects.filter(kind=kind, state__in=LIVE, resource_ids__contains=[resource_id])
    return live.filter(resource_id=resource_id).order_by("created_at").first()


def operations(actor: Actor, project: Project) -> QuerySet[Operation]:
    """Return the project's operations; `project` comes from identity.selectors, which knows what the actor sees."""
    return Operation.objects.filter(project=project)


def operations_anywhere(actor: Actor) -> QuerySet[Operation]:
    """Return the operations of all projects, and those without a project.

    Raises:
        RoleNeeded: the actor has no platform role.
    """
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return Operation.objects.select_related("project__organization")


def operation_anywhere(actor: Actor, ref: str) -> Operation:
    """Return one operation of any project. Raises RoleNeeded, OperationNotFound."""
    operation = by_id(operations_anywhere(actor), ref)
    if operation is None:
        raise OperationNotFound(name=ref)
    return operation


def operation_get(actor: Actor, project: Project, ref: str) -> Operation:
    operation = by_id(operations(actor, project), ref)
    if operation is None:
        raise OperationNotFound(name=ref)
    return operation


def current_operations(resource_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return resource id → id of the live operation that holds it, for locked resources."""
    holds = ResourceLock.objects.filter(resource_id__in=list(resource_ids))
    return dict(holds.values_list("resource_id", "operation_id"))

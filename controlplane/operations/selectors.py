"""Which operations an actor sees, and which one works on a resource."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Project
from controlplane.kernel import clock
from controlplane.kernel.db import by_id
from controlplane.operations.errors import OperationNotFound
from controlplane.operations.models import LIVE, Operation, OperationHold

# So many tries of one step have failed: a few minutes of them.
STUCK_ATTEMPTS = 10


def stuck() -> Q:
    """Under way, tried in vain, and with no end of its own: nothing cancels it, and no deadline ends it."""
    has_no_end = Q(state="undoing") | Q(is_cancellable=False) | Q(deadline_at__lt=clock.now())
    return Q(state__in=LIVE, attempts__gte=STUCK_ATTEMPTS) & has_no_end


def current_step_error(operation: Operation) -> str:
    """What is in the way of a live operation now, as its last try found; empty when nothing is."""
    last = operation.steps[-1] if operation.state in LIVE and operation.steps else {}
    return str(last.get("message", "")) if last.get("state") in ("retrying", "waiting") else ""


def live_of(kind: str, resource_id: UUID) -> Operation | None:
    """The first of this kind that is under way and about the resource."""
    live = Operation.objects.filter(kind=kind, state__in=LIVE, resource_ids__contains=[resource_id])
    return live.filter(resource_id=resource_id).order_by("created_at").first()


def operations(actor: Actor, project: Project) -> QuerySet[Operation]:
    """The project's operations; `project` comes from identity.selectors, which knows what the actor sees."""
    return Operation.objects.filter(project=project)


def operations_anywhere(actor: Actor) -> QuerySet[Operation]:
    """Those of all projects, and of none.

    Raises:
        RoleNeeded: the actor has no duty for the platform.
    """
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return Operation.objects.select_related("project__organization")


def operation_anywhere(actor: Actor, ref: str) -> Operation:
    """Raises RoleNeeded, OperationNotFound."""
    found = by_id(operations_anywhere(actor), ref)
    if found is None:
        raise OperationNotFound(name=ref)
    return found


def operation_get(actor: Actor, project: Project, ref: str) -> Operation:
    found = by_id(operations(actor, project), ref)
    if found is None:
        raise OperationNotFound(name=ref)
    return found


def current_operations(resource_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """resource id → id of the live operation that holds it, for those that are held."""
    holds = OperationHold.objects.filter(resource_id__in=list(resource_ids))
    return dict(holds.values_list("resource_id", "operation_id"))

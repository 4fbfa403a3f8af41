"""Which operations an actor sees, and which one works on a resource."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Project
from controlplane.kernel.db import by_id
from controlplane.operations.errors import OperationNotFound
from controlplane.operations.models import Operation, OperationHold


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


def operation_get(actor: Actor, project: Project, ref: str) -> Operation:
    found = by_id(operations(actor, project), ref)
    if found is None:
        raise OperationNotFound(name=ref)
    return found


def current_operations(resource_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """resource id → id of the live operation that holds it, for those that are held."""
    holds = OperationHold.objects.filter(resource_id__in=list(resource_ids))
    return dict(holds.values_list("resource_id", "operation_id"))

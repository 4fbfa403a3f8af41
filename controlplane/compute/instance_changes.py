"""Changes of an instance: its lock, its next generation and the operation that carries the change out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.db.models import F

from controlplane.audit.services import audit_entry
from controlplane.compute.actions import RESTARTS, STARTS, require_instance_state
from controlplane.compute.models import Attachment, Instance
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue


def instance_lock(instance: Instance) -> None:
    """Read the instance again and lock its row until the caller's transaction ends."""
    instance.refresh_from_db(
        fields=["name", "state", "is_deleting", "node", "vcpus", "memory_mib", "disk_gib", "keep_root_volume"],
        from_queryset=Instance.objects.select_for_update(no_key=True),
    )


@dataclass(frozen=True)
class InstanceChange:
    """A change of an instance that an operation of this kind carries out.

    `args`: those of the operation. `root_volumes`: the ids of volumes that it replaces, makes or enlarges, and locks.
    `reason`: shown to the tenant.
    """

    kind: str
    args: Mapping[str, object] = field(default_factory=dict)
    root_volumes: tuple[UUID, ...] = ()
    deadline: timedelta = timedelta(minutes=10)
    reason: str = ""


def instance_change(actor: Actor, instance: Instance, change: InstanceChange) -> Operation:
    """Write a change of an instance that is in a state for it: a new generation, its operation and its audit entry."""
    actor.may_write()
    instance_lock(instance)
    kind = change.kind
    operation_request = OperationRequest(
        kind,
        instance.project_id,
        [instance.pk, *change.root_volumes, *_reopened_volumes(instance, kind)],
        change.args,
        resource_name=instance.name,
        deadline=change.deadline,
        reason=change.reason,
    )
    operation = enqueue(
        actor, operation_request, extra_rows=audit_entry(actor, kind, instance.pk, project_id=instance.project_id)
    )
    require_instance_state(instance, action_of(kind))
    Instance.objects.filter(pk=instance.pk).update(
        generation=F("generation") + 1,
        restart_count=F("restart_count") + (1 if kind in RESTARTS else 0),
        updated_at=clock.now(),
    )
    return operation


def _reopened_volumes(instance: Instance, kind: str) -> Iterable[UUID]:
    """Return what the operation locks of the volumes that it opens anew: those in storage clusters, at each start."""
    if kind not in STARTS:
        return ()
    attached = Attachment.objects.filter(instance=instance, volume__pool__cluster__isnull=False)
    return [each.holder_id for each in attached.order_by("volume")]


def action_of(kind: str) -> str:
    """Return the instance action of an operation of this kind."""
    return kind.partition(".")[2]

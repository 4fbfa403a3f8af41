"""Evacuation requests: instances of a fenced node, started on another one.

workflows/instance_evacuate.py carries them out. The source sends nothing, so the disks have to be in pools that other
nodes mount. Policies decide about the destination as at creation; no rule is weaker because of a failure. An evacuation
needs proof that the old node does nothing any more: the service, the signer and the database each check that the node
is fenced.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from andromede_core.documents.messages import Message
from controlplane.compute.actions import EVACUATION
from controlplane.compute.errors import EvacuationBlocked, InstanceNotEvacuable
from controlplane.compute.instance_changes import instance_lock
from controlplane.compute.migration import (
    affected_ids,
    lock_volumes,
    migration_audit_rows,
    migration_request,
    next_generation,
    read_instance,
    shared_obstacle,
)
from controlplane.compute.models import EVACUATE, ON_FAILURE, Attachment, Instance, MigratedVolume, Migration
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.network.models import Port
from controlplane.node_lifecycle.fencing import storage_fences
from controlplane.node_lifecycle.fencing.violations import FENCE_BROKEN
from controlplane.nodes.admin_state import require_admin_state
from controlplane.nodes.models import Incident, Node, Pool
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.placement import services as placement
from controlplane.placement.errors import InsufficientCapacity, NoPlace, PolicyUnsatisfiable
from controlplane.storage_clusters.models import StorageCluster

# Refusals of placement that end with free capacity, or with another node.
PLACEMENT_REFUSALS = (InsufficientCapacity, NoPlace, PolicyUnsatisfiable)
LIMIT = timedelta(minutes=10)
# The guest is defined with its volumes at the generation below the one at which it starts.
GENERATIONS = 2


def evacuation_obstacles(instance: Instance) -> list[Message]:
    """Return the reasons against an evacuation that are known without placement; empty if there are none."""
    obstacles = []
    if instance.is_deleting:
        obstacles.append(Message("it is being deleted."))
    elif instance.state not in ("active", "stopped"):
        obstacles.append(Message("it is {state}.", state=instance.state))
    if instance.root_pool_id is None and instance.boot_volume_id is None:
        obstacles.append(Message("its disk is on that node alone, and comes back with the node."))
    alone = Attachment.objects.filter(instance=instance, volume__pool=None).select_related("volume").first()
    if alone is not None:
        name = alone.volume.name
        obstacles.append(
            Message("its volume {volume} is on that node alone, and comes back with the node.", volume=name)
        )
    if (shared := shared_obstacle(instance)) is not None:
        obstacles.append(shared)
    return obstacles


def require_fenced(node: Node) -> None:
    """Check the fence a last time before a guest starts elsewhere.

    Raises:
        NodeWrongAdminState: the node is not fenced.
        InstanceNotEvacuable: the node is fenced, and yet sends heartbeats.
    """
    require_admin_state(node, "fenced")
    if Incident.objects.filter(node=node, kind=FENCE_BROKEN, ended_at=None).exists():
        raise InstanceNotEvacuable(reason=Message("its node is reachable again, so it is not known to be off."))


def _require_storage(instance: Instance) -> None:
    """Check that no cluster with its disks is known to be out of reach, before the evacuation takes anything.

    Raises:
        InstanceNotEvacuable: the node cannot be fenced in such a cluster now.
    """
    assert instance.node is not None
    if not all(storage_fences.is_possible(cluster, instance.node) for cluster in clusters_of(instance)):
        raise InstanceNotEvacuable(reason=storage_fences.OUT_OF_REACH)


def clusters_of(instance: Instance) -> list[StorageCluster]:
    """Return the storage clusters with disks of the instance."""
    volumes = Attachment.objects.filter(instance=instance).values("volume__pool")
    pools = Pool.objects.filter(Q(pk=instance.root_pool_id) | Q(pk__in=volumes), cluster__isnull=False)
    return list(StorageCluster.objects.filter(pools__in=pools).distinct().order_by("name"))


def starts_elsewhere(instance: Instance) -> bool:
    """Tell if the guest is started at the destination; else it is off there, and can be started."""
    return instance.state == "active" and instance.restart_policy == ON_FAILURE


def instance_evacuate(actor: Actor, instance: Instance, *, node: Node | None = None, reason: str = "") -> Operation:
    """Request an evacuation of the instance from its fenced node.

    `node`: the only node allowed, as one more condition; it skips none. `reason` is shown to the tenant.

    Raises:
        RoleNeeded: the actor is no operator.
        NodeWrongAdminState: the instance's node is not fenced.
        InstanceNotEvacuable, Busy, PolicyUnsatisfiable, InsufficientCapacity, NoPlace, UnderMaintenance.
    """
    actor.may_operate()
    instance = read_instance(instance.pk)
    for each in affected_ids(instance):
        operations.require_unlocked(each)
    _check(instance)
    migration = Migration(
        kind=EVACUATE, instance=instance, source=instance.node, requested_destination=node, reason=reason
    )
    placement.check_placement(replace(migration_request(migration), move=None))
    return _write(actor, migration)


def _check(instance: Instance) -> None:
    if instance.node is None:
        raise InstanceNotEvacuable(reason=Message("it is on no node."))
    require_fenced(instance.node)
    if obstacles := evacuation_obstacles(instance):
        raise InstanceNotEvacuable(reason=obstacles[0])
    _require_storage(instance)


@transaction.atomic
def _write(actor: Actor, migration: Migration) -> Operation:
    instance = migration.instance
    instance_lock(instance)
    attachments, parts = lock_volumes(migration)
    operation = enqueue(actor, _operation_request(migration, parts), extra_rows=migration_audit_rows(actor, migration))
    if instance.node_id != migration.source_id:
        raise InstanceNotEvacuable(reason=Message("it has just changed. Try again."))
    _check(instance)
    migration.operation_id = operation.pk
    migration.generation = next_generation(instance, attachments) + GENERATIONS - 1
    migration.save(force_insert=True)
    MigratedVolume.objects.bulk_create(parts)
    return operation


def _operation_request(migration: Migration, parts: list[MigratedVolume]) -> OperationRequest:
    instance = migration.instance
    ports = Port.objects.filter(instance_id=instance.pk).order_by("pk").values_list("pk", flat=True)
    plugged = Attachment.objects.filter(instance=instance, is_boot=False).order_by("pk").values_list("pk", flat=True)
    return OperationRequest(
        EVACUATION,
        instance.project_id,
        affected_ids(instance),
        {
            "host": str(migration.requested_destination_id) if migration.requested_destination_id else None,
            "ports": [str(port) for port in ports],
            "volumes": [str(part.pk) for part in parts],
            "attachments": [str(attachment) for attachment in plugged],
            "boots_from_volume": instance.boot_volume_id is not None,
            "starts": starts_elsewhere(instance),
            "fences_storage": bool(clusters_of(instance)),
        },
        resource_name=instance.name,
        deadline=LIMIT,
        reason=migration.reason,
    )


def record_evacuation_blocked(instance: Instance, error: CloudError | Mapping[str, object]) -> dict[str, object]:
    """Record for the tenant why the instance stays down: no other node admits it now.

    Returns the recorded error as a document.
    """
    document = error.as_document() if isinstance(error, CloudError) else error
    problem = as_evacuation_blocked(document)
    rows = Instance.objects.filter(pk=instance.pk, node__admin_state="fenced")  # else it is back with its node by now
    rows.update(last_error=problem, updated_at=clock.now())
    return problem


def clear_evacuation_blocked(node: Node) -> None:
    """Clear the record when the node is in maintenance: instances without another node come back with it."""
    blocked = Instance.objects.filter(node=node, last_error__code=EvacuationBlocked.code)
    blocked.update(last_error=None, updated_at=clock.now())


def as_evacuation_blocked(document: Mapping[str, object]) -> dict[str, object]:
    """Return a refusal of placement, as an error's document, in the terms of an evacuation."""
    facts = document.get("facts")
    return EvacuationBlocked(**(facts if isinstance(facts, Mapping) else {})).as_document()

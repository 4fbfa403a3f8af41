"""Evacuate an instance of a fenced node: start it on another node with its id, its name, its addresses and its disks.

The disks are in pools, where the new node finds them as the fenced one left them. All calls to the new node have a
generation above all that any node knows. Until the end the rows name the old node; then one transaction writes the new
node, and the pending removals of the fenced node, which it must complete before anything else begins there: its guest,
ports and attachments are removed, its volumes are forgotten, for their files are in use elsewhere.
"""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute.errors import InstanceNotEvacuable
from controlplane.compute.migration import migration_of
from controlplane.compute.models import INSTANCE, MIGRATION, Attachment, Instance, Migration
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.network import segments
from controlplane.network.models import Port
from controlplane.network.port_specs import port_spec
from controlplane.node_lifecycle.fencing import storage_fences
from controlplane.node_lifecycle.recovery.evacuation import (
    PLACEMENT_REFUSALS,
    clusters_of,
    record_evacuation_blocked,
    require_fenced,
)
from controlplane.nodes import services as nodes
from controlplane.operations.errors import Cancelled
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.storage.models import Volume
from controlplane.storage_clusters.errors import StorageClusterFailed, StorageClusterUnreachable
from controlplane.workflows import node_steps, offline_arrival, step_permits
from controlplane.workflows.instance_migrate import (
    allocate_destination,
    disk_for,
    parts_of,
    raise_generations,
    release_destination,
    root_for,
    volume_of,
)
from controlplane.workflows.node_steps import Disk
from controlplane.workflows.workflow_types import Effect, Step, Workflow

# The node closes it; its file stays, for the other nodes.
FORGET = "shared-volume"


def steps(operation: Operation) -> Sequence[Step]:
    parts = [UUID(part) for part in operation.args["volumes"]]
    ports = [UUID(port) for port in operation.args["ports"]]
    return (
        *((Step("fence-storage", fence_storage),) if operation.args.get("fences_storage") else ()),
        Step("place", allocate_destination, undo=release_destination),
        *(
            ()
            if operation.args.get("boots_from_volume")
            else (Step("root-disk", take_root_disk_over, undo=forget_root_disk),)
        ),
        *(
            Step(f"volume-{n}", partial(take_volume_over, part), undo=partial(forget_volume, part))
            for n, part in enumerate(parts)
        ),
        *(
            Step(f"port-{n}", partial(ensure_port, port), undo=partial(remove_port, port))
            for n, port in enumerate(ports)
        ),
        *offline_arrival.steps(operation),
        *((Step("start", start, undo=offline_arrival.remove_guest),) if operation.args["starts"] else ()),
    )


def on_success(operation: Operation) -> None:
    """Write the end in one transaction.

    The second allocations become the only ones, the rows name the new node, and the old node gets pending removals.
    """
    migration = migration_of(operation)
    now, instance = clock.now(), migration.instance
    placement.complete_move(instance.pk, move=migration.pk)
    for part in parts_of(migration):
        placement.complete_move(part.volume_id, move=part.pk)
        Volume.objects.filter(pk=part.volume_id).update(node_id=migration.destination_id, updated_at=now)
    is_on = operation.args["starts"]
    observed = {"power_state": "running" if is_on else "off", "power_state_at": now, "power_reason": ""}
    fields = {"last_error": None, "restarts": 0, "node_id": migration.destination_id, **observed}
    if is_on or instance.state == "stopped":
        Instance.objects.filter(pk=instance.pk).update(updated_at=now, **fields)
    else:
        move(instance, INSTANCE, "stopped", **fields)
    raise_generations(migration)
    _leave_behind(migration)
    move(migration, MIGRATION, "done", arrived_at=now, ended_at=now)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Raise the generations, so that no generation sent to the new node is used again; the instance stays down."""
    migration = migration_of(operation)
    raise_generations(migration)
    state = "cancelled" if error["code"] == Cancelled.code else "failed"
    move(migration, MIGRATION, state, error=error, ended_at=clock.now())
    if error["code"] in {refusal.code for refusal in PLACEMENT_REFUSALS}:
        record_evacuation_blocked(migration.instance, error)
    elif state == "failed":
        Instance.objects.filter(pk=migration.instance_id).update(last_error=error)


def _leave_behind(migration: Migration) -> None:
    """Record the pending removals. A guest releases its disks first: reconcilers/node_removals.py keeps the order."""
    instance, source = migration.instance, migration.source
    ports = Port.objects.filter(instance_id=instance.pk).values_list("pk", flat=True)
    left = (
        ("instance", [instance.pk]),
        ("attachment", Attachment.objects.filter(instance=instance, is_boot=False).values_list("pk", flat=True)),
        ("port", ports),
        (FORGET, sorted({instance.root_id, *(part.volume_id for part in parts_of(migration))})),
    )
    for kind, ids in left:
        for each in ids:
            nodes.record_removal(source, kind=kind, resource_id=each, generation=migration.generation)
    for port_id in ports:
        segments.delete_binding(port_id, source)


def fence_storage(operation: Operation) -> None:
    """Fence the addresses of the dead node in each cluster that has disks of the instance.

    A cluster that is known to be out of reach ends the evacuation, which begins anew when the cluster answers: it must
    not hold up those of other instances.
    """
    migration = migration_of(operation)
    require_fenced(migration.source)
    for cluster in clusters_of(migration.instance):
        try:
            storage_fences.ensure_fenced(cluster, migration.source)
        except (StorageClusterUnreachable, StorageClusterFailed) as exc:
            if storage_fences.is_possible(cluster, migration.source):
                raise
            raise InstanceNotEvacuable(reason=storage_fences.OUT_OF_REACH) from exc


def take_root_disk_over(operation: Operation) -> None:
    migration = migration_of(operation)
    _take_over(operation, migration, root_for(migration))


def forget_root_disk(operation: Operation) -> Effect | None:
    migration = migration_of(operation)
    return node_steps.release_disk(migration.destination, root_for(migration))


def take_volume_over(part_id: UUID, operation: Operation) -> None:
    migration = migration_of(operation)
    _take_over(operation, migration, disk_for(migration, volume_of(part_id)))


def _take_over(operation: Operation, migration: Migration, disk: Disk) -> None:
    require_fenced(migration.source)
    node_steps.fence_disk(migration.source, disk)
    node_steps.open_disk(step_permits.for_arrival(operation, migration), disk)


def forget_volume(part_id: UUID, operation: Operation) -> Effect | None:
    migration = migration_of(operation)
    return node_steps.release_disk(migration.destination, disk_for(migration, volume_of(part_id)))


def ensure_port(port_id: UUID, operation: Operation) -> None:
    migration = migration_of(operation)
    port = port_spec(port_id, generation=migration.generation)
    node_steps.ensure_port(step_permits.for_arrival(operation, migration), port, hostname=migration.instance.name)


def remove_port(port_id: UUID, operation: Operation) -> Effect | None:
    return _remove_there(migration_of(operation), "port", port_id)


def start(operation: Operation) -> None:
    migration = migration_of(operation)
    require_fenced(migration.source)
    authorization = step_permits.for_arrival(operation, migration)
    node_steps.ensure_instance(
        authorization, migration.instance, power=pb.POWER_RUNNING, generation=migration.generation
    )


def _remove_there(migration: Migration, kind: str, resource_id: UUID) -> Effect | None:
    return node_steps.remove(migration.destination, kind=kind, resource_id=resource_id, generation=migration.generation)


WORKFLOW = Workflow("instance.evacuate", steps, on_success, on_failure)

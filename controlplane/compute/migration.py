"""Migration requests: instances that change their node. workflows/instance_migrate.py carries them out.

A live or cold migration sends memory and disks. Evacuations from a fenced node are requested in
node_lifecycle/recovery/evacuation.py, cold migrations to another zone in relocation.py.

Operators request a migration; policies decide about the destination as at creation. The instance takes its volumes
along and stays in its zone, since its networks do.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Model, QuerySet

from andromede_core.documents.messages import Message
from controlplane.audit.services import audit_entry, record
from controlplane.compute.actions import EVACUATION, MOVE, RELOCATION
from controlplane.compute.attachments import attached_volume_request, instance_with_volumes_request
from controlplane.compute.errors import InstanceNotMovable, MigrationNotFound
from controlplane.compute.instance_changes import instance_lock
from controlplane.compute.models import EVACUATE, MOVING, RELOCATE, Attachment, Instance, MigratedVolume, Migration
from controlplane.compute.services import root_pools
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.network.models import Port
from controlplane.network.mtu import mtu_zones_of_instance
from controlplane.network.node_needs import node_needs
from controlplane.network.port_rules import FILTERS
from controlplane.network.routed_zones import zones_of_instance
from controlplane.nodes.models import AUTO_CONVERGE, Node
from controlplane.operations import services as operations
from controlplane.operations.models import Operation, ResourceLock
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest
from controlplane.placement.effective_policies import DataSource
from controlplane.storage.models import Volume
from controlplane.storage.services import pool_requirements, volume_lock

LIVE_MIGRATION = "live-migration"  # the trait of nodes that can exchange running guests
COLD_MIGRATION = "cold-migration"  # the trait of nodes that can exchange stopped guests
CPU = "cpu:"  # prefix of the trait with the CPU of a node's guests, which must be equal at the destination
# A migration that takes longer is cancelled: the guest writes faster than its memory can be sent.
LIMIT, LIMIT_PER_GIB = timedelta(minutes=30), timedelta(seconds=30)
DEADLINE_S_MIN, DEADLINE_S_MAX = 60, 7 * 24 * 3600


@dataclass(frozen=True)
class MigrationOptions:
    """Options of a migration. `deadline_s`: cancel after; None: computed from the sizes of memory and disks."""

    deadline_s: int | None = None
    convergence: str = AUTO_CONVERGE


DEFAULT_OPTIONS = MigrationOptions()


def is_off(instance: Instance) -> bool:
    """Tell if the instance is to be off, and so migrates cold."""
    return instance.state == "stopped"


def migration_obstacles(instance: Instance) -> list[Message]:
    """Return the reasons against a migration that are known without placement; empty if there are none."""
    obstacles = [reason for reason in (_state_obstacle(instance), _node_obstacle(instance)) if reason is not None]
    local = Attachment.objects.filter(instance=instance, is_read_only=True, volume__pool=None)
    still = local.select_related("volume").first()
    if still is not None:
        obstacles.append(
            Message("its volume {volume} is attached read-only and cannot be migrated.", volume=still.volume.name)
        )
    if (shared := shared_obstacle(instance)) is not None:
        obstacles.append(shared)
    hold = ResourceLock.objects.filter(resource_id__in=affected_ids(instance)).select_related("operation").first()
    if hold is not None:
        obstacles.append(Message("another operation ({kind}) works on it.", kind=hold.operation.kind))
    return obstacles


def shared_obstacle(instance: Instance) -> Message | None:
    """Return the reason of a volume that is open on its node for several instances, and cannot move with it."""
    shared = Attachment.objects.filter(instance=instance, is_shared=True).select_related("volume").first()
    if shared is None:
        return None
    return Message("its volume {volume} is shared with other instances. Detach it first.", volume=shared.volume.name)


def _state_obstacle(instance: Instance) -> Message | None:
    if instance.is_deleting:
        return Message("it is being deleted.")
    if is_off(instance):
        is_up = instance.power_state in ("running", "paused")
        return Message("it is stopped, and its guest is still {state}.", state=instance.power_state) if is_up else None
    if instance.state != "active":
        return Message("it is {state}, and does not run.", state=instance.state)
    if instance.power_state != "running":
        return Message("its guest is {state}, and does not run.", state=instance.power_state)
    return None


def _node_obstacle(instance: Instance) -> Message | None:
    node = instance.node
    if node is None:
        return Message("it is on no node.")
    if node.state == "unreachable":
        return Message("its node does not answer.")
    if LIVE_MIGRATION not in node.traits:
        return Message("its node does not support migrations.")
    if is_off(instance) and COLD_MIGRATION not in node.traits:
        return Message("its node does not support cold migrations. Its agent is too old.")
    if not cpu_traits(node):
        return Message("its node does not report the CPU of its guests. Its agent is too old.")
    return None


def instance_migrate(
    actor: Actor,
    instance: Instance,
    *,
    node: Node | None = None,
    reason: str = "",
    options: MigrationOptions = DEFAULT_OPTIONS,
) -> Operation:
    """Request a migration of the instance: live, or cold if it is off.

    `node`: the only node allowed, as one more condition; it skips none. `reason` is shown to the tenant.

    Raises:
        RoleNeeded: the actor is no operator.
        InstanceNotMovable, Busy, PolicyUnsatisfiable, InsufficientCapacity, NoPlace, UnderMaintenance.
    """
    actor.may_operate()
    instance = read_instance(instance.pk)
    _check(instance)
    migration = Migration(instance=instance, source=instance.node, requested_destination=node, reason=reason)
    placement.check_placement(replace(migration_request(migration), move=None))
    return migration_write(actor, migration, options)


def read_instance(instance_id: UUID) -> Instance:
    return Instance.objects.select_related("project", "image", "node", "affinity_group").get(pk=instance_id)


def _check(instance: Instance) -> None:
    for each in affected_ids(instance):
        operations.require_unlocked(each)
    if obstacles := migration_obstacles(instance):
        raise InstanceNotMovable(reason=obstacles[0])


def affected_ids(instance: Instance) -> list[UUID]:
    """Return the ids of the instance and of all resources that migrate with it."""
    pairs = Attachment.objects.filter(instance=instance).order_by("pk").values_list("volume_id", "pk")
    return [instance.pk, *(each for pair in pairs for each in pair)]


def migration_request(migration: Migration) -> PlacementRequest:
    """Return the placement request for the instance with its volumes.

    Each volume then gets its part of the allocation. Nothing is taken of a pool: its data stays there. An evacuated
    instance can go to nodes that cannot receive a migration.
    """
    instance = migration.instance
    volumes = Volume.objects.filter(attachment__instance=instance).select_related("pool")
    request = instance_with_volumes_request(
        instance, [volume.pk for volume in volumes], operation=placement_operation(migration)
    )
    shared = [*root_pools(instance), *(requirement for volume in volumes for requirement in pool_requirements(volume))]
    return replace(
        request,
        disk_gib=request.disk_gib + sum(volume.size_gib for volume in volumes if volume.pool is None),
        pools=tuple(dict.fromkeys(shared)),
        zones=(_zone_of(migration),),
        traits=request.traits.union(_migration_traits(migration), *(volume.limits.traits for volume in volumes)),
        host=str(migration.requested_destination_id) if migration.requested_destination_id else None,
        excluded=(migration.source_id,),
        move=migration.pk,
        **_network_conditions(migration),
    )


def _zone_of(migration: Migration) -> str:
    """Return the zone of the destination."""
    return migration.requested_zone_id or migration.source.zone_id


def _network_conditions(migration: Migration) -> dict[str, Any]:
    """Return the conditions of the networks on another zone. Those on the zone of the instance hold already."""
    if migration.kind != RELOCATE:
        return {}
    instance_id = migration.instance_id
    return {"routed_to": zones_of_instance(instance_id), "mtu_zones": mtu_zones_of_instance(instance_id)}


def _migration_traits(migration: Migration) -> frozenset[str]:
    """Return the traits that the destination needs to receive a guest.

    An evacuated guest starts anew, on any CPU. A stopped guest has the CPU trait on its way, too. Filtered ports need
    security groups, and ports of some networks an agent that knows what these have.
    """
    ports = Port.objects.filter(instance_id=migration.instance_id)
    filters = {FILTERS} if ports.filter(is_filtered=True).exists() else set()
    filters |= node_needs(ports.values_list("network_id", flat=True)).traits
    if migration.kind == EVACUATE:
        return frozenset(filters)
    cold = {COLD_MIGRATION} if is_off(migration.instance) else set()
    return frozenset({LIVE_MIGRATION} | cold | filters) | cpu_traits(migration.source)


def cpu_traits(node: Node) -> frozenset[str]:
    """Return the traits of nodes with a CPU compatible with a guest that runs on this one."""
    return frozenset(trait for trait in node.traits if trait.startswith(CPU))


def operation_kind(migration: Migration) -> str:
    """Return the kind of the migration's operation."""
    return {EVACUATE: EVACUATION, RELOCATE: RELOCATION}.get(migration.kind, MOVE)


def placement_operation(migration: Migration) -> str:
    """Return the operation that is decided and permitted.

    A relocation does on nodes what a migration does, so agents of the last release take part.
    """
    return EVACUATION if migration.kind == EVACUATE else MOVE


def migrated_volume_request(part: MigratedVolume) -> PlacementRequest:
    """Return the placement request for a volume that migrates with its instance."""
    holder = DataSource(part.migration.instance_id, part.volume.project)
    request = attached_volume_request(part.volume, holder, operation=placement_operation(part.migration))
    return replace(request, move=part.pk, pools=pool_requirements(part.volume))


@transaction.atomic
def migration_write(actor: Actor, migration: Migration, options: MigrationOptions) -> Operation:
    """Write the migration, with its operation."""
    instance = migration.instance
    state_before = instance.state
    instance_lock(instance)
    attachments, parts = lock_volumes(migration)
    operation = enqueue(
        actor, _operation_request(migration, parts, options), extra_rows=migration_audit_rows(actor, migration)
    )
    _check_locked(instance, migration, state_before)
    migration.operation_id, migration.generation = operation.pk, next_generation(instance, attachments)
    migration.save(force_insert=True)
    MigratedVolume.objects.bulk_create(parts)
    return operation


def lock_volumes(migration: Migration) -> tuple[list[Attachment], list[MigratedVolume]]:
    """Lock the volumes that migrate until the caller's transaction ends; the parts are not written yet."""
    rows = Attachment.objects.filter(instance=migration.instance).select_related("volume").order_by("volume_id")
    attachments = list(rows)
    for attachment in attachments:
        volume_lock(attachment.volume)
    return attachments, [MigratedVolume(migration=migration, volume=each.volume) for each in attachments]


def _operation_request(
    migration: Migration, parts: list[MigratedVolume], options: MigrationOptions
) -> OperationRequest:
    instance = migration.instance
    ports = Port.objects.filter(instance_id=instance.pk).order_by("pk").values_list("pk", flat=True)
    plugged = Attachment.objects.filter(instance=instance, is_boot=False).order_by("pk").values_list("pk", flat=True)
    disks_gib = [part.volume.size_gib for part in parts if part.volume.pool_id is None]
    if instance.root_pool_id is None:
        disks_gib.append(instance.own_disk_gib)
    size_gib = instance.memory_mib // 1024 + sum(disks_gib)
    usual = LIMIT + size_gib * LIMIT_PER_GIB
    return OperationRequest(
        operation_kind(migration),
        instance.project_id,
        affected_ids(instance),
        {
            "host": str(migration.requested_destination_id) if migration.requested_destination_id else None,
            "ports": [str(port) for port in ports],
            "volumes": [str(part.pk) for part in parts],
            "convergence": options.convergence,
            "boots_from_volume": instance.boot_volume_id is not None,
            "zone": migration.requested_zone_id,
            "stays_in_clusters": is_off(instance) and _is_in_clusters(instance, parts),
            "attachments": [str(each) for each in plugged],
        },
        resource_name=instance.name,
        deadline=timedelta(seconds=options.deadline_s) if options.deadline_s is not None else usual,
        reason=migration.reason,
    )


def _is_in_clusters(instance: Instance, parts: list[MigratedVolume]) -> bool:
    """Tell if all disks are in storage clusters: an instance that is off then leaves nothing to send."""
    pools = [part.volume.pool for part in parts]
    if instance.boot_volume_id is None:
        pools.append(instance.root_pool)
    return all(pool is not None and pool.is_of_cluster for pool in pools)


def migration_audit_rows(actor: Actor, migration: Migration) -> list[Model]:
    """Return the audit rows. Tenants read them too, so they name no node."""
    instance = migration.instance
    facts = {"name": instance.name, "reason": migration.reason}
    return audit_entry(actor, operation_kind(migration), instance.pk, project_id=instance.project_id, **facts)


def _check_locked(instance: Instance, migration: Migration, state: str) -> None:
    """Check under the row lock that the instance is as placement saw it and has no other operation."""
    is_as_before = instance.state == state and not instance.is_deleting and instance.node_id == migration.source_id
    if not is_as_before:
        raise InstanceNotMovable(reason=Message("it has just changed. Try again."))


def next_generation(instance: Instance, attachments: list[Attachment]) -> int:
    """Return a generation above all that any node knows of the instance and its volumes."""
    ports = Port.objects.filter(instance_id=instance.pk).aggregate(newest=Max("generation"))["newest"]
    instance.refresh_from_db(fields=["generation"])
    generations = [each.generation for each in attachments] + [each.volume.generation for each in attachments]
    return max(instance.generation, ports or 0, *generations) + 1


def migrations(actor: Actor, instance: Instance) -> QuerySet[Migration]:
    """Return the migrations of one instance.

    Raises:
        RoleNeeded: the actor has no platform role; tenants see the operations.
    """
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return Migration.objects.filter(instance=instance).select_related("source", "destination", "requested_destination")


@transaction.atomic
def migration_cancel(actor: Actor, instance: Instance) -> Operation:
    """Cancel the migration of the instance, until the guest has arrived. Idempotent.

    Raises:
        RoleNeeded: the actor is no operator.
        MigrationNotFound: the instance does not migrate.
        NotCancellable: its guest has arrived.
    """
    actor.may_operate()
    migration = Migration.objects.filter(instance=instance, state__in=MOVING).first()
    if migration is None:
        raise MigrationNotFound(name=instance.name)
    operation = operations.operation_cancel(actor, Operation.objects.get(pk=migration.operation_id))
    record(actor, "instance.migrate-cancel", instance.pk, project_id=instance.project_id, name=instance.name)
    return operation


def migration_of(operation: Operation) -> Migration:
    """Return the migration that the operation carries out."""
    rows = Migration.objects.select_related(
        "source",
        "destination",
        "instance__project__organization",
        "instance__image__project",
        "instance__affinity_group",
        "instance__node",
    )
    return rows.get(operation_id=operation.pk)

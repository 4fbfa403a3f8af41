"""Live migration: what a request writes. workflows/instance_migrate.py carries it out.

Operators ask for it; where an instance may go, its policies say, as when it is created. It takes its volumes along and
stays in its zone, since its networks do.
"""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Model, QuerySet

from controlplane.audit.services import deed, record
from controlplane.compute.actions import MOVE as MIGRATE
from controlplane.compute.attachments import ask_for_attached, ask_for_whole
from controlplane.compute.errors import InstanceNotMovable, MigrationNotFound
from controlplane.compute.models import MOVING, Attachment, Instance, MigratedVolume, Migration
from controlplane.compute.services import instance_lock
from controlplane.identity.actor import Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.kernel.reasons import Reason
from controlplane.network.models import Port
from controlplane.nodes.models import Node
from controlplane.operations import services as operations
from controlplane.operations.models import Operation, OperationHold
from controlplane.operations.services import Wish, enqueue
from controlplane.placement import services as placement
from controlplane.placement.decisions import Ask
from controlplane.placement.effective import Source
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_lock

LIVE_MIGRATION = "live-migration"  # the trait of nodes between which guests move
CPU = "cpu:"  # how the trait begins that names the CPU of a node's guests: they go on where it is the same
# A move that takes longer is called off: the guest writes faster than it can be sent.
LIMIT, LIMIT_PER_GIB = timedelta(minutes=30), timedelta(seconds=30)


def migration_obstacles(instance: Instance) -> list[Reason]:
    """What stands in the way of moving it while it runs, as far as can be told without asking placement. Empty: nothing
    does."""
    found = []
    if instance.is_deleting:
        found.append(Reason("it is being deleted."))
    elif instance.state != "active":
        found.append(Reason("it is {state}, and does not run.", state=instance.state))
    elif instance.power_state != "running":
        found.append(Reason("its guest is {state}, and does not run.", state=instance.power_state))
    node = instance.node
    if node is None:
        found.append(Reason("it is on no node."))
    elif node.state == "unreachable":
        found.append(Reason("its node does not answer."))
    elif LIVE_MIGRATION not in node.traits:
        found.append(Reason("its node cannot send guests to others."))
    elif not cpu_traits(node):
        found.append(Reason("its node does not say which CPU its guests have. Its agent is too old."))
    still = Attachment.objects.filter(instance=instance, is_read_only=True).select_related("volume").first()
    if still is not None:
        found.append(Reason("its volume {volume} is attached read-only, and cannot be sent.", volume=still.volume.name))
    hold = OperationHold.objects.filter(resource_id__in=_held(instance)).select_related("operation").first()
    if hold is not None:
        found.append(Reason("another operation ({kind}) works on it.", kind=hold.operation.kind))
    return found


def instance_migrate(actor: Actor, instance: Instance, *, node: Node | None = None, reason: str = "") -> Operation:
    """Ask for the instance on another node, without a stop. `node`: on this one and no other; it is one more condition,
    and skips none. `reason` is told to the tenant.

    Raises:
        RoleNeeded: the actor is no operator.
        InstanceNotMovable, Busy, PolicyUnsatisfiable, InsufficientCapacity, NoPlace, UnderMaintenance.
    """
    actor.may_operate()
    instance = _read(instance.pk)
    _check(instance)
    migration = Migration(instance=instance, source=instance.node, wished=node, reason=reason)
    placement.check(replace(ask_for_move(migration), move=None))
    return _write(actor, migration)


def _read(instance_id: UUID) -> Instance:
    return Instance.objects.select_related("project", "image", "node", "affinity_group").get(pk=instance_id)


def _check(instance: Instance) -> None:
    for held in _held(instance):
        operations.need_free(held)
    if obstacles := migration_obstacles(instance):
        raise InstanceNotMovable(reason=obstacles[0])


def _held(instance: Instance) -> list[UUID]:
    """The instance, and all that goes along with it."""
    pairs = Attachment.objects.filter(instance=instance).order_by("pk").values_list("volume_id", "pk")
    return [instance.pk, *(each for pair in pairs for each in pair)]


def ask_for_move(migration: Migration) -> Ask:
    """What placement is asked for the instance with all that goes along: room for its volumes too, of which each then
    gets its own part."""
    instance = migration.instance
    volumes = Volume.objects.filter(attachment__instance=instance).values_list("pk", "size_gib")
    ask = ask_for_whole(instance, [pk for pk, _ in volumes], operation=MIGRATE)
    return replace(
        ask,
        disk_gib=instance.disk_gib + sum(size_gib for _, size_gib in volumes),
        zones=(migration.source.zone_id,),
        traits=ask.traits | {LIVE_MIGRATION} | cpu_traits(migration.source),
        host=str(migration.wished_id) if migration.wished_id else None,
        excluded=(migration.source_id,),
        move=migration.pk,
    )


def cpu_traits(node: Node) -> frozenset[str]:
    """What another node has to have, if a guest that runs on this one is to find its CPU there."""
    return frozenset(trait for trait in node.traits if trait.startswith(CPU))


def ask_for_part(part: MigratedVolume) -> Ask:
    """The same for a volume that goes along."""
    holder = Source(part.migration.instance_id, part.volume.project)
    return replace(ask_for_attached(part.volume, holder, operation=MIGRATE), move=part.pk)


@transaction.atomic
def _write(actor: Actor, migration: Migration) -> Operation:
    instance = migration.instance
    instance_lock(instance)
    attachments = list(Attachment.objects.filter(instance=instance).select_related("volume").order_by("volume_id"))
    for attachment in attachments:
        volume_lock(attachment.volume)
    parts = [MigratedVolume(migration=migration, volume=each.volume) for each in attachments]
    operation = enqueue(actor, _wish(migration, parts), beside=_told(actor, migration))
    _check_locked(instance, migration)
    migration.operation_id, migration.generation = operation.pk, _above(instance, attachments)
    migration.save(force_insert=True)
    MigratedVolume.objects.bulk_create(parts)
    return operation


def _wish(migration: Migration, parts: list[MigratedVolume]) -> Wish:
    instance = migration.instance
    ports = Port.objects.filter(instance_id=instance.pk).order_by("pk").values_list("pk", flat=True)
    size_gib = instance.disk_gib + instance.memory_mib // 1024 + sum(part.volume.size_gib for part in parts)
    return Wish(
        MIGRATE,
        instance.project_id,
        _held(instance),
        {
            "host": str(migration.wished_id) if migration.wished_id else None,
            "ports": [str(port) for port in ports],
            "volumes": [str(part.pk) for part in parts],
        },
        resource_name=instance.name,
        deadline=LIMIT + size_gib * LIMIT_PER_GIB,
        reason=migration.reason,
    )


def _told(actor: Actor, migration: Migration) -> list[Model]:
    """Tenants read it too: it names no node."""
    instance = migration.instance
    said = {"name": instance.name, "reason": migration.reason}
    return deed(actor, MIGRATE, instance.pk, project_id=instance.project_id, **said)


def _check_locked(instance: Instance, migration: Migration) -> None:
    """It is still as it was when placement was asked: nobody else works on it now."""
    is_as_before = instance.state == "active" and not instance.is_deleting and instance.node_id == migration.source_id
    if not is_as_before:
        raise InstanceNotMovable(reason=Reason("it has changed just now. Ask again."))


def _above(instance: Instance, attachments: list[Attachment]) -> int:
    """A generation that no node has heard of for any of it."""
    ports = Port.objects.filter(instance_id=instance.pk).aggregate(newest=Max("generation"))["newest"]
    instance.refresh_from_db(fields=["generation"])
    known = [each.generation for each in attachments] + [each.volume.generation for each in attachments]
    return max(instance.generation, ports or 0, *known) + 1


def migrations(actor: Actor, instance: Instance) -> QuerySet[Migration]:
    """Of one instance. Raises RoleNeeded: the actor has no duty for the platform; tenants see the operations."""
    if not actor.sees_all:
        raise RoleNeeded(role="operator")
    return Migration.objects.filter(instance=instance).select_related("source", "destination", "wished")


@transaction.atomic
def migration_cancel(actor: Actor, instance: Instance) -> Operation:
    """Call its move off, for as long as the guest has not left. Asking again changes nothing.

    Raises:
        RoleNeeded: the actor is no operator.
        MigrationNotFound: it is not being moved.
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
    """The one that the operation carries out."""
    rows = Migration.objects.select_related(
        "source",
        "destination",
        "instance__project__organization",
        "instance__image__project",
        "instance__affinity_group",
        "instance__node",
    )
    return rows.get(operation_id=operation.pk)

"""Relocation requests: a stopped instance moves to another zone with its volumes. workflows/instance_relocate.py
carries them out.

Members of the project request a relocation; policies decide about the destination as at creation. Storage clusters and
folders, and public addresses, belong to one zone: an instance that has such is not relocated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.catalog.models import Zone
from controlplane.catalog.selectors import zones
from controlplane.compute.actions import require_instance_state
from controlplane.compute.errors import InstanceNotRelocatable
from controlplane.compute.migration import (
    DEFAULT_OPTIONS,
    affected_ids,
    migration_obstacles,
    migration_request,
    migration_write,
    read_instance,
)
from controlplane.compute.models import RELOCATE, Instance, Migration
from controlplane.identity.actor import Actor
from controlplane.kernel.errors import CloudError
from controlplane.network.models import EgressAddress, Port
from controlplane.network.public_addresses import attached_to
from controlplane.network.routed_zones import routed_addresses
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.placement import decisions
from controlplane.placement import services as placement
from controlplane.placement.decisions import PlacementRequest, refusal_of
from controlplane.storage.models import Volume


def instance_relocate(actor: Actor, instance: Instance, *, zone: Zone, reason: str = "") -> Operation:
    """Request that a stopped instance moves to the zone, with its volumes. It stays off. `reason`: of the operation.

    Raises:
        InstanceWrongState: it is not stopped.
        InstanceNotRelocatable: something that it has stays in its zone; the error says what, and what to do.
        Busy, PolicyUnsatisfiable, InsufficientCapacity, NoPlace, UnderMaintenance.
    """
    actor.may_write()
    instance = read_instance(instance.pk)
    for each in affected_ids(instance):
        operations.require_unlocked(each)
    require_instance_state(instance, "relocate")
    for obstacle in relocation_obstacles(instance, zone):
        _refuse(zone, obstacle)
    migration = Migration(kind=RELOCATE, instance=instance, source=instance.node, requested_zone=zone, reason=reason)
    placement.check_placement(replace(migration_request(migration), move=None))
    return _write(actor, migration, zone)


@transaction.atomic
def _write(actor: Actor, migration: Migration, zone: Zone) -> Operation:
    """Write the relocation, and check again under the locks of volumes and ports what is bound to the zone."""
    instance = migration.instance
    operation = migration_write(actor, migration, DEFAULT_OPTIONS)
    list(Port.objects.select_for_update(no_key=True).filter(instance_id=instance.pk).order_by("pk"))
    for obstacle in (*_pool_obstacles(instance), *_address_obstacles(instance, zone)):
        _refuse(zone, obstacle)
    return operation


def _refuse(zone: Zone, obstacle: Message) -> NoReturn:
    raise InstanceNotRelocatable(field="zone", zone=zone.pk, reason=obstacle)


def relocation_obstacles(instance: Instance, zone: Zone) -> list[Message]:
    """Return the reasons against the zone that are known without placement; empty if there are none."""
    obstacles = migration_obstacles(instance)
    if instance.node is not None and instance.node.zone_id == zone.pk:
        obstacles.append(Message("it is in this zone."))
    return [*obstacles, *_pool_obstacles(instance), *_address_obstacles(instance, zone)]


def _pool_obstacles(instance: Instance) -> list[Message]:
    """Return the reasons of disks in pools, which belong to one zone."""
    obstacles = []
    if instance.boot_volume_id is None and instance.root_pool is not None:
        obstacles.append(
            Message(
                "its root disk is in the pool {pool}, which stays in its zone. Make an image of it, and create an "
                "instance from the image there.",
                pool=instance.root_pool.name,
            )
        )
    volumes = Volume.objects.filter(attachment__instance=instance, pool__isnull=False)
    for volume in volumes.select_related("pool").order_by("name"):
        assert volume.pool is not None
        obstacles.append(
            Message(
                "its volume {volume} is in the pool {pool}, which stays in its zone. Retype it to a type of a node's "
                "own disk first, or detach it; a root volume cannot be detached.",
                volume=volume.name,
                pool=volume.pool.name,
            )
        )
    return obstacles


def _address_obstacles(instance: Instance, zone: Zone) -> list[Message]:
    """Return the reasons of public addresses, and of addresses in a range that is routed to another zone."""
    ports = list(Port.objects.filter(instance_id=instance.pk).order_by("pk"))
    public = [each for each in attached_to(ports) if each.pool.zone_id != zone.pk]
    obstacles = [
        Message(
            "the public address {ip} is routed to the zone {other}. Detach it first.",
            ip=each.ip,
            other=each.pool.zone_id,
        )
        for each in public
    ]
    named = {each.ip for each in public}
    own = {ip: other for ip, other in routed_addresses(ports).items() if other != zone.pk and ip not in named}
    obstacles += [
        Message(
            "its address {ip} is of a subnet whose IPv6 range is routed to the zone {other}. Detach the port first.",
            ip=ip,
            other=other,
        )
        for ip, other in sorted(own.items())
    ]
    return obstacles


@dataclass(frozen=True)
class ZonePlan:
    """The relocation to one zone. `reasons`: errors as documents; empty if the zone admits the instance. `nodes`: how
    many nodes admit it.
    """

    zone: Zone
    reasons: tuple[Mapping[str, object], ...] = ()
    nodes: int = 0

    @property
    def is_admitted(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class RelocationPlan:
    """Describes what a relocation would do.

    `copied_gib`: disks that are sent, and then erased where they are now. `egress_networks`: names of its networks with
    an egress address in its zone, which it does not have in another one.
    """

    instance: Instance
    zone: str | None
    copied_gib: int
    zones: Sequence[ZonePlan]
    egress_networks: Sequence[str]


def relocation_plan(instance: Instance) -> RelocationPlan:
    """Return the plan: the other zones, and why some do not admit the instance. Nothing is written."""
    instance = read_instance(instance.pk)
    here = None if instance.node is None else instance.node.zone_id
    networks = Port.objects.filter(instance_id=instance.pk).values("network")
    egress = EgressAddress.objects.filter(network__in=networks, zone=here).select_related("network")
    return RelocationPlan(
        instance=instance,
        zone=here,
        copied_gib=_copied_gib(instance),
        zones=[_zone_plan(instance, zone) for zone in other_zones(here)],
        egress_networks=sorted(each.network.name for each in egress),
    )


def other_zones(here: str | None) -> list[Zone]:
    return [zone for zone in zones() if zone.pk != here]


def _copied_gib(instance: Instance) -> int:
    local = Volume.objects.filter(attachment__instance=instance, pool=None).values_list("size_gib", flat=True)
    root = 0 if instance.boot_volume_id or instance.root_pool_id else instance.own_disk_gib
    return root + sum(local)


def _zone_plan(instance: Instance, zone: Zone) -> ZonePlan:
    try:
        require_instance_state(instance, "relocate")
    except CloudError as exc:
        return ZonePlan(zone, (exc.as_document(),))
    if obstacles := relocation_obstacles(instance, zone):
        errors = [InstanceNotRelocatable(field="zone", zone=zone.pk, reason=each) for each in obstacles]
        return ZonePlan(zone, tuple(error.as_document() for error in errors))
    migration = Migration(kind=RELOCATE, instance=instance, source=instance.node, requested_zone=zone)
    return zone_plan(zone, replace(migration_request(migration), move=None))


def zone_plan(zone: Zone, request: PlacementRequest) -> ZonePlan:
    """Return whether the zone admits the request, which is for this zone alone. Nothing is written."""
    try:
        taken = decisions.decide_placement(request)
    except CloudError as exc:
        return ZonePlan(zone, (exc.as_document(),))
    if not taken.decision.is_admitted:
        return ZonePlan(zone, (refusal_of(request, taken),))
    return ZonePlan(zone, nodes=taken.decision.admitted)

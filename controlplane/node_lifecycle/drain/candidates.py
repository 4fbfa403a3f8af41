"""Inputs of drain and recovery plans, read from the rows: a node's guests, and the placement request of each."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from django.db.models import Q, QuerySet

from andromede_core.documents.messages import Message
from andromede_core.placement.decision import Decision
from controlplane.compute.errors import InstanceNotEvacuable, InstanceNotMovable, InstanceNotRestarted
from controlplane.compute.migration import migration_obstacles, migration_request
from controlplane.compute.migration_plan import refusal_of
from controlplane.compute.models import EVACUATE, MIGRATE, NEVER, Attachment, Instance, Migration
from controlplane.compute.services import instance_placement_request
from controlplane.kernel.errors import CloudError
from controlplane.node_lifecycle.drain.drain_plan import (
    Document,
    Entry,
    Guest,
    GuestRequest,
    Places,
    Plan,
    PlanInputs,
    plan,
)
from controlplane.node_lifecycle.recovery.evacuation import (
    as_evacuation_blocked,
    evacuation_obstacles,
    starts_elsewhere,
)
from controlplane.node_lifecycle.recovery.recovery_plan import plan_recovery
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation, ResourceLock
from controlplane.placement import decisions
from controlplane.placement.fleet_cache import FLEET
from controlplane.placement.models import Allocation
from controlplane.storage.models import Volume


def guests_of(node: Node) -> QuerySet[Instance]:
    """Return the instances that are on the node, or have their allocation there."""
    places = Allocation.objects.filter(node=node, kind="instance").values("consumer_id")
    rows = Instance.objects.filter(Q(node=node) | Q(pk__in=places)).exclude(state="deleted")
    return rows.select_related("project", "image", "affinity_group", "node").order_by("pk")


def volumes_of(node: Node) -> int:
    """Count the volumes that only this node has and that are not attached: they stay there."""
    plugged = Attachment.objects.values("volume_id")
    return Volume.objects.filter(node=node, pool=None).exclude(Q(state="deleted") | Q(pk__in=plugged)).count()


def is_running(instance: Instance) -> bool:
    """Tell if the guest runs on its node, as far as known, or is about to."""
    return instance.state in ("active", "building") or was_reported_running(instance)


def was_reported_running(instance: Instance) -> bool:
    """Tell if the guest ran in the node's last report."""
    return instance.power_state in ("running", "paused")


def blocking_operations(instances: Iterable[Instance]) -> dict[UUID, Operation]:
    """Return, by instance id, the operation on the instance or on an attached volume, if there is one."""
    owners = {instance.pk: instance.pk for instance in instances}
    pairs = Attachment.objects.filter(instance__in=list(owners)).values_list("instance_id", "volume_id", "pk")
    for instance_id, *ids in pairs:
        owners |= dict.fromkeys(ids, instance_id)
    holds = ResourceLock.objects.filter(resource_id__in=list(owners)).select_related("operation")
    return {owners[hold.resource_id]: hold.operation for hold in holds}


def expects_arrivals(node: Node) -> bool:
    """Tell if a guest is migrating to the node."""
    shared = Attachment.objects.filter(is_shared=True, instance__node=node).values("pk")
    return Allocation.objects.filter(node=node, moving_id__isnull=False).exclude(consumer_id__in=shared).exists()


def read_drain_plan(node: Node, *, fallback: str, instances: Iterable[Instance] | None = None) -> Plan:
    """Return the current plan for all guests of the node, or for these alone. Nothing is written."""
    chosen = list(guests_of(node) if instances is None else instances)
    blocking = blocking_operations(chosen)
    guests = [_guest(node, instance, is_held=instance.pk in blocking) for instance in chosen]
    groups = [each.affinity_group_id for each in chosen if each.affinity_group_id is not None]
    situation = PlanInputs(str(node.pk), FLEET.current(), _places(groups), partial(refusal_of, node))
    drain_plan = plan(guests, situation, fallback=fallback)
    stopped = {instance.pk: instance for instance in chosen}
    return replace(
        drain_plan, entries=tuple(_with_start(node, entry, stopped[entry.guest.id]) for entry in drain_plan.entries)
    )


def _with_start(node: Node, entry: Entry, instance: Instance) -> Entry:
    if entry.action != "stop":
        return entry
    return replace(entry, start_obstacles=start_obstacles(node, instance))


def start_obstacles(node: Node, instance: Instance) -> tuple[Document, ...]:
    """Return why an instance that the drain stops would not start again, if the node were returned now.

    Nothing is written.
    """
    if instance.restart_policy == NEVER:
        reason = Message("its restart policy is {policy}. Start it by hand.", policy=NEVER)
        return (InstanceNotRestarted(reason=reason).as_document(),)
    try:
        taken = decisions.redecide_in_place(instance_placement_request(instance, operation="instance.start"), node.pk)
    except CloudError as exc:
        return (exc.as_document(),)
    return () if taken.decision.is_admitted else (refusal_of(node, taken.decision, stays=True),)


def read_recovery_plan(node: Node, *, instances: Iterable[Instance] | None = None) -> Plan:
    """Return the current plan for the guests of a lost node. Nothing is written."""
    chosen = list(guests_of(node) if instances is None else instances)
    blocking = blocking_operations(chosen)
    guests = [_lost_guest(node, instance, is_held=instance.pk in blocking) for instance in chosen]
    groups = [each.affinity_group_id for each in chosen if each.affinity_group_id is not None]

    def blocked(decision: Decision) -> Document:
        return as_evacuation_blocked(refusal_of(node, decision))

    return plan_recovery(guests, PlanInputs(str(node.pk), FLEET.current(), _places(groups), blocked))


def _lost_guest(node: Node, instance: Instance, *, is_held: bool) -> Guest:
    guest = Guest(
        id=instance.pk,
        name=instance.name,
        project_id=instance.project_id,
        is_running=starts_elsewhere(instance),
        is_changing=is_held,
    )
    if is_held:
        return guest
    if obstacles := evacuation_obstacles(instance):
        documents = tuple(InstanceNotEvacuable(reason=reason).as_document() for reason in obstacles)
        return replace(guest, obstacles=documents)
    return _guest_request(guest, Migration(kind=EVACUATE, instance=instance, source=node))


def _guest(node: Node, instance: Instance, *, is_held: bool) -> Guest:
    guest = Guest(
        id=instance.pk,
        name=instance.name,
        project_id=instance.project_id,
        is_running=is_running(instance),
        is_changing=is_held,
    )
    if is_held:
        return guest
    if obstacles := migration_obstacles(instance):
        documents = tuple(InstanceNotMovable(reason=reason).as_document() for reason in obstacles)
        return replace(guest, obstacles=documents)
    return _guest_request(guest, Migration(kind=MIGRATE, instance=instance, source=node))


def _guest_request(guest: Guest, migration: Migration) -> Guest:
    """Return the placement request for the guest."""
    try:
        taken = decisions.decide_placement(replace(migration_request(migration), move=None))
    except CloudError as exc:
        return replace(guest, obstacles=(exc.as_document(),))
    request, assessment = taken.decision.request, taken.decision.assessment
    return replace(guest, question=GuestRequest(request, assessment, migration.instance.affinity_group_id))


def _places(group_ids: Sequence[UUID]) -> Places:
    # A guest of a fenced node runs nowhere, so no affinity refers to it.
    places: dict[UUID, dict[UUID, str]] = {}
    members = Allocation.objects.filter(group_id__in=group_ids).exclude(node__admin_state="fenced")
    rows = members.values_list("group_id", "consumer_id", "node_id")
    for group_id, consumer_id, node_id in rows:
        if group_id is not None:
            places.setdefault(group_id, {})[consumer_id] = str(node_id)
    return places

"""Attaching ports to instances, and detaching them. workflows/port_attach.py carries it out.

A node gets the guest again with other cards, which may start a guest that has crashed, so placement is asked as for a
start. A card brings no data of another resource, so no classification is inherited.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import Max

from controlplane.audit.services import audit_entry
from controlplane.compute.actions import require_instance_state
from controlplane.compute.errors import PortNotAttached, TooManyPorts
from controlplane.compute.instance_changes import instance_lock
from controlplane.compute.instance_checks import PORTS_MAX
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_placement_request
from controlplane.identity.actor import Actor
from controlplane.kernel import clock
from controlplane.network.models import Port
from controlplane.network.mtu import require_mtu_in_zone
from controlplane.network.port_addresses import new_requests
from controlplane.network.ports import PortChange, port_lock, port_update, require_free
from controlplane.network.routed_zones import require_zone, routed_addresses
from controlplane.network.selected_groups import selected_groups_refresh
from controlplane.operations import services as operations
from controlplane.operations.models import Operation
from controlplane.operations.services import OperationRequest, enqueue
from controlplane.placement import services as placement

ATTACH, DETACH = "port.attach", "port.detach"


def port_attach(actor: Actor, port: Port, *, instance: Instance) -> Operation:
    """Request that the instance gets the port as its last card; a running guest gets it while it runs.

    Raises:
        PortAttached: an instance has it.
        RoutedElsewhere: its addresses are routed to another zone than the instance's.
        MtuTooLarge: the instance's zone does not carry the packets of its network.
        TooManyPorts, InstanceWrongState, NoAllocation, PolicyUnsatisfiable, Busy, PortNotFound.
    """
    actor.may_write()
    require_free(port)
    operations.require_unlocked(instance.pk)
    instance.refresh_from_db(fields=["state", "is_deleting", "node"])
    require_instance_state(instance, "attach-port")
    placement.check_current_node(instance_placement_request(instance, operation=ATTACH))
    with transaction.atomic():
        return _attach(actor, port, instance)


def _attach(actor: Actor, port: Port, instance: Instance) -> Operation:
    operation = _enqueue(actor, ATTACH, port, instance)
    require_free(port)
    if instance.node is not None:
        require_mtu_in_zone(port, instance.node.zone_id)
        require_zone(routed_addresses([port]), instance.node.zone_id)
    cards = Port.objects.filter(instance_id=instance.pk)
    if cards.count() >= PORTS_MAX:
        raise TooManyPorts(limit=PORTS_MAX)
    last = cards.aggregate(last=Max("position"))["last"]
    Port.objects.filter(pk=port.pk).update(
        instance_id=instance.pk,
        position=0 if last is None else last + 1,
        last_error=None,
        updated_at=clock.now(),
    )
    selected_groups_refresh(port.project_id, ports=[port.pk])
    return operation


def port_change(actor: Actor, port: Port, change: PortChange) -> Port:
    """Change the port. Placement is asked as for an attachment where an attached port gets more addresses.

    Raises:
        NoAllocation, NodeOutOfService, PolicyUnsatisfiable, NoPlace, and those of port_update.
    """
    actor.may_write()
    if port.instance_id is None or change.addresses is None or not new_requests(port, change.addresses):
        return port_update(actor, port, change)
    instance = Instance.objects.select_related("node").get(pk=port.instance_id)
    if instance.node is None:
        return port_update(actor, port, change)
    request = instance_placement_request(instance, operation=ATTACH)
    taken = placement.check_current_node(request)
    with transaction.atomic():
        placement.keep_exempted(request, taken)
        return port_update(actor, port, change)


@transaction.atomic
def port_detach(actor: Actor, port: Port) -> Operation:
    """Request that the instance loses the card; it may run on. A port that came with the instance is deleted then.

    Raises:
        PortNotAttached, InstanceWrongState, Busy, PortNotFound.
    """
    actor.may_write()
    if port.instance_id is None:
        raise PortNotAttached(name=port.name)
    instance = Instance.objects.get(pk=port.instance_id)
    operation = _enqueue(actor, DETACH, port, instance)
    if port.instance_id != instance.pk:
        raise PortNotAttached(name=port.name)
    Port.objects.filter(pk=port.pk).update(last_error=None, updated_at=clock.now())
    return operation


def _enqueue(actor: Actor, kind: str, port: Port, instance: Instance) -> Operation:
    """Write the operation, whose subject is the instance, and the next generation of both, which it locks."""
    instance_lock(instance)
    port_lock(port)
    generation = _next_generation(instance, port)
    facts = {"port": str(port.pk), "name": port.name}
    args = {**facts, "generation": generation}
    request = OperationRequest(kind, instance.project_id, [instance.pk, port.pk], args, resource_name=instance.name)
    audited = audit_entry(actor, kind, instance.pk, project_id=instance.project_id, **facts)
    operation = enqueue(actor, request, extra_rows=audited)
    require_instance_state(instance, f"{kind.partition('.')[2]}-port")
    raise_generations(instance.pk, port.pk, generation)
    return operation


def _next_generation(instance: Instance, port: Port) -> int:
    """Return a generation above all that any node knows of both."""
    instance.refresh_from_db(fields=["generation"])
    return max(instance.generation, port.generation) + 1


def raise_generations(instance_id: UUID, port_id: UUID, generation: int) -> None:
    """Raise the generations of both to at least this one."""
    for model, key in ((Instance, instance_id), (Port, port_id)):
        model.objects.filter(pk=key, generation__lt=generation).update(generation=generation, updated_at=clock.now())

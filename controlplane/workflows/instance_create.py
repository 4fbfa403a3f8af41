"""Create an instance: a place, the image, a root disk, ports, volumes, and a guest that runs."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from controlplane.compute.attachments import join
from controlplane.compute.models import INSTANCE, Attachment, Instance
from controlplane.compute.services import ask_for
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.prepared import Prepared
from controlplane.network.models import Port
from controlplane.network.services import ports_delete
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.services import volume_take
from controlplane.workflows import leave, on_nodes
from controlplane.workflows.recipe import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    attachments = [UUID(attachment) for attachment in operation.args["attachments"]]
    return (
        Step("place", place, undo=give_place_back),
        Step("image", ensure_image),
        Step("root-disk", ensure_root_disk, undo=remove_root_disk),
        *(
            Step(f"port-{n}", partial(ensure_port, UUID(port)), undo=partial(remove_port, UUID(port)))
            for n, port in enumerate(operation.args["ports"])
        ),
        *((Step("define", define, undo=remove_instance),) if attachments else ()),
        *(
            Step(f"volume-{n}", partial(plug, attachment), undo=partial(unplug, attachment))
            for n, attachment in enumerate(attachments)
        ),
        Step("start", start, undo=remove_instance),
    )


def finish(operation: Operation) -> None:
    instance = _instance(operation)
    move(instance, INSTANCE, "active", last_error=None, power_state="running", power_state_at=clock.now())
    if not operation.args["attachments"]:
        return
    for attachment in Attachment.objects.filter(instance=instance).select_related("volume"):
        volume_take(attachment.volume)
    Attachment.objects.filter(instance=instance).update(is_plugged=True, updated_at=clock.now())


def give_up(operation: Operation, error: dict[str, object]) -> None:
    instance = _instance(operation)
    move(instance, INSTANCE, "error", last_error=error, node=None, power_state="unknown")
    Attachment.objects.filter(instance=instance).delete()
    ports_delete(instance.pk)
    quotas.release(instance.pk)


def place(operation: Operation) -> Effect:
    instance = _instance(operation)
    near: tuple[UUID, ...] = ()
    if operation.args["attachments"]:
        near = tuple(Attachment.objects.filter(instance=instance).values_list("volume_id", flat=True))
    ask = ask_for(instance, operation=operation.kind, zones=tuple(operation.args["zones"]), near=near)
    allocation = placement.claim(replace(ask, host=operation.args.get("host"), operation_id=operation.pk))
    leave.ahead(operation, allocation, generation=instance.generation)
    return lambda: _set_node(instance, allocation.node_id)


def give_place_back(operation: Operation) -> Effect:
    instance = _instance(operation)
    return on_nodes.together(lambda: _set_node(instance, None), lambda: placement.release(instance.pk))


def ensure_image(operation: Operation) -> None:
    instance = _instance(operation)
    on_nodes.ensure_image(leave.for_instance(operation, instance), instance.image)


def ensure_root_disk(operation: Operation) -> None:
    instance = _instance(operation)
    on_nodes.ensure_volume(
        leave.for_instance(operation, instance),
        volume_id=instance.root_volume_id,
        generation=instance.generation,
        size_gib=instance.disk_gib,
        image=instance.image,
    )


def remove_root_disk(operation: Operation) -> Effect | None:
    instance = _instance(operation)
    return on_nodes.remove(
        instance.node, kind="volume", resource_id=instance.root_volume_id, generation=instance.generation
    )


def ensure_port(port_id: UUID, operation: Operation) -> None:
    instance = _instance(operation)
    port = PORTS.get(port_id)
    on_nodes.ensure_port(leave.for_instance(operation, instance), port, hostname=instance.name)


def remove_port(port_id: UUID, operation: Operation) -> Effect | None:
    return on_nodes.remove(_instance(operation).node, kind="port", resource_id=port_id, generation=1)


def define(operation: Operation) -> None:
    instance = _instance(operation)
    grant = leave.for_instance(operation, instance)
    on_nodes.ensure_instance(grant, instance, power=pb.POWER_OFF, generation=instance.generation - 1)


def plug(attachment_id: UUID, operation: Operation) -> None:
    attachment = Attachment.objects.select_related("instance__project", "volume__project").get(pk=attachment_id)
    join(attachment)
    on_nodes.ensure_attachment(leave.for_instance(operation, _instance(operation)), attachment)


def unplug(attachment_id: UUID, operation: Operation) -> Effect | None:
    return on_nodes.remove(_instance(operation).node, kind="attachment", resource_id=attachment_id, generation=1)


def start(operation: Operation) -> None:
    instance = _instance(operation)
    on_nodes.ensure_instance(leave.for_instance(operation, instance), instance, power=pb.POWER_RUNNING)


def remove_instance(operation: Operation) -> Effect | None:
    instance = _instance(operation)
    return on_nodes.remove(instance.node, kind="instance", resource_id=instance.pk, generation=instance.generation)


INSTANCES = Prepared(
    lambda instance: Instance.objects.select_related("project", "image", "node", "affinity_group").filter(pk=instance)
)
PORTS = Prepared(lambda port: Port.objects.select_related("network__subnet").filter(pk=port))


def _instance(operation: Operation) -> Instance:
    return INSTANCES.get(operation.resource_id)


def _set_node(instance: Instance, node_id: UUID | None) -> None:
    Instance.objects.filter(pk=instance.pk).update(node_id=node_id)


WORKFLOW = Workflow("instance.create", steps, finish, give_up)

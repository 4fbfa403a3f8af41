"""Give a stopped instance another size on its own node. The disk grows last, because it cannot shrink again."""

from collections.abc import Sequence
from dataclasses import replace

from agents.protocol import agent_pb2 as pb
from controlplane.compute.models import Instance
from controlplane.compute.services import ask_for
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation
from controlplane.quotas import services as quotas
from controlplane.workflows import on_nodes
from controlplane.workflows.recipe import Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (Step("place", place, undo=shrink_place), Step("define", define), Step("grow-disk", grow_disk))


def finish(operation: Operation) -> None:
    Instance.objects.filter(pk=operation.resource_id).update(last_error=None, **operation.args["to"])


def give_up(operation: Operation, error: dict[str, object]) -> None:
    was = operation.args["was"]
    instance = _instance(operation)
    Instance.objects.filter(pk=instance.pk).update(last_error=error)
    quotas.claim(instance.project_id, instance.pk, vcpus=was["vcpus"], memory_mib=was["memory_mib"])


def place(operation: Operation) -> None:
    _resize_place(operation, operation.args["to"])


def shrink_place(operation: Operation) -> None:
    try:
        _resize_place(operation, operation.args["was"])
    except NoAllocation:
        return


def _resize_place(operation: Operation, size: dict[str, int]) -> None:
    ask = ask_for(_instance(operation), operation=operation.kind)
    placement.resize(replace(ask, vcpus=size["vcpus"], memory_mib=size["memory_mib"], disk_gib=size["disk_gib"]))


def define(operation: Operation) -> None:
    instance = _resized(operation)
    on_nodes.ensure_instance(placement.grant(instance.pk), instance, power=pb.POWER_OFF)


def grow_disk(operation: Operation) -> None:
    instance = _resized(operation)
    on_nodes.ensure_volume(
        placement.grant(instance.pk),
        volume_id=instance.root_volume_id,
        generation=instance.generation,
        size_gib=instance.disk_gib,
        image=instance.image,
    )


def _instance(operation: Operation) -> Instance:
    return Instance.objects.select_related("project", "image", "affinity_group").get(pk=operation.resource_id)


def _resized(operation: Operation) -> Instance:
    """As the row will be when the operation has succeeded."""
    instance = _instance(operation)
    for name, value in operation.args["to"].items():
        setattr(instance, name, value)
    return instance


WORKFLOW = Workflow("instance.resize", steps, finish, give_up)

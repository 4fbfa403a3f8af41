"""Give a stopped instance another size on its own node. The disk grows last, because it cannot shrink again.

Until the end it has allocation and quota for both sizes: releasing one of them needs no capacity, so it cannot fail.
"""

from collections.abc import Sequence
from dataclasses import replace

from agents.protocol import agent_pb2 as pb
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_placement_request
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    grown = (Step("grow-disk", grow_disk),) if "disk_gib" in operation.args["to"] else ()
    return (Step("place", place, undo=shrink_place), Step("define", define), *grown)


def on_success(operation: Operation) -> None:
    to = operation.args["to"]
    Instance.objects.filter(pk=operation.resource_id).update(last_error=None, **to)
    placement.shrink(operation.resource_id, **_amounts(to))
    _keep_quota(_instance(operation), to)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    Instance.objects.filter(pk=operation.resource_id).update(last_error=error)
    _keep_quota(_instance(operation), operation.args["was"])


def place(operation: Operation) -> None:
    request = instance_placement_request(_resized(operation), operation=operation.kind)
    placement.grow(replace(request, operation_id=operation.pk))


def shrink_place(operation: Operation) -> Effect:
    return lambda: placement.shrink(operation.resource_id, **_amounts(operation.args["was"]))


def _amounts(size: dict[str, int]) -> dict[str, int]:
    return {dimension: size[dimension] for dimension in ("vcpus", "memory_mib", "disk_gib") if dimension in size}


def _keep_quota(instance: Instance, size: dict[str, int]) -> None:
    quotas.claim(instance.project_id, instance.pk, vcpus=size["vcpus"], memory_mib=size["memory_mib"])


def define(operation: Operation) -> None:
    instance = _resized(operation)
    node_steps.ensure_instance(step_permits.for_instance(operation, instance), instance, power=pb.POWER_OFF)


def grow_disk(operation: Operation) -> None:
    instance = _resized(operation)
    node_steps.open_disk(step_permits.for_instance(operation, instance), node_steps.root_of(instance))


def _instance(operation: Operation) -> Instance:
    rows = Instance.objects.select_related("project", "image", "affinity_group", "root_pool")
    return rows.get(pk=operation.resource_id)


def _resized(operation: Operation) -> Instance:
    """Return the instance as its row will be when the operation has succeeded."""
    instance = _instance(operation)
    for name, value in operation.args["to"].items():
        setattr(instance, name, value)
    return instance


WORKFLOW = Workflow("instance.resize", steps, on_success, on_failure)

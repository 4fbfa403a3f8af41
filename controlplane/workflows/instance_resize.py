"""Give a stopped instance another size on its own node. The disk grows last, because it cannot shrink again.

The disk is its own root disk, or a root volume that is not kept. Until the end there are allocation and quota for both
sizes: releasing one of them needs no capacity, so it cannot fail.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from django.db.models import QuerySet

from agents.protocol import agent_pb2 as pb
from controlplane.compute.models import Instance
from controlplane.compute.services import instance_placement_request
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.quotas import services as quotas
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_growth_request
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import Effect, Step, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    is_growing = "disk_gib" in operation.args["to"] or _grows_volume(operation)
    grown = (Step("grow-disk", grow_disk),) if is_growing else ()
    return (Step("place", place, undo=shrink_place), Step("define", define), *grown)


def on_success(operation: Operation) -> None:
    to = operation.args["to"]
    Instance.objects.filter(pk=operation.resource_id).update(last_error=None, **to)
    if _grows_volume(operation):
        size_gib = operation.args["size_gib"]
        Instance.objects.filter(pk=operation.resource_id).update(disk_gib=size_gib)
        limits = {"iops_limit": to["root_iops_limit"], "mb_per_s_limit": to["root_mb_per_s_limit"]}
        _volumes(operation).update(size_gib=size_gib, last_error=None, **limits)
    placement.shrink(operation.resource_id, **_amounts(to))
    _keep_quota(_instance(operation), to)


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    Instance.objects.filter(pk=operation.resource_id).update(last_error=error)
    if _grows_volume(operation):
        _volumes(operation).update(last_error=error)
        volume = _volumes(operation).get()
        quotas.claim(volume.project_id, volume.pk, storage_gib=operation.args["was_gib"])
    _keep_quota(_instance(operation), operation.args["was"])


def place(operation: Operation) -> None:
    request = instance_placement_request(_resized(operation), operation=operation.kind)
    placement.grow(replace(request, operation_id=operation.pk))
    if _grows_volume(operation):
        size_gib = operation.args["size_gib"]
        of_volume = volume_growth_request(_volumes(operation).get(), size_gib, operation=operation.kind)
        placement.grow(replace(of_volume, operation_id=operation.pk))


def shrink_place(operation: Operation) -> Effect:
    return partial(_shrink, operation)


def _shrink(operation: Operation) -> None:
    placement.shrink(operation.resource_id, **_amounts(operation.args["was"]))
    if _grows_volume(operation):
        placement.shrink(UUID(operation.args["grown_volume"]), disk_gib=operation.args["was_gib"])


def _amounts(size: dict[str, int]) -> dict[str, int]:
    return {dimension: size[dimension] for dimension in ("vcpus", "memory_mib", "disk_gib") if dimension in size}


def _keep_quota(instance: Instance, size: dict[str, int]) -> None:
    quotas.claim(instance.project_id, instance.pk, vcpus=size["vcpus"], memory_mib=size["memory_mib"])


def define(operation: Operation) -> None:
    instance = _resized(operation)
    node_steps.ensure_instance(step_permits.for_instance(operation, instance), instance, power=pb.POWER_OFF)


def grow_disk(operation: Operation) -> None:
    instance = _resized(operation)
    node_steps.open_disk(step_permits.for_instance(operation, instance), _grown_disk(operation, instance))


def _grown_disk(operation: Operation, instance: Instance) -> node_steps.Disk:
    if not _grows_volume(operation):
        return node_steps.root_of(instance)
    disk = node_steps.disk_of(_volumes(operation).get())
    return replace(disk, size_gib=operation.args["size_gib"], limits=instance.root_limits)


def _grows_volume(operation: Operation) -> bool:
    """Tell if the disk that grows is a root volume."""
    return "grown_volume" in operation.args


def _volumes(operation: Operation) -> QuerySet[Volume]:
    """Return the root volume that grows."""
    rows = Volume.objects.select_related("project", "image", "pool", "volume_type")
    return rows.filter(pk=operation.args["grown_volume"])


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

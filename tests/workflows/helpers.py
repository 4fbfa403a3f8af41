"""What the workflow tests ask of a cloud, and how they see that nothing is left of it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import NewInstance, instance_create
from controlplane.kernel.errors import CloudError
from controlplane.network.models import Port
from controlplane.nodes.models import Inventory, NodeRemoval
from controlplane.operations.models import Operation, OperationHold
from controlplane.placement.models import Allocation
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import capacity_drift
from controlplane.storage.models import Volume
from controlplane.storage.services import NewVolume, volume_create
from controlplane.workflows.recipe import Step, Workflow
from tests.workflows.conftest import Cloud
from tests.world import run


class Broken(CloudError):
    code = "test.broken"
    detail = "A test broke it."


def ask_instance(cloud: Cloud, name: str = "web", **more: Any) -> tuple[Instance, Operation]:
    new = NewInstance(name=name, flavor=cloud.flavor, image=cloud.image, networks=(cloud.network,), **more)
    return instance_create(cloud.tenant.actor, cloud.tenant.project, new)


def make_instance(cloud: Cloud, name: str = "web", **more: Any) -> Instance:
    instance, operation = ask_instance(cloud, name, **more)
    assert run(operation).state == "succeeded", operation.error
    return fresh(instance)


def ask_volume(cloud: Cloud, name: str = "data", **more: Any) -> tuple[Volume, Operation]:
    new = NewVolume(name=name, size_gib=2, volume_type=cloud.volume_type, **more)
    return volume_create(cloud.tenant.actor, cloud.tenant.project, new)


def make_volume(cloud: Cloud, name: str = "data", **more: Any) -> Volume:
    volume, operation = ask_volume(cloud, name, **more)
    assert run(operation).state == "succeeded", operation.error
    return fresh(volume)


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def assert_clean_slate(cloud: Cloud, *, volumes: int = 0) -> None:
    """Nothing is left anywhere but `volumes` volumes that were there before."""
    assert not cloud.fake.guests
    assert not cloud.fake.ports
    assert len(cloud.fake.volumes) == volumes
    assert Allocation.objects.count() == volumes
    assert not Port.objects.exists()
    assert not Attachment.objects.exists()
    assert not OperationHold.objects.exists()
    assert not NodeRemoval.objects.exists()
    assert not QuotaUse.objects.filter(dimension__in=["instances", "vcpus", "memory_mib"]).exists()
    assert QuotaUse.objects.filter(dimension="volumes").count() == volumes
    inventory = Inventory.objects.get(pk=cloud.machine.row.pk)
    assert (inventory.vcpus_used, inventory.memory_mib_used) == (0, 0)
    assert capacity_drift.reconcile() == []


Altered = Callable[[Step], Step]


def altered(workflow: Workflow, name: str, alter: Altered) -> Workflow:
    """The workflow with one of its steps changed."""

    def steps(operation: Operation) -> list[Step]:
        return [alter(step) if step.name == name else step for step in workflow.steps(operation)]

    return dataclasses.replace(workflow, steps=steps)


def then_explode(step: Step) -> Step:
    """Does its work, then fails: the worst case."""

    def do(operation: Operation) -> None:
        step.do(operation)
        raise Broken()

    return dataclasses.replace(step, do=do)


def twice(step: Step) -> Step:
    """Each do and each undo runs twice, as after a crash between the work and its record."""

    def do(operation: Operation) -> Any:
        step.do(operation)
        return step.do(operation)

    def undo(operation: Operation) -> Any:
        if step.undo is None:
            return None
        step.undo(operation)
        return step.undo(operation)

    return dataclasses.replace(step, do=do, undo=undo)

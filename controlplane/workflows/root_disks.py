"""The new root disk of an instance that is created or rebuilt: its own, or a volume that is made with it."""

from uuid import UUID

from controlplane.compute.models import Instance
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_set_place
from controlplane.workflows import node_steps
from controlplane.workflows.workflow_types import Effect


def has_root_volume(operation: Operation) -> bool:
    """Return whether the operation makes a root volume."""
    return operation.args.get("root_volume") is not None


def root_volume_of(operation: Operation) -> Volume:
    rows = Volume.objects.select_related("project", "pool", "image", "volume_type")
    return rows.get(pk=operation.args["root_volume"])


def new_root_disk(operation: Operation, instance: Instance) -> node_steps.Disk:
    """Return the root disk that the operation makes. `instance`: as it is afterwards."""
    if has_root_volume(operation):
        return node_steps.disk_of(root_volume_of(operation))
    return node_steps.root_of(instance)


def release_root_volume(operation: Operation) -> Effect:
    """Release the allocation of the root volume that the operation makes."""
    volume_id = UUID(operation.args["root_volume"])

    def release() -> None:
        volume_set_place(volume_id, None, None)
        placement.release_allocation(volume_id)

    return release

"""Registry: kind of operation → the workflow that carries it out."""

from controlplane.workflows import (
    image_import,
    image_verify,
    instance_create,
    instance_delete,
    instance_evacuate,
    instance_migrate,
    instance_power,
    instance_rebuild,
    instance_resize,
    node_fence,
    port_attach,
    snapshot_create,
    snapshot_delete,
    volume_attach,
    volume_create,
    volume_delete,
    volume_grow,
    volume_retype,
    volume_revert,
)
from controlplane.workflows.workflow_types import Workflow

ALL = (
    image_import.WORKFLOW,
    image_verify.WORKFLOW,
    instance_create.WORKFLOW,
    instance_delete.WORKFLOW,
    instance_evacuate.WORKFLOW,
    instance_migrate.WORKFLOW,
    *instance_power.WORKFLOWS,
    instance_rebuild.WORKFLOW,
    instance_resize.WORKFLOW,
    node_fence.WORKFLOW,
    port_attach.ATTACH,
    port_attach.DETACH,
    snapshot_create.WORKFLOW,
    snapshot_delete.WORKFLOW,
    volume_attach.ATTACH,
    volume_attach.DETACH,
    volume_create.WORKFLOW,
    volume_delete.WORKFLOW,
    volume_grow.WORKFLOW,
    volume_retype.WORKFLOW,
    volume_revert.WORKFLOW,
)
WORKFLOWS: dict[str, Workflow] = {workflow.kind: workflow for workflow in ALL}

"""Relocate an instance that is off to another zone: the cold migration of instance_migrate.py, between two zones."""

from controlplane.compute.actions import RELOCATION
from controlplane.workflows.instance_migrate import on_failure, on_success, steps
from controlplane.workflows.workflow_types import Workflow

WORKFLOW = Workflow(RELOCATION, steps, on_success, on_failure)

"""Arrival of a guest that is off: its disks are in pools, so the new node defines it without its former node.

Evacuations use these steps, and cold migrations of instances whose disks are all in storage clusters.
"""

from functools import partial
from uuid import UUID

from agents.protocol import agent_pb2 as pb
from andromede_core.documents.messages import Message
from controlplane.compute.errors import MigrationFailed
from controlplane.compute.migration import migration_of
from controlplane.compute.models import Attachment, Migration
from controlplane.nodes import agent_client
from controlplane.operations.models import Operation
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.workflow_types import Effect, Step

OFF = (pb.POWER_OFF, pb.POWER_CRASHED)


def steps(operation: Operation) -> tuple[Step, ...]:
    attachments = [UUID(attachment) for attachment in operation.args["attachments"]]
    return (
        Step("define", define, undo=remove_guest),
        *(
            Step(f"plug-{n}", partial(plug, attachment), undo=partial(unplug, attachment))
            for n, attachment in enumerate(attachments)
        ),
    )


def define(operation: Operation) -> None:
    """Define the guest, off, under the generation before that of its start."""
    migration = migration_of(operation)
    authorization = step_permits.for_arrival(operation, migration)
    node_steps.ensure_instance(
        authorization, migration.instance, power=pb.POWER_OFF, generation=migration.generation - 1
    )


def plug(attachment_id: UUID, operation: Operation) -> None:
    migration = migration_of(operation)
    attachment = Attachment.objects.get(pk=attachment_id)
    attachment.generation = migration.generation
    node_steps.ensure_attachment(step_permits.for_arrival(operation, migration), attachment)


def unplug(attachment_id: UUID, operation: Operation) -> Effect | None:
    return _remove_there(migration_of(operation), "attachment", attachment_id)


def remove_guest(operation: Operation) -> Effect | None:
    migration = migration_of(operation)
    return _remove_there(migration, "instance", migration.instance_id)


def close_at_source(operation: Operation) -> None:
    """Close the disks in storage clusters at the source, whose guest is off; the next start opens them anew.

    Raises:
        MigrationFailed: the guest is not off, and would lose its disks.
    """
    migration = migration_of(operation)
    guests = agent_client.describe(migration.source, migration.instance_id).instances
    if any(guest.power not in OFF for guest in guests):
        raise MigrationFailed(reason=Message("its guest is not off."))
    for disk in node_steps.cluster_disks_of(migration.instance):
        node_steps.fence_disk(migration.source, disk)


def _remove_there(migration: Migration, kind: str, resource_id: UUID) -> Effect | None:
    return node_steps.remove(migration.destination, kind=kind, resource_id=resource_id, generation=migration.generation)

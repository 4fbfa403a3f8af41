"""Migrate an instance with its disks: live while it runs, cold if it is off.

The destination gets all that the guest needs, under a generation above all that any node knows of it. Until the source
reports that the guest is gone, it runs at its source, and a failure is undone at the destination. After that it runs at
its destination, and the migration cannot be undone. In between only the step `move` knows which of the two holds:
docs/explanation/migration.md.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import NoReturn
from uuid import UUID

from django.db.models.functions import Greatest

from agents.protocol import agent_pb2 as pb
from andromede_core.documents.messages import Message
from controlplane.catalog.models import Image
from controlplane.compute.errors import MigrationFailed, MigrationSourceLost
from controlplane.compute.instance_metadata import resend_metadata
from controlplane.compute.migration import is_off, migrated_volume_request, migration_of, migration_request
from controlplane.compute.models import MIGRATION, Attachment, Instance, MigratedVolume, Migration
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.network.announced_prefixes import request_announcements
from controlplane.network.models import Port
from controlplane.network.port_specs import port_spec
from controlplane.nodes import agent_client, selectors
from controlplane.nodes.agent_client import CallAuthorization
from controlplane.nodes.errors import NodeAbandoned, NodeFailed, NodeRefused, NodeUnreachable
from controlplane.nodes.models import AUTO_CONVERGE
from controlplane.operations import leases
from controlplane.operations.errors import Cancelled, DeadlineExceeded
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.storage.models import Volume
from controlplane.workflows import node_steps, offline_arrival, step_permits
from controlplane.workflows.node_steps import Disk
from controlplane.workflows.workflow_types import Effect, Step, StepAborted, StepPending, Workflow

log = logging.getLogger(__name__)

POLL_DELAY = timedelta(seconds=1)
# The agents' codes for a cancellation that comes too late: the guest runs at its destination.
GUEST_MOVED, GUEST_ARRIVED = "agent.guest_moved", "agent.guest_arrived"
GONE = (NodeUnreachable, NodeAbandoned)


def steps(operation: Operation) -> Sequence[Step]:
    parts = [UUID(part) for part in operation.args["volumes"]]
    ports = [UUID(port) for port in operation.args["ports"]]
    is_sent = not operation.args.get("stays_in_clusters")
    return (
        Step("place", allocate_destination, undo=release_destination),
        *(() if is_sent else (Step("close", offline_arrival.close_at_source),)),
        Step("images", ensure_images, is_transfer=True),
        *(
            ()
            if operation.args.get("boots_from_volume")
            else (Step("root-disk", ensure_root_disk, undo=remove_root_disk),)
        ),
        *(
            Step(f"volume-{n}", partial(ensure_volume, part), undo=partial(remove_volume, part))
            for n, part in enumerate(parts)
        ),
        *(
            Step(f"port-{n}", partial(ensure_port, port), undo=partial(remove_port, port))
            for n, port in enumerate(ports)
        ),
        *(_sending() if is_sent else (*offline_arrival.steps(operation), Step("settle", arrive, is_final=True))),
        Step("clear-source", clear_source, is_final=True),
    )


def _sending() -> Sequence[Step]:
    return (
        Step("expect", prepare_destination, undo=clear_destination),
        Step("move", move_guest, handles_cancellation=True),
        Step("settle", confirm_arrival, handles_cancellation=True, is_final=True),
    )


def on_success(operation: Operation) -> None:
    move(migration_of(operation), MIGRATION, "done", ended_at=clock.now())


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Raise the generations, so that no generation sent to the destination is used again."""
    migration = migration_of(operation)
    raise_generations(migration)
    state = "cancelled" if error["code"] == Cancelled.code else "failed"
    move(migration, MIGRATION, state, error=error, ended_at=clock.now())


# ---- destination


def allocate_destination(operation: Operation) -> Effect:
    """Claim a second allocation for the instance and its volumes; each volume then gets its own part."""
    migration = migration_of(operation)
    allocation = placement.claim(replace(migration_request(migration), operation_id=operation.pk))
    for part in parts_of(migration):
        placement.split_allocation(migration.pk, replace(migrated_volume_request(part), operation_id=operation.pk))
    step_permits.request_permit_ahead(operation, allocation, generation=migration.generation)
    return lambda: move(migration, MIGRATION, "preparing", destination_id=allocation.node_id)


def release_destination(operation: Operation) -> Effect:
    migration = migration_of(operation)
    owners = [migration.pk, *(part.pk for part in parts_of(migration))]
    return node_steps.combine_effects(*(partial(placement.release_allocation, owner) for owner in owners))


def ensure_images(operation: Operation) -> None:
    """Send the images of the disks that the destination gets a copy of."""
    migration = migration_of(operation)
    volumes = Image.objects.filter(
        volume__migratedvolume__migration=migration, volume__pool=None, volume__is_whole=False
    )
    instance = migration.instance
    roots = () if instance.root_pool_id or instance.boot_volume_id else (instance.image,)
    images = {image.pk: image for image in (*roots, *volumes)}
    for image in images.values():
        node_steps.ensure_image(step_permits.for_arrival(operation, migration), image)


def ensure_root_disk(operation: Operation) -> None:
    migration = migration_of(operation)
    _ensure(operation, migration, root_for(migration))


def remove_root_disk(operation: Operation) -> Effect | None:
    migration = migration_of(operation)
    return node_steps.release_disk(migration.destination, root_for(migration))


def ensure_volume(part_id: UUID, operation: Operation) -> None:
    migration = migration_of(operation)
    _ensure(operation, migration, disk_for(migration, volume_of(part_id)))


def remove_volume(part_id: UUID, operation: Operation) -> Effect | None:
    migration = migration_of(operation)
    return node_steps.release_disk(migration.destination, disk_for(migration, volume_of(part_id)))


def _ensure(operation: Operation, migration: Migration, disk: Disk) -> None:
    """Create the disks at the destination, except those in a pool, which exist and are in use at the source."""
    ensure = node_steps.make_disk if disk.pool is None else node_steps.open_disk
    ensure(step_permits.for_arrival(operation, migration), disk)


def root_for(migration: Migration) -> Disk:
    return replace(node_steps.root_of(migration.instance), generation=migration.generation)


def disk_for(migration: Migration, volume: Volume) -> Disk:
    return replace(node_steps.disk_of(volume), generation=migration.generation)


def ensure_port(port_id: UUID, operation: Operation) -> None:
    migration = migration_of(operation)
    port = port_spec(port_id, generation=migration.generation)
    node_steps.ensure_port(step_permits.for_arrival(operation, migration), port, hostname=migration.instance.name)


def remove_port(port_id: UUID, operation: Operation) -> Effect | None:
    return _remove_there(migration_of(operation), "port", port_id)


def prepare_destination(operation: Operation) -> Effect:
    migration = migration_of(operation)
    arrival = node_steps.ensure_arrival(step_permits.for_arrival(operation, migration), migration)
    return lambda: move(migration, MIGRATION, "moving", uri=arrival.uri)


def clear_destination(operation: Operation) -> Effect | None:
    migration = migration_of(operation)
    return _remove_there(migration, "arrival", migration.instance_id)


def _remove_there(migration: Migration, kind: str, resource_id: UUID) -> Effect | None:
    return node_steps.remove(migration.destination, kind=kind, resource_id=resource_id, generation=migration.generation)


# ---- migration


def move_guest(operation: Operation) -> Effect | None:
    """Have the source send the guest, and poll its progress until the end."""
    migration = migration_of(operation)
    if (error := _to_stop(operation)) is not None:
        _call_off(operation, migration, error)
        return None
    try:
        authorization = step_permits.for_departure(operation, migration)
        convergence = operation.args.get("convergence", AUTO_CONVERGE)
        state = node_steps.ensure_departure(
            authorization, migration, deadline_s=_limit_s(operation), convergence=convergence
        )
    except GONE:
        if _is_there(migration):
            return None
        raise
    except CloudError as exc:
        if exc.retryable:
            raise
        _call_off(operation, migration, exc)
        return None
    return _followed(migration, state)


def _followed(migration: Migration, state: pb.DepartureState) -> Effect:
    sizes = {"total_bytes": state.total_bytes, "moved_bytes": min(state.moved_bytes, state.total_bytes)}
    if state.phase == pb.MOVE_PHASE_COMPLETED:
        return lambda: _record_progress(migration, **sizes, pause_ms=state.pause_ms)
    if state.phase in (pb.MOVE_PHASE_FAILED, pb.MOVE_PHASE_CANCELLED):
        raise StepAborted(MigrationFailed(reason=state.reason))
    _record_progress(migration, **sizes)
    percent = 100 * sizes["moved_bytes"] // (state.total_bytes or 1)
    raise StepPending("memory and disks are sent", delay=POLL_DELAY, progress=percent)


def _record_progress(migration: Migration, **fields: int) -> None:
    Migration.objects.filter(pk=migration.pk).update(**fields, updated_at=clock.now())


def _to_stop(operation: Operation) -> CloudError | None:
    """Return why the migration must end early, if it must."""
    if operation.is_cancellable and leases.is_cancel_requested(operation):
        return Cancelled()
    if clock.now() >= operation.deadline_at:
        return DeadlineExceeded(limit_s=_limit_s(operation), obstacle=Message("the guest was still migrating."))
    return None


def _limit_s(operation: Operation) -> int:
    return int(operation.limit.total_seconds())


def _call_off(operation: Operation, migration: Migration, error: CloudError) -> None:
    """Make sure that the guest stays at its source; returns only when it is too late for that.

    If the source is unreachable, its destination promises not to take the guest in.

    Raises:
        StepAborted: the guest stays, because of `error`.
        NodeUnreachable, NodeFailed: the outcome is unknown yet; another attempt may succeed.
    """
    instance = migration.instance
    try:
        agent_client.remove(migration.source, kind="departure", resource_id=instance.pk, generation=instance.generation)
    except GONE as exc:
        if isinstance(error, DeadlineExceeded):
            error = MigrationSourceLost(limit_s=_limit_s(operation))
        _turn_away(migration, error, exc)
    except NodeRefused as exc:
        _unless_there(migration, exc, GUEST_MOVED)
    else:
        raise StepAborted(error)


def _turn_away(migration: Migration, error: CloudError, silent: CloudError) -> None:
    assert migration.destination is not None, "it has had a place since its first step"
    try:
        agent_client.remove(
            migration.destination,
            kind="arrival",
            resource_id=migration.instance_id,
            generation=migration.generation,
        )
    except GONE:
        raise NodeUnreachable() from silent
    except NodeRefused as exc:
        _unless_there(migration, exc, GUEST_ARRIVED)
    else:
        raise StepAborted(error)


def _unless_there(migration: Migration, refused: NodeRefused, code: str) -> None:
    """Raise a retry unless the refusal's code proves that the guest has moved; others prove nothing."""
    if refused.facts.get("agent_code") != code:
        _raise_retryable(refused)


def _raise_retryable(refused: NodeRefused) -> NoReturn:
    raise NodeFailed(reason=refused.facts.get("reason"), agent_code=refused.facts.get("agent_code")) from refused


def _is_there(migration: Migration) -> bool:
    """Ask the destination, which has the guest only once its source has released it."""
    assert migration.destination is not None, "it has had a place since its first step"
    try:
        description = agent_client.describe(migration.destination, migration.instance_id)
    except GONE:
        return False
    return any(
        guest.power == node_steps.power_of(migration.instance) and guest.subject.generation == migration.generation
        for guest in description.instances
    )


# ---- arrival


def confirm_arrival(operation: Operation) -> Effect:
    """Confirm the guest to the destination, and write the rows.

    `move` succeeds only when the source has released the guest for good, so the destination may start a guest that it
    has lost since from its disks.
    """
    migration = migration_of(operation)
    try:
        try:
            _send_arrived(step_permits.for_arrival(operation, migration), migration)
        except CloudError as exc:
            if not _is_refused(exc):
                raise
            log.warning("instance %s migrated to a node that no longer admits it: %s", migration.instance_id, exc)
            _send_drifted(migration)
    except GONE:
        if _is_awaited(operation, migration):
            raise
    return partial(_arrive, migration)


def _send_arrived(authorization: CallAuthorization, migration: Migration) -> None:
    instance, power = migration.instance, node_steps.power_of(migration.instance)
    node_steps.ensure_instance(authorization, instance, power=power, generation=migration.generation, has_left=True)


def _send_drifted(migration: Migration) -> None:
    """Let the destination adopt a guest that policies admit there no more: the guest is there all the same, and drifts.

    The node adopts the guest under the permit of its arrival, and refuses the call if the guest has been lost since,
    was adopted already, or if its agent is of an earlier release.
    """
    try:
        _send_arrived(placement.call_authorization(migration.pk), migration)
    except CloudError as exc:
        if not _is_refused(exc):
            raise
        log.warning("node of instance %s has not adopted it: %s", migration.instance_id, exc)


def _is_refused(error: CloudError) -> bool:
    """Tell if placement, the signer or the agent refuses the permit."""
    if str(error.facts.get("agent_code")).startswith(step_permits.PERMIT_REFUSED):
        return True
    return not error.retryable and not isinstance(error, (NodeRefused, NodeAbandoned))


def _is_awaited(operation: Operation, migration: Migration) -> bool:
    """Tell if the operation must wait for the destination.

    An unreachable destination is confirmed when it is back: no other call confirms the guest. A fenced one has no guest
    any more; and neither a deletion of the instance nor the operation's deadline waits for it.
    """
    destination = migration.destination
    if destination is None or agent_client.is_abandoned(destination):
        return False
    if selectors.is_reachable(destination.pk):
        return True
    is_late = clock.now() >= operation.deadline_at
    return not (is_late or destination.admin_state in ("fenced", "retired") or migration.instance.is_deleting)


def _arrive(migration: Migration) -> None:
    """Write the arrival in one transaction: the second allocations become the only ones, the rows name the node."""
    now, instance, there = clock.now(), migration.instance, migration.destination_id
    placement.complete_move(instance.pk, move=migration.pk)
    for part in parts_of(migration):
        placement.complete_move(part.volume_id, move=part.pk)
        Volume.objects.filter(pk=part.volume_id).update(node_id=there, updated_at=now)
    observed = {"power_state": "off" if is_off(instance) else "running", "power_state_at": now, "power_reason": ""}
    Instance.objects.filter(pk=instance.pk).update(node_id=there, updated_at=now, **observed)
    resend_metadata(instance.pk)
    assert migration.destination is not None
    for zone in {migration.source.zone_id, migration.destination.zone_id}:
        request_announcements(zone)
    raise_generations(migration)
    move(migration, MIGRATION, "arrived", arrived_at=now)


def arrive(operation: Operation) -> Effect:
    """Write the rows of a guest that is off, and was defined at the destination without its source."""
    migration = migration_of(operation)

    def write() -> None:
        move(migration, MIGRATION, "moving")
        _arrive(migration)

    return write


def raise_generations(migration: Migration) -> None:
    newest = Greatest("generation", migration.generation)
    instance_id = migration.instance_id
    Instance.objects.filter(pk=instance_id).update(generation=newest)
    Volume.objects.filter(migratedvolume__migration=migration).update(generation=newest)
    Attachment.objects.filter(instance_id=instance_id).update(generation=newest)
    Port.objects.filter(instance_id=instance_id).update(generation=newest)


def clear_source(operation: Operation) -> Effect:
    """Remove the rest of the guest at the source. A guest releases its disks first."""
    migration = migration_of(operation)
    instance = migration.instance
    plugged = Attachment.objects.filter(instance=instance, is_boot=False).order_by("pk").values_list("pk", flat=True)
    ports = Port.objects.filter(instance_id=instance.pk).order_by("pk").values_list("pk", flat=True)
    roots = [] if instance.boot_volume_id else [root_for(migration)]
    disks = [*roots, *(disk_for(migration, part.volume) for part in parts_of(migration))]
    left = (("instance", [instance.pk]), ("attachment", list(plugged)), ("port", list(ports)))
    return node_steps.combine_effects(
        *(
            node_steps.remove(migration.source, kind=kind, resource_id=each, generation=migration.generation)
            for kind, ids in left
            for each in ids
        ),
        *(node_steps.release_disk(migration.source, disk) for disk in disks),
    )


def parts_of(migration: Migration) -> Sequence[MigratedVolume]:
    return list(migration.volumes.select_related("volume__project", "volume__pool", "migration").order_by("pk"))


def volume_of(part_id: UUID) -> Volume:
    return Volume.objects.select_related("image", "pool").get(migratedvolume=part_id)


WORKFLOW = Workflow("instance.migrate", steps, on_success, on_failure)

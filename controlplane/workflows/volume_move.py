"""Move the data of a volume to the place of another type: copy it, let the rows name the copy, erase the source.

No guest has the volume open meanwhile, or the move is online: see below. Until the switch the volume is at its source,
and a failure is undone at the destination. From the switch on it is at its destination, and the move can be neither
undone nor cancelled. The node that copies keeps the copy apart from the volume until then:
agents/node/services/volume_copies.py. Each place is the disk of that node, or a pool of a storage cluster; two pools
may be of one cluster, and the volume has an image of the same name, and a key, in each of them. What is done to one of
them names its pool.

Of an online move the copy follows what the guest writes, and the guest gets it before the switch: `decide`, the last
step that policies can refuse, and `pivot`. From the first request to pivot on, the node alone knows which of the places
has all of the data, and has it recorded (agents/node/services/volume_mirrors.py). So from `decide` on the operation
neither ends nor is undone before the node has answered: that the guest has the copy, or that it has the source, or ran
with it until its end. Until then the locks of volume and instance keep both from being started anywhere else, and
nothing is erased in either place.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from django.db.models import F

from agents.protocol import agent_pb2 as pb
from andromede_core.documents.messages import Message
from controlplane.compute.attachments import instances_booted_from
from controlplane.compute.volume_moves import MB, MOVE, VOLUME_COPY, move_of, require_ended, volume_move_request
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.errors import CloudError
from controlplane.kernel.units import GIB
from controlplane.nodes import agent_client, selectors
from controlplane.nodes.agent_client import CallAuthorization, subject
from controlplane.nodes.errors import NodeAbandoned, NodeFailed, NodeUnreachable
from controlplane.nodes.models import Pool
from controlplane.operations.errors import Cancelled, DeadlineExceeded
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation
from controlplane.storage.models import VOLUME_MOVE, Volume, VolumeMove
from controlplane.workflows import cluster_disks, node_steps, step_permits
from controlplane.workflows.workflow_types import Effect, Step, StepAborted, StepPending, Workflow

log = logging.getLogger(__name__)

POLL_DELAY = timedelta(seconds=1)
NEVER_LEVEL = Message("the guest writes more than the copy takes.")


def steps(operation: Operation) -> Sequence[Step]:
    guest_gets_copy = (Step("decide", decide, is_final=True), Step("pivot", pivot, is_final=True))
    return (
        Step("place", allocate, undo=release_allocation),
        Step("copy", copy_data, undo=remove_copy),
        *(guest_gets_copy if operation.args.get("is_online") else ()),
        Step("switch", switch, is_final=True),
        Step("finish", finish_copy, is_final=True),
        Step("open", open_there, is_final=True),
        Step("erase", erase_source, is_final=True),
    )


def on_success(operation: Operation) -> None:
    move(move_of(operation), VOLUME_MOVE, "done", ended_at=clock.now())


def on_failure(operation: Operation, error: dict[str, object]) -> None:
    """Raise the volume's generation, so that none that the copy had is used again."""
    Volume.objects.filter(pk=operation.resource_id).update(
        next_type=None, last_error=error, generation=F("generation") + 1
    )
    state = "cancelled" if error["code"] == Cancelled.code else "failed"
    move(move_of(operation), VOLUME_MOVE, state, error=error, ended_at=clock.now())


# ---- until the switch


def allocate(operation: Operation) -> Effect:
    """Claim a second allocation for the volume, on a node that reaches both places."""
    row = move_of(operation)
    allocation = placement.claim(replace(volume_move_request(row), operation_id=operation.pk))
    step_permits.request_permit_ahead(operation, allocation, generation=row.generation)
    there = {"destination_id": allocation.node_id, "destination_pool_id": allocation.pool_id}
    return partial(move, row, VOLUME_MOVE, "copying", **there)


def release_allocation(operation: Operation) -> Effect:
    return partial(placement.release_allocation, move_of(operation).pk)


def copy_data(operation: Operation) -> Effect:
    """Have the node copy the data, and poll its progress. A copy that failed is begun anew.

    Raises:
        StepPending: it is not complete, or an online one has not been level with the guest's writes yet.
        NodeFailed: an online one never was in the operation's time.
    """
    row = move_of(operation)
    authorization = step_permits.for_volume_move(operation, row)
    state = _state(row, authorization)
    if state is None or state.phase == pb.COPY_PHASE_FAILED:
        failed, state = state, _begin(row, authorization)
        if failed is not None and state.phase != pb.COPY_PHASE_COMPLETED:
            raise NodeFailed(reason=failed.reason)
    progress = {"total_bytes": state.total_bytes, "moved_bytes": min(state.moved_bytes, state.total_bytes)}
    if state.phase in (pb.COPY_PHASE_READY, pb.COPY_PHASE_COMPLETED):
        return partial(record_progress, row, progress)
    record_progress(row, progress)
    if row.is_online and clock.now() >= operation.deadline_at:
        raise NodeFailed(reason=NEVER_LEVEL)
    percent = 100 * progress["moved_bytes"] // (state.total_bytes or 1)
    raise StepPending("the data is copied", delay=POLL_DELAY, progress=percent)


def _state(row: VolumeMove, authorization: CallAuthorization) -> pb.VolumeCopyState | None:
    copies = agent_client.describe(authorization.node, row.volume_id).volume_copies
    return next((each for each in copies if each.subject.generation == row.generation), None)


def _begin(row: VolumeMove, authorization: CallAuthorization) -> pb.VolumeCopyState:
    """Begin the copy, with the key of a storage cluster's volume. What has it open still is fenced first, but for the
    guest of an online move.
    """
    volume = row.volume
    require_ended(volume.pk)
    if not row.is_online:
        node_steps.fence_disk(row.source, node_steps.disk_of(volume))
    request = pb.EnsureVolumeCopyRequest(
        subject=subject(volume.pk, row.generation),
        size_bytes=volume.size_gib * GIB,
        source=_place(row, row.source_pool, authorization, is_there=True),
        destination=_place(row, row.destination_pool, authorization, is_there=False),
        max_bytes_per_s=row.max_mb_per_s * MB,
        is_online=row.is_online,
    )
    with step_permits.using_permit(authorization):
        return agent_client.ensure_volume_copy(authorization, request)


def _place(row: VolumeMove, pool: Pool | None, authorization: CallAuthorization, *, is_there: bool) -> pb.VolumePlace:
    """Return the place. In a storage cluster the volume is made, unless it `is_there`, and opened for the node."""
    if pool is None:
        return pb.VolumePlace()
    opening = pb.EnsureVolumeRequest(
        subject=subject(row.volume_id, row.generation),
        size_bytes=row.volume.size_gib * GIB,
        is_taken_over=is_there,
    )
    cluster_disks.ensure_volume(authorization, opening, pool)
    return pb.VolumePlace(pool=pool.name, rbd=cluster_disks.open_for(authorization, row.volume_id, pool))


def record_progress(row: VolumeMove, progress: dict[str, int]) -> None:
    VolumeMove.objects.filter(pk=row.pk).update(**progress, updated_at=clock.now())


def remove_copy(operation: Operation) -> Effect | None:
    """Stop the copy and erase the destination. The keys of a cluster are removed, except that of the volume's node."""
    row = move_of(operation)
    node = row.destination
    if node is None:
        return None
    removed = node_steps.remove(
        node, kind=VOLUME_COPY, resource_id=row.volume_id, generation=row.generation, pool=_name(row.destination_pool)
    )
    if row.destination_pool is not None:
        cluster_disks.close(row.destination_pool, row.volume_id, node_id=node.pk, is_dead=True)
        cluster_disks.remove(row.destination_pool, row.volume_id, generation=row.generation)
    if row.source_pool is not None and row.source_id != node.pk:
        cluster_disks.close(row.source_pool, row.volume_id, node_id=node.pk, is_dead=True)
    return removed


# ---- the pivot of an online move


def decide(operation: Operation) -> None:
    """Let the guest get the copy, if policies still admit the data there. Raises as `require_admitted`."""
    require_admitted(operation, move_of(operation))


def pivot(operation: Operation) -> None:
    """Have the node give the guest the copy.

    Of a node that never comes back only the place in the storage cluster is left; the other one is on its disk.

    Raises:
        StepAborted: the guest has the source, or ran with it until its end, and the volume stays there. Once the
            operation's time is over, this is so too for a guest that writes more than the copy takes.
    """
    row = move_of(operation)
    if row.destination is None:
        raise NoAllocation()
    try:
        state = agent_client.pivot_volume_copy(row.destination, row.volume_id, generation=row.generation)
    except NodeAbandoned as exc:
        if row.destination_pool is None:
            raise StepAborted(exc) from exc
        log.warning("volume %s: its node is abandoned, and may not have given its guest the copy", row.volume_id)
        return
    if state.phase == pb.COPY_PHASE_FAILED:
        raise StepAborted(NodeFailed(reason=state.reason))
    if state.phase == pb.COPY_PHASE_COMPLETED:
        return
    if clock.now() >= operation.deadline_at:
        limit_s = int(operation.limit.total_seconds())
        raise StepAborted(DeadlineExceeded(limit_s=limit_s, obstacle=NEVER_LEVEL))
    raise StepPending("the guest gets the copy", delay=POLL_DELAY)


# ---- from the switch on


def switch(operation: Operation) -> Effect:
    """Let the rows name the copy, if policies still admit the data there, or the guest has it. Raises as
    `require_admitted`.
    """
    row = move_of(operation)
    if not row.is_online:
        require_admitted(operation, row)
    return partial(_switch, operation, row)


def require_admitted(operation: Operation, row: VolumeMove) -> None:
    """Require that policies still admit the data at the destination.

    Raises:
        StepAborted: they do not, or the operation's time is over; the volume stays at its source.
    """
    try:
        step_permits.for_volume_move(operation, row)
    except CloudError as exc:
        if not exc.retryable:
            raise StepAborted(exc) from exc
        if clock.now() < operation.deadline_at:
            raise
        limit_s = int(operation.limit.total_seconds())
        raise StepAborted(DeadlineExceeded(limit_s=limit_s, obstacle=exc.reason)) from exc


def _switch(operation: Operation, row: VolumeMove) -> None:
    """Write the switch. Of the two next generations, the end of the copy has the first, and the volume the second."""
    limits, now = node_steps.requested_limits(operation), clock.now()
    placement.complete_copy(row.volume_id, move=row.pk)
    Volume.objects.filter(pk=row.volume_id).update(
        node_id=row.destination_id,
        pool_id=row.destination_pool_id,
        volume_type=row.volume_type,
        next_type=None,
        iops_limit=limits.iops,
        mb_per_s_limit=limits.mb_per_s,
        is_whole=True,
        generation=row.generation + 2,
        last_error=None,
        updated_at=now,
    )
    instances_booted_from(row.volume_id).update(
        root_volume_type=row.volume_type, root_iops_limit=limits.iops, root_mb_per_s_limit=limits.mb_per_s
    )
    move(row, VOLUME_MOVE, "switched", switched_at=now)


def finish_copy(operation: Operation) -> Effect | None:
    """Let the copy be the volume on its node, which erases the source that it reaches; later, if it does not answer."""
    row = move_of(operation)
    generation, pool = row.generation + 1, _name(row.source_pool)
    return node_steps.remove(
        row.destination, kind=VOLUME_COPY, resource_id=row.volume_id, generation=generation, pool=pool
    )


def open_there(operation: Operation) -> None:
    """Give the volume its limits there, and its key. Its data is there in any case: what policies admit no more drifts.

    A node that does not answer opens it when it is next used. The guest of an online move has it open.
    """
    row = move_of(operation)
    volume = row.volume
    try:
        authorization = step_permits.for_volume(operation, volume)
        if not row.is_online:
            node_steps.fence_disk(volume.node, node_steps.disk_of(volume))
        node_steps.open_disk(authorization, node_steps.disk_of(volume))
    except (NodeUnreachable, NodeAbandoned):
        if volume.node_id is not None and selectors.is_reachable(volume.node_id):
            raise
    except CloudError as exc:
        if exc.retryable:
            raise
        log.warning("volume %s is where it is not opened now: %s", volume.pk, exc)


def erase_source(operation: Operation) -> Effect | None:
    """Release the volume from the node that had it, and delete it from the cluster that it was in."""
    row = move_of(operation)
    pool, left = row.source_pool, None
    if pool is None:
        return None  # the node that has copied it erases it, or has done so
    if row.source_id != row.destination_id:
        left = node_steps.remove(
            row.source, kind="shared-volume", resource_id=row.volume_id, generation=row.generation + 1
        )
    for node_id in {node.pk for node in (row.source, row.destination) if node is not None}:
        cluster_disks.close(pool, row.volume_id, node_id=node_id, is_dead=True)
    cluster_disks.remove(pool, row.volume_id, generation=row.generation + 1)
    return left


def _name(pool: Pool | None) -> str:
    return pool.name if pool is not None else ""


WORKFLOW = Workflow(MOVE, steps, on_success, on_failure)

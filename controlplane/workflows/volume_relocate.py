"""Relocate a volume to a node of another zone: copy it from node to node, let the rows name the copy, erase the source.

No guest has the volume open meanwhile. Until the switch the volume is at its source, and a failure is undone at the
destination; from the switch on it is at its destination, and the relocation can be neither undone nor cancelled. Each
node has a permit of its own, which names the other one. The destination tells when all of the data is there and
flushed: only then the rows are switched, and only after that the source is erased. The other steps are those of a move
within the zone: volume_move.py.
"""

from collections.abc import Sequence
from functools import partial

from agents.protocol import agent_pb2 as pb
from controlplane.compute.volume_moves import MB, OTHER_NODE, RELOCATE, VOLUME_COPY, move_of, require_ended
from controlplane.kernel import clock
from controlplane.kernel.db import move
from controlplane.kernel.units import GIB
from controlplane.nodes import agent_client
from controlplane.nodes.agent_client import CallAuthorization, subject
from controlplane.nodes.errors import NodeFailed
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.placement import services as placement
from controlplane.placement.errors import NoAllocation
from controlplane.storage.models import VOLUME_MOVE, Volume, VolumeMove
from controlplane.workflows import node_steps, step_permits
from controlplane.workflows.volume_move import (
    POLL_DELAY,
    allocate,
    on_failure,
    on_success,
    open_there,
    record_progress,
    release_allocation,
    require_admitted,
)
from controlplane.workflows.workflow_types import Effect, Step, StepPending, Workflow


def steps(operation: Operation) -> Sequence[Step]:
    return (
        Step("place", allocate, undo=release_allocation),
        Step("copy", copy_data, undo=remove_copy),
        Step("switch", switch, is_final=True),
        Step("open", open_there, is_final=True),
        Step("finish", finish_copy, is_final=True),
        Step("erase", erase_source, is_final=True),
    )


# ---- until the switch


def copy_data(operation: Operation) -> Effect:
    """Have the source send the data to the destination, and poll the progress. A copy that failed is begun anew.

    Raises:
        StepPending: it is not complete.
        NodeFailed: it failed.
    """
    row = move_of(operation)
    there = _received(operation, row)
    if there.phase == pb.COPY_PHASE_COMPLETED:
        return partial(record_progress, row, {"total_bytes": row.total_bytes, "moved_bytes": row.total_bytes})
    here = _sent(operation, row, uri=there.uri)
    if here.phase == pb.COPY_PHASE_COMPLETED:
        raise StepPending("the destination tells that it has the data", delay=POLL_DELAY, progress=100)
    progress = {"total_bytes": here.total_bytes, "moved_bytes": min(here.moved_bytes, here.total_bytes)}
    record_progress(row, progress)
    percent = 100 * progress["moved_bytes"] // (here.total_bytes or 1)
    raise StepPending("the data is copied", delay=POLL_DELAY, progress=percent)


def _received(operation: Operation, row: VolumeMove) -> pb.VolumeCopyState:
    """Return the state at the destination, which is made to expect the data, by a permit that still holds."""
    authorization = step_permits.for_volume_move(operation, row)
    state = _state(authorization.node, row)
    if state is not None and state.phase in (pb.COPY_PHASE_RUNNING, pb.COPY_PHASE_COMPLETED):
        return state
    require_ended(row.volume_id)
    request = _request(row)
    request.received_from.CopyFrom(node_steps.peer_of(row.source))
    return _ensure(authorization, request)


def _sent(operation: Operation, row: VolumeMove, *, uri: str) -> pb.VolumeCopyState:
    """Return the state at the source, which is made to send the data, by a permit that still holds."""
    authorization = step_permits.for_volume_departure(operation, row)
    failed = state = _state(authorization.node, row)
    if state is not None and state.phase != pb.COPY_PHASE_FAILED:
        return state
    request = _request(row)
    request.sent_to.CopyFrom(node_steps.peer_of(_destination(row)))
    request.uri = uri
    state = _ensure(authorization, request)
    if failed is not None and state.phase != pb.COPY_PHASE_COMPLETED:
        raise NodeFailed(reason=failed.reason)
    return state


def _state(node: Node, row: VolumeMove) -> pb.VolumeCopyState | None:
    copies = agent_client.describe(node, row.volume_id).volume_copies
    return next((each for each in copies if each.subject.generation == row.generation), None)


def _request(row: VolumeMove) -> pb.EnsureVolumeCopyRequest:
    return pb.EnsureVolumeCopyRequest(
        subject=subject(row.volume_id, row.generation),
        size_bytes=row.volume.size_gib * GIB,
        source=pb.VolumePlace(),
        destination=pb.VolumePlace(),
        max_bytes_per_s=row.max_mb_per_s * MB,
    )


def _ensure(authorization: CallAuthorization, request: pb.EnsureVolumeCopyRequest) -> pb.VolumeCopyState:
    with step_permits.using_permit(authorization):
        return agent_client.ensure_volume_copy(authorization, request)


def _destination(row: VolumeMove) -> Node:
    if row.destination is None:
        raise NoAllocation()
    return row.destination


def remove_copy(operation: Operation) -> Effect:
    """End the copy at both nodes, and erase what the destination has of it."""
    row = move_of(operation)
    return node_steps.combine_effects(
        _end_copy(row, row.source, pool=OTHER_NODE, generation=row.generation),
        _end_copy(row, row.destination, pool="", generation=row.generation),
    )


def _end_copy(row: VolumeMove, node: Node | None, *, pool: str, generation: int) -> Effect | None:
    """End the copy at one of the nodes. `pool`: of the place that is erased."""
    return node_steps.remove(node, kind=VOLUME_COPY, resource_id=row.volume_id, generation=generation, pool=pool)


# ---- from the switch on


def switch(operation: Operation) -> Effect:
    """Let the rows name the copy, if policies still admit the data there. Raises as `require_admitted`."""
    row = move_of(operation)
    require_admitted(operation, row)
    return partial(_switch, row)


def _switch(row: VolumeMove) -> None:
    """Write the switch. Of the two next generations, the end of the copy has the first, and the volume the second."""
    now = clock.now()
    placement.complete_copy(row.volume_id, move=row.pk)
    Volume.objects.filter(pk=row.volume_id).update(
        node_id=row.destination_id, is_whole=True, generation=row.generation + 2, last_error=None, updated_at=now
    )
    move(row, VOLUME_MOVE, "switched", switched_at=now)


def finish_copy(operation: Operation) -> Effect | None:
    """Let the copy be the volume on its node; later, if the node does not answer.

    The volume was opened before, so that at each moment a receipt says where the data is.
    """
    row = move_of(operation)
    return _end_copy(row, row.destination, pool=OTHER_NODE, generation=row.generation + 1)


def erase_source(operation: Operation) -> Effect:
    """Erase the volume on the node that had it; later, if the node does not answer."""
    row = move_of(operation)
    generation = row.generation + 1
    return node_steps.combine_effects(
        _end_copy(row, row.source, pool=OTHER_NODE, generation=generation),
        node_steps.remove(row.source, kind="volume", resource_id=row.volume_id, generation=generation),
    )


WORKFLOW = Workflow(RELOCATE, steps, on_success, on_failure)
